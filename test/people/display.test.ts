import { eq } from 'drizzle-orm'
import t from 'tap'
import { letters, users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { wordsIn } from '../../src/mail/plain.ts'
import { greeting, weekday } from '../../src/web/format.ts'
import { forReader } from '../../src/web/reader.ts'
import { type Client, startApp } from '../harness.ts'
import { lettersKept } from '../matrix/objects.ts'

// Each user reads pages in the theme, the time zone and the number format of their own.

const save = (client: Client, display: Record<string, string>) => client.submit('/profile', 'Save display', display)
const themeOf = (body: string) => /<html[^>]*data-theme="(\w+)"/.exec(body)?.[1]

t.test('a theme is in the page itself, so that nothing flashes, and only for its user', async (t) => {
  const panel = await startApp(t)
  const [tom, stella] = [await panel.signIn('tom'), await panel.signIn('stella')]
  t.equal(themeOf((await tom.open('/projects')).body), undefined)
  await save(tom, { theme: 'dark' })
  const page = await tom.open('/projects')
  t.equal(themeOf(page.body), 'dark')
  t.match(page.body, '<meta name=color-scheme content="dark">')
  t.equal(themeOf((await stella.open('/projects')).body), undefined)
  t.equal(themeOf((await tom.get('/nowhere')).body), 'dark', 'errors too')
  t.match((await tom.open('/profile')).body, /<option value="dark" selected>/)
})

t.test('times are in the zone of their reader, also across midnight', async (t) => {
  const panel = await startApp(t)
  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  const now = panel.app.now()
  const shown = (timeZone: string, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-GB', { ...options, timeZone: timeZone || 'UTC' }).format(now)
  for (const timeZone of ['Pacific/Kiritimati', 'America/Los_Angeles', 'Asia/Kathmandu', '']) {
    await save(stella, { timeZone })
    const history = await stella.open('/customer/history')
    const time = history.root.querySelector('.log time')
    t.equal(time?.textContent, shown(timeZone, { timeStyle: 'short' }), timeZone)
    t.match(history.text, `Today, ${shown(timeZone, { day: 'numeric', month: 'long' })}`)
    t.match(time?.getAttribute('datetime'), /Z$/)
    t.match((await stella.open('/customer/account')).text, shown(timeZone, { dateStyle: 'medium', timeStyle: 'short' }))
  }
  t.match((await petra.open('/profile')).text, /\d\d:\d\d UTC/, 'others keep theirs')
  t.match((await stella.get('/customer/history?download=csv')).body, /T\d\d:\d\d:\d\d\.\d{3}Z/, 'files stay in UTC')
})

for (const [numbers, written] of [
  ['', '65,536'],
  ['point', '65.536'],
  ['space', '65\u202f536'],
] as const)
  t.test(`numbers are written as ${written}, and read so`, async (t) => {
    const panel = await startApp(t)
    const petra = await panel.signIn('petra')
    if (numbers) await save(petra, { numbers })
    const quotas = '/partner/customers/acme/quotas'
    t.equal((await petra.submit(quotas, 'Save quotas', { cores: written })).status, 303)
    const page = await petra.open('/partner/customers/acme')
    t.ok(page.body.includes(written), 'on a page')
    t.match(
      (await petra.open('/partner/history')).text.replaceAll('\u202f', ' '),
      `to ${written.replace('\u202f', ' ')} (was`,
    )
    const [limit] = panel.rows().limits as { amount: number }[]
    t.equal(limit?.amount, 65_536)
    const refused = await petra.submit(quotas, 'Save quotas', { cores: '12,34' })
    t.equal(refused.status, 422, 'half a core is none')
  })

t.test('times and numbers of an e-mail are written as its reader chose', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const [stella, petra, nils] = [await panel.signIn('stella'), await panel.signIn('petra'), await panel.signIn('nils')]
  const textTo = async (email: string, subject: RegExp) => {
    await lettersKept(panel)
    const rows = db.select().from(letters).all().reverse()
    const letter = rows.find((one) => one.email === email && subject.test(one.subject))
    return wordsIn((letter && openBody(app.secrets, letter)?.html) ?? '')
  }
  const there = { timeZone: 'Pacific/Kiritimati', numbers: 'point' } as const
  for (const client of [stella, petra, nils]) await save(client, there)

  const onTheIslands = /\d\d:\d\d GMT\+14/
  await stella.submit('/profile', 'Change password', {
    current: demoPassword,
    password: 'correct horse battery',
    repeated: 'correct horse battery',
  })
  t.match(await textTo(cast.stella.email, /password/), onTheIslands, 'a changed password')
  await stella.submit('/profile', 'Change e-mail', { email: 'stella@new.example' })
  t.match(await textTo('stella@new.example', /Confirm/), onTheIslands, 'the link to a new address')
  t.match(await textTo(cast.stella.email, /e-mail/), onTheIslands, 'the news to the earlier one')

  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '10000' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '20000', reason: 'Growth' })
  t.match(await textTo(cast.petra.email, /asks for more/), /20\.000/, 'quotas that somebody asks for')

  const day = (timeZone: string) =>
    new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone }).format(app.now() + 7 * 24 * 3_600_000)
  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  await stella.submit('/customer/users', 'Invite', { name: 'Stranger', email: 'stranger@else.example' })
  t.match(await textTo(cast.nils.email, /invites/), day(there.timeZone), 'an invitation to a user')
  t.match(await textTo('stranger@else.example', /invites/), day('UTC'), 'to an address that is nobody’s')
})

t.test(
  'without a choice, times are in the zone that the browser names, and e-mails in that of the last log-in',
  async (t) => {
    const panel = await startApp(t)
    const kept = () =>
      panel.db
        .select({ timeZone: users.timeZone, zoneByBrowser: users.zoneByBrowser })
        .from(users)
        .where(eq(users.email, cast.tom.email))
        .get()
    const tom = panel.visit()
    const logIn = () => tom.logIn(cast.tom.email)
    const zone = async () => /\d\d:\d\d (UTC|GMT\S+)/.exec((await tom.open('/profile')).text)?.[1]
    const chosen = async () => (await tom.open('/profile')).root.querySelector('#timeZone [selected]')?.text
    const name = (named: string) => tom.cookies.set('meshpanel-zone', encodeURIComponent(named))

    await logIn()
    t.equal(await zone(), 'UTC', 'without JavaScript')
    name('Asia/Tokyo')
    t.equal(await zone(), 'GMT+9')
    t.equal(await chosen(), 'As my browser (Asia/Tokyo)')
    t.same(kept(), { timeZone: '', zoneByBrowser: true }, 'a page saves nothing')
    await tom.submit('/profile', 'Log out')
    await logIn()
    t.same(kept(), { timeZone: 'Asia/Tokyo', zoneByBrowser: true }, 'a log-in does')
    for (const unknown of ['Mars/Olympus', 'Asia/Tokyo; x', '../UTC', 'x'.repeat(3_000), '__proto__']) {
      name(unknown)
      t.equal(await zone(), 'GMT+9', 'a name that is no zone is passed over')
    }
    name('Asia/Calcutta')
    t.equal(await zone(), 'GMT+5:30', 'by an earlier name')

    await save(tom, { timeZone: 'Asia/Kathmandu' })
    t.equal(await zone(), 'GMT+5:45', 'a choice counts more')
    t.equal(await chosen(), 'Asia/Kathmandu')
    await tom.submit('/profile', 'Log out')
    await logIn()
    t.same(kept(), { timeZone: 'Asia/Kathmandu', zoneByBrowser: false }, 'and stays')
    await save(tom, { timeZone: '' })
    t.equal(await zone(), 'UTC', 'UTC is a choice too')
    await save(tom, { timeZone: 'browser' })
    t.same(kept(), { timeZone: 'Asia/Kolkata', zoneByBrowser: true })
    t.equal(await zone(), 'GMT+5:30')

    name('nowhere')
    t.equal(await chosen(), 'As my browser (Asia/Kolkata)', 'as at the last log-in')
    await save(tom, { theme: 'dark' })
    t.same(kept(), { timeZone: 'Asia/Kolkata', zoneByBrowser: true }, 'another choice leaves it')
    for (const utc of ['UTC', 'Etc/UTC', 'GMT']) {
      name(utc)
      t.equal(await zone(), 'UTC', `a machine that runs in ${utc} is not one that names no zone`)
      t.equal(await chosen(), 'As my browser (UTC)')
    }
    await tom.submit('/profile', 'Log out')
    await logIn()
    t.same(kept(), { timeZone: '', zoneByBrowser: true }, 'e-mails follow to UTC at the log-in')
  },
)

t.test('what is not on the lists is refused at its field, and nothing is changed', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  for (const [field, value] of Object.entries({ theme: 'pink', timeZone: 'Mars/Olympus', numbers: 'roman' })) {
    const before = panel.rows().users
    const answer = await save(tom, { [field]: value })
    t.equal(answer.status, 422)
    t.same(panel.rows().users, before)
  }
})

t.test('it is recorded, in the user’s own download, and goes with the user', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  await save(tom, { theme: 'light', timeZone: 'Europe/Berlin', numbers: 'point' })
  t.match((await tom.submit('/profile', 'Download my data')).body, 'Europe/Berlin')
  const olga = await panel.signIn('olga')
  t.match((await olga.open('/support/history')).text, 'changed their theme and time zone and number format')
  await tom.submit('/profile/removal', 'Delete my user', { email: cast.tom.email })
  t.notOk(JSON.stringify(panel.rows().users).includes('Europe/Berlin'))
})

t.test('an e-mail about an account has the zone and numbers of its reader, whoever acted', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await save(petra, { timeZone: 'Pacific/Kiritimati', numbers: 'space' })
  await save(stella, { timeZone: 'Asia/Tokyo', numbers: 'point' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '12 000' })
  const olga = await panel.signIn('olga')
  const list = await olga.open('/support/mail')
  const letter = await olga.open(list.root.querySelector('main tbody tr a')?.getAttribute('href') ?? '')
  t.match(letter.text, /no limit → 12\.000/)
  t.match(letter.text, /\d\d:\d\d GMT\+9/)
})

t.test('Home greets by the time of day of its reader, and names the day', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  t.equal((await stella.get('/')).title, 'Hello, Stella', 'no time of day is known')
  const midnight = Date.UTC(2027, 0, 9)
  for (const [hour, timeZone, words, day] of [
    [3, '', 'Hello', 'Saturday, 9 January'],
    [3, 'Europe/Berlin', 'Good evening', 'Saturday, 9 January'],
    [4, 'Europe/Berlin', 'Good morning', 'Saturday, 9 January'],
    [11, 'Europe/Berlin', 'Good afternoon', 'Saturday, 9 January'],
    [17, 'Europe/Berlin', 'Good evening', 'Saturday, 9 January'],
    [17, 'Asia/Tokyo', 'Good evening', 'Sunday, 10 January'],
    [23, 'Asia/Tokyo', 'Good morning', 'Sunday, 10 January'],
  ] as const)
    forReader({ timeZone, numbers: '' }, () => {
      const now = midnight + hour * 3_600_000
      t.same([greeting(now), weekday(now)], [words, day], `${hour} o’clock UTC, ${timeZone}`)
    })
  await save(stella, { timeZone: 'Europe/Berlin' })
  const now = panel.app.now()
  const expected = forReader({ timeZone: 'Europe/Berlin', numbers: '' }, () => [greeting(now), weekday(now)])
  const page = await stella.get('/')
  t.equal(page.title, `${expected[0]}, Stella`)
  t.match(page.text, expected[1])
})

t.test('the menu of the profile leads to each of its sections', async (t) => {
  const panel = await startApp(t)
  const page = await (await panel.signIn('stella')).open('/profile')
  const links = page.root.querySelectorAll('nav.sections a')
  const headings = page.root.querySelectorAll('main section > h2')
  t.same(
    links.map((link) => [link.getAttribute('href'), link.text]),
    headings.map((heading) => [`/profile#${heading.id}`, heading.childNodes[0]?.text.trim()]),
  )
})
