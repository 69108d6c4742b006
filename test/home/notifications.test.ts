import { desc, eq } from 'drizzle-orm'
import t from 'tap'
import { purgeAccount } from '../../src/accounts/deletion/purge/data.ts'
import { addMember } from '../../src/accounts/members/data.ts'
import type { UserId } from '../../src/db/ids.ts'
import { write } from '../../src/db/open.ts'
import { accounts, letters, notifications, projects, users } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { deleteOld, linesKept, mostOfReader, trimReaders } from '../../src/home/notifications/data/mailing.ts'
import { lastMorning } from '../../src/home/notifications/morning.ts'
import { newsOf } from '../../src/home/notifications/words.ts'
import { startNotificationWorker } from '../../src/home/notifications/worker.ts'
import { openBody } from '../../src/mail/outbox.ts'
import { wordsIn } from '../../src/mail/plain.ts'
import { createUser } from '../../src/people/data/users.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import { listWays } from '../../src/records/data/choices.ts'
import { type RecordKind, recordKinds } from '../../src/records/kinds.ts'
import { notifying } from '../../src/records/notifying.ts'
import { atCommandLine, record } from '../../src/records/record.ts'
import { accountId, type Client, type Page, type Panel, publicUrl, startApp, there, userId } from '../harness.ts'
import { linkIn, until } from '../smtp.ts'

// What somebody is told: on the page, by e-mail at once, or with the daily summary.

const day = 24 * 3_600_000

/** The lines of the page, as they are read. */
const linesOn = (page: Page) =>
  page.root.querySelectorAll('.news li').map((line) => ({
    words: there(line.querySelector('.name')).text.replace(/\s+/g, ' ').trim(),
    detail: line.querySelector('small')?.text ?? '',
    href: line.querySelector('a')?.getAttribute('href'),
    unread: line.classNames.includes('new'),
    side: line.querySelector('.badge')?.text ?? '',
  }))

const wordsOf = async (client: Client) => linesOn(await client.open('/notifications')).map(({ words }) => words)
const unreadIn = (page: Page) => page.root.querySelector('.bell .unread')?.getAttribute('data-n') ?? ''

/** The e-mails to somebody, the newest first. */
function mailsTo({ db, app }: Panel, who: CastName) {
  const rows = db.select().from(letters).where(eq(letters.email, cast[who].email)).orderBy(desc(letters.id)).all()
  return rows.map((letter) => {
    const body = openBody(app.secrets, letter)
    return { ...letter, html: body?.html, text: body && wordsIn(body.html) }
  })
}

/** The texts of the e-mails with notifications to somebody, the newest first. */
const textsTo = (panel: Panel, who: CastName) =>
  mailsTo(panel, who).flatMap(({ html, text }) => (html?.includes('<span class="m-soft"') && text ? [text] : []))

const isWritten = ({ db }: Panel) =>
  until(
    'nothing waits to be written at once',
    () => !db.select().from(notifications).where(eq(notifications.mail, 'now')).get(),
  )

/** Another worker, as after a restart, does what is due. */
async function workOnce({ app }: Panel): Promise<void> {
  const worker = startNotificationWorker(app, app.mailContext)
  worker.wake()
  // Stopping waits for the reader under way alone.
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve))
  await worker.stop()
}

const limitAcme = (petra: Client, fields: Record<string, string>) =>
  petra.submit('/partner/customers/acme/quotas', 'Save quotas', fields)

t.test('every kind of record is told to somebody, with a sentence, or to nobody for a reason', async (t) => {
  for (const kind of Object.keys(recordKinds) as RecordKind[]) {
    const rules = notifying[kind]
    if ('nobody' in rules) {
      t.ok(rules.nobody, kind)
      t.notOk(newsOf[kind], `${kind} needs no sentence`)
    } else {
      t.ok(rules.length > 0, kind)
      t.ok(newsOf[kind], `${kind} has a sentence`)
    }
  }
})

t.test('a request and its answer are told to those whom they concern, unread until they say so', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, tom, riva] = [
    await panel.signIn('petra'),
    await panel.signIn('stella'),
    await panel.signIn('tom'),
    await panel.signIn('riva'),
  ]
  t.match((await petra.open('/notifications')).text, 'You’re all caught up.')
  await limitAcme(petra, { cores: '4' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'For <Christmas>' })

  const page = await petra.open('/notifications')
  t.same(linesOn(page), [
    {
      words: 'Stella asks for more quota for Acme',
      detail: 'Cores: 4 → 8',
      href: '/partner/customers/acme/quotas?account=cloudhaus',
      unread: true,
      side: '',
    },
  ])
  t.equal(unreadIn(page), '1')
  t.same(
    page.root.querySelectorAll('.news bdi').map(({ text }) => text),
    ['Stella', 'Acme'],
    'names are apart from the words',
  )
  t.match((await petra.open(linesOn(page)[0]?.href ?? '')).text, 'For <Christmas>', 'the link settles it')

  await petra.submit('/partner/customers/acme/quotas', 'Approve')
  t.match(linesOn(await stella.open('/notifications')), [
    { words: 'Petra approved your request for more quota for Acme', side: 'Cloudhaus', unread: true },
    { words: 'Petra changed the limits of Acme', detail: 'Cores: no limit → 4' },
  ])
  t.same(await wordsOf(tom), [], 'a user who is no admin is told nothing of it')
  t.same(await wordsOf(riva), [], 'nor is another partner')

  const read = await petra.submitAndFollow('/notifications', 'Mark all as read')
  t.match(read.notice, '1 notification marked as read.')
  t.equal(unreadIn(read), '')
  t.match(linesOn(read), [{ unread: false }])
  t.equal(unreadIn(await stella.open('/')), '2', 'those of others stay unread')
})

t.test('only what was there when the page was opened is marked as read', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await limitAcme(petra, { cores: '4' })
  const open = await stella.open('/notifications')
  await limitAcme(petra, { cores: '5' })
  await stella.press(open, 'Mark all as read')
  t.match(linesOn(await stella.open('/notifications')), [{ unread: true }, { unread: false }])
  t.match(linesOn(await stella.open('/notifications?state=unread')), [{ detail: 'Cores: 4 → 5' }])
})

t.test('projects, roles and invitations are told to the person and to the sender', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  await stella.submit('/projects/shop', 'Give access', { people: String(userId(panel, 'tom')), role: 'reader' })
  await stella.submit('/projects/shop', 'Save', { role: 'user' }, 'Tom')
  await stella.submit('/projects/shop', 'Remove', {}, 'Tom')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'Tom')
  t.match(linesOn(await tom.open('/notifications')), [
    { words: 'Stella changed your role in Acme', detail: 'Customer User → Customer Admin' },
    { words: 'Stella removed you from Shop in Acme', href: '/projects?account=acme' },
    { words: 'Stella changed your role in Shop in Acme', detail: 'Project Reader → Project User' },
    { words: 'Stella gave you access to Shop in Acme', href: '/projects/shop?account=acme' },
  ])

  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  await stella.submit('/customer/users', 'Invite', { name: 'Late Lea', email: 'lea@acme.example' })
  await stella.submit('/customer/users', 'Invite', { name: 'Carl', email: 'carl@acme.example' })
  const nils = await panel.signIn('nils')
  await nils.submit('/', 'Accept', {}, 'Acme')
  await tom.submit('/customer/users', 'Cancel', {}, 'carl@acme.example')
  panel.pass(8 * day)
  await workOnce(panel)
  await workOnce(panel)
  t.same(await wordsOf(await panel.signIn('stella')), [
    'Your invitation to Late Lea to join Acme has expired',
    'Tom cancelled your invitation to Carl to join Acme',
    'Nils accepted your invitation to Acme',
  ])
  t.match((await (await panel.signIn('stella')).open('/customer/history')).text, /let the invitation of .* expire/)
})

t.test('whoever leaves an account, or no longer looks after it, reads nothing of it any more', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, tom, olga] = [
    await panel.signIn('petra'),
    await panel.signIn('stella'),
    await panel.signIn('tom'),
    await panel.signIn('olga'),
  ]
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'Tom')
  await limitAcme(petra, { cores: '4' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
  t.equal(unreadIn(await tom.open('/')), '2')
  t.same(await wordsOf(petra), ['Stella asks for more quota for Acme'])

  await stella.submit('/customer/users', 'Save', { role: 'member' }, 'Tom')
  t.same(await wordsOf(tom), ['Stella changed your role in Acme', 'Stella changed your role in Acme'])
  t.equal(unreadIn(await tom.open('/')), '2', 'what an admin may know is not counted')

  await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Abuse' })
  t.same(await wordsOf(petra), ['Olga suspended Cloudhaus'], 'the tie sleeps with the partner')
  await olga.submit('/support/accounts', 'Resume', {}, 'cloudhaus')
  t.match(await wordsOf(petra), [
    'Olga resumed Cloudhaus',
    'Olga suspended Cloudhaus',
    'Stella asks for more quota for Acme',
  ])

  await stella.submit(there((await stella.get('/customer/users')).link('Remove', 'Tom')), 'Remove Tom')
  t.same(
    linesOn(await tom.open('/notifications')).map(({ words, href }) => [words, href]),
    [['Stella removed you from Acme', undefined]],
  )
  t.equal(unreadIn(await tom.open('/')), '1')

  await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'rival' })
  t.match(await wordsOf(petra), ['Acme (acme) is no longer your customer', 'Olga resumed Cloudhaus', /suspended/])
  t.notMatch((await petra.open('/notifications?download=csv')).body, 'Stella')
  t.match(await wordsOf(await panel.signIn('riva')), ['Acme (acme) is your customer now'])
  t.match(await wordsOf(stella), ['Acme is now looked after by Rival'])
})

t.test('a name is shown as it was: what it becomes later is not for those who left', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  await stella.submit(there((await stella.get('/customer/users')).link('Remove', 'Tom')), 'Remove Tom')
  await stella.submit('/customer/account', 'Save name', { name: 'Secret Merger' })
  t.same(await wordsOf(tom), ['Stella removed you from Acme'])
})

t.test('the log-in: each change is told to its user, whoever made it, and to no partner', async (t) => {
  const panel = await startApp(t)
  const [petra, ines] = [await panel.signIn('petra'), await panel.signIn('ines')]
  const page = await petra.open('/partner/customers/initech/users')
  await petra.submit(there(page.link('Help', 'Ines')), 'Send password link')
  t.match(linesOn(await ines.open('/notifications')), [
    { words: 'Petra sent you a link to choose a new password', side: 'Cloudhaus', href: '/profile' },
  ])
  t.same(await wordsOf(petra), [])
  t.notMatch((await ines.open('/notifications')).body, /127\.0\.0\.1/, 'no network address is shown')
})

t.test('by e-mail at once, once a day, or not at all, as each person chooses', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  const choices = await stella.open('/profile/notifications')
  t.equal(choices.root.querySelectorAll('select').length, 10)
  t.match(choices.text, /Security of your login.*You need to know at once.*Always at once/)

  await limitAcme(petra, { cores: '4' })
  const [first] = mailsTo(panel, 'stella')
  t.equal(first?.subject, 'The limits of Acme changed')
  t.match(first?.text, /You get this because you are Customer Admin of Acme\. +Change what you are told/)
  t.match(first?.html, 'You get this because you are Customer Admin of Acme.')
  t.equal(linkIn(first?.html, publicUrl, '/profile/notifications'), '/profile/notifications')

  const saved = await stella.submitAndFollow('/profile/notifications', 'Save changes', { 'mail-limits': 'daily' })
  t.match(saved.notice, 'Your e-mail notifications were changed.')
  t.equal(saved.root.querySelector('#mail-limits option[selected]')?.getAttribute('value'), 'daily')
  await limitAcme(petra, { cores: '5' })
  await stella.submit('/profile/notifications', 'Save changes', { 'mail-limits': 'off' })
  await limitAcme(petra, { cores: '6' })
  await isWritten(panel)
  t.equal(mailsTo(panel, 'stella').length, 1, 'neither is e-mailed at once')
  t.match(await wordsOf(stella), Array(3).fill('Petra changed the limits of Acme'), 'the page has all of them')

  await stella.submit('/profile/notifications', 'Save changes', { 'mail-limits': 'daily' })
  panel.pass(day)
  await workOnce(panel)
  const [summary, ...others] = mailsTo(panel, 'stella')
  t.equal(others.length, 1)
  t.match(summary, { subject: 'Your daily summary: Petra changed the limits of Acme', priority: 2, reason: 'user' })
  t.match(summary?.text, 'Cores: 4 → 5')
  t.notMatch(summary?.text, 'Cores: 5 → 6', 'what was off then stays off')
  t.match(summary?.text, 'You get this because you are Customer Admin of Acme.')

  panel.pass(day)
  await workOnce(panel)
  t.equal(mailsTo(panel, 'stella').length, 2, 'without news there is no summary')
  const again = await panel.signIn('stella')
  const ways = listWays(panel.db, userId(panel, 'stella'))
  const forged = await again.post('/profile/notifications', { 'mail-security': 'off', 'mail-limits': 'off' })
  t.equal(forged.status, 400)
  t.same(listWays(panel.db, userId(panel, 'stella')), ways, 'the e-mails about the log-in cannot be switched off')
})

t.test('each act is one e-mail, whether a letter of its own tells it or the worker', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await limitAcme(petra, { cores: '4' })
  await stella.submit('/customer/quotas', 'Send request', { cores: '8', reason: 'Growth' })
  await petra.submit('/partner/customers/acme/quotas', 'Approve')
  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'Abuse' })
  await isWritten(panel)
  const subjects = (who: CastName) => mailsTo(panel, who).map(({ subject }) => subject)
  t.same(subjects('stella'), ['Acme was suspended', 'More quota for Acme was approved', 'The limits of Acme changed'])
  t.same(subjects('petra'), ['Olga suspended Acme', 'Acme asks for more quota'])
  t.match(mailsTo(panel, 'petra')[0]?.text, 'because you are Partner Admin of Cloudhaus.')
})

t.test('who is told very much at once reads the rest in the daily summary', async (t) => {
  const panel = await startApp(t)
  const tom = userId(panel, 'tom')
  const { db, app } = panel
  for (let n = 0; n < 8; n++) {
    record(db, atCommandLine(app.now()), {
      kind: 'access.given',
      accountId: accountId(panel, 'acme'),
      userId: tom,
      change: { role: [null, 'reader'] },
    })
    await isWritten(panel)
  }
  t.equal(mailsTo(panel, 'tom').length, 5)
  panel.pass(day)
  await workOnce(panel)
  t.match(mailsTo(panel, 'tom')[0]?.subject, 'Your daily summary: 3 notifications')
})

t.test('no amount of other news keeps an e-mail about the login waiting, or out of sight', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const tell = (kind: RecordKind) =>
    record(db, atCommandLine(app.now()), { kind, accountId: accountId(panel, 'acme'), userId: userId(panel, 'tom') })
  for (let n = 0; n < 8; n++) {
    tell('access.given')
    await isWritten(panel)
  }
  const kinds = ['token.created', 'token.rotated', 'user.recovery-code-used', 'user.data-downloaded'] as const
  for (const [n, kind] of kinds.entries()) {
    tell('access.removed')
    tell(kind)
    await isWritten(panel)
    t.equal(mailsTo(panel, 'tom').length, 6 + n, kind)
    t.notMatch(mailsTo(panel, 'tom')[0]?.text, 'removed you', 'the rest waits')
  }
  t.match(mailsTo(panel, 'tom')[2]?.subject, 'Your API token for Acme was replaced')
  t.equal(db.select().from(notifications).where(eq(notifications.mail, 'daily')).all().length, 7)

  panel.pass(day)
  await workOnce(panel)
  const summary = mailsTo(panel, 'tom')[0]
  t.match(summary?.subject, 'Your daily summary: 7 notifications')
  tell('user.recovery-code-used')
  for (let n = 0; n < 600; n++) tell('access.given')
  await isWritten(panel)
  t.match(mailsTo(panel, 'tom')[0]?.text, 'A recovery code was used to log in as you')
})

t.test('an e-mail has the times and numbers of its reader, not those of who did it', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await petra.submit('/profile', 'Save display', { timeZone: 'America/Los_Angeles', numbers: 'point' })
  await stella.submit('/profile', 'Save display', { timeZone: 'Asia/Tokyo', numbers: 'space' })
  await limitAcme(petra, { cores: '10000' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '8000' })
  await stella.submit('/projects/shop', 'Give access', { people: String(userId(panel, 'tom')), role: 'reader' })
  await isWritten(panel)
  t.match(mailsTo(panel, 'petra')[0]?.text, /8\.000 of 10\.000 · .* GMT-[78]/)
  t.match(mailsTo(panel, 'tom')[0]?.text, / UTC/, 'who has chosen nothing gets UTC')
})

t.test('a summary is written once a day, across restarts, and what was read is not in it', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await stella.submit('/profile/notifications', 'Save changes', { 'mail-limits': 'daily' })
  await limitAcme(petra, { cores: '4' })
  await stella.submit('/notifications', 'Mark all as read')
  panel.pass(day)
  await workOnce(panel)
  t.same(mailsTo(panel, 'stella'), [], 'an empty summary is not sent')

  await limitAcme(await panel.signIn('petra'), { cores: '5' })
  await workOnce(panel)
  t.same(mailsTo(panel, 'stella'), [], 'it waits for the next morning')
  panel.pass(day)
  await Promise.all([workOnce(panel), workOnce(panel)])
  t.equal(mailsTo(panel, 'stella').length, 1)
})

t.test(
  'the summary comes in the reader’s morning, also where the clocks change and where the zone is unknown',
  async (t) => {
    const utc = (text: string) => Date.parse(`${text}Z`)
    for (const [zone, at, morning] of [
      ['', '2026-01-02T06:59', '2026-01-01T07:00'],
      ['', '2026-01-02T07:00', '2026-01-02T07:00'],
      ['Mars/Olympus', '2026-01-02T07:00', '2026-01-02T07:00'],
      ['Europe/Berlin', '2026-01-02T05:59', '2026-01-01T06:00'],
      ['Europe/Berlin', '2026-01-02T06:00', '2026-01-02T06:00'],
      // From winter to summer time on 29 March, and back on 25 October.
      ['Europe/Berlin', '2026-03-29T04:59', '2026-03-28T06:00'],
      ['Europe/Berlin', '2026-03-29T05:00', '2026-03-29T05:00'],
      ['Europe/Berlin', '2026-10-25T05:59', '2026-10-24T05:00'],
      ['Europe/Berlin', '2026-10-25T06:00', '2026-10-25T06:00'],
      ['Asia/Kathmandu', '2026-01-02T01:15', '2026-01-02T01:15'],
      ['Pacific/Kiritimati', '2026-01-02T16:59', '2026-01-01T17:00'],
      ['America/Los_Angeles', '2026-01-02T14:59:59.999', '2026-01-01T15:00'],
      ['Pacific/Apia', '2011-12-31T00:00', '2011-12-30T17:00'],
    ] as const)
      t.equal(new Date(lastMorning(utc(at), zone)).toISOString(), `${morning}:00.000Z`, `${zone} at ${at}`)

    const panel = await startApp(t)
    const { db, app } = panel
    // It is 10:00 UTC.
    panel.jump(day - (app.now() % day) + 10 * 3_600_000)
    db.update(users)
      .set({ timeZone: 'America/Los_Angeles' })
      .where(eq(users.id, userId(panel, 'tom')))
      .run()
    for (const who of ['tom', 'ines'] as const)
      record(db, atCommandLine(app.now()), { kind: 'user.recovery-code-used', userId: userId(panel, who) })
    db.update(notifications).set({ mail: 'daily' }).run()
    const worker = startNotificationWorker(app, app.mailContext)
    t.teardown(() => worker.stop())
    panel.pass(4 * 3_600_000)
    worker.wake()
    await workOnce(panel)
    t.same([mailsTo(panel, 'tom').length, mailsTo(panel, 'ines').length], [0, 0])
    panel.pass(3_600_000)
    worker.wake()
    await until('Tom has it', () => mailsTo(panel, 'tom').length === 1)
    t.same(mailsTo(panel, 'ines'), [], 'her morning has not come')
    panel.pass(16 * 3_600_000)
    worker.wake()
    await until('Ines has it', () => mailsTo(panel, 'ines').length === 1)
    t.equal(mailsTo(panel, 'tom').length, 1)
  },
)

t.test('nothing is written while the clock cannot be right, and one reader does not hold up others', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  for (const who of ['tom', 'ines'] as const)
    record(db, atCommandLine(app.now()), { kind: 'user.recovery-code-used', userId: userId(panel, who) })
  db.update(notifications).set({ mail: 'daily' }).run()
  panel.jump(400 * day)
  await workOnce(panel)
  t.same(mailsTo(panel, 'tom'), [])
  panel.jump(-400 * day)
  panel.pass(day)
  const broken: typeof app.mailContext.post = (tx, at, letter) => {
    if (letter.email === cast.tom.email) throw new Error('It cannot be rendered')
    return app.mailContext.post(tx, at, letter)
  }
  const worker = startNotificationWorker(app, { ...app.mailContext, post: broken })
  worker.wake()
  await until('the other is written', () => mailsTo(panel, 'ines').length === 1)
  await worker.stop()
  t.match(app.setAside.words(), ['An e-mail with notifications was set aside: It cannot be rendered.'])
  await workOnce(panel)
  t.equal(mailsTo(panel, 'tom').length, 1, 'it is tried again after a restart')
})

t.test('80 and 100 per cent of a limit are told once each, and again after it fell below or changed', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  const give = (cores: string) => stella.submit('/projects/website', 'Save quotas', { cores })
  const told = async (client: Client) =>
    linesOn(await client.open('/notifications'))
      .filter(({ words }) => words.startsWith('Acme '))
      .map(({ words, detail }) => `${words}: ${detail}`)
  await limitAcme(petra, { cores: '10' })
  await give('7')
  t.same(await told(petra), [])
  await give('8')
  t.same(await told(petra), ['Acme has used 80 % of its limit for Cores: 8 of 10'])
  await give('9')
  t.equal((await told(petra)).length, 1, 'it is told once')
  await give('10')
  t.same((await told(petra))[0], 'Acme has used up its limit for Cores: 10 of 10')
  t.same(await told(stella), await told(petra), 'the customer’s admins read the same')
  await give('9')
  t.equal((await told(petra)).length, 2, 'falling is no news')
  await give('10')
  t.equal((await told(petra)).length, 3, 'it was below in between')
  await limitAcme(petra, { cores: '20' })
  t.equal((await told(petra)).length, 3)
  await limitAcme(petra, { cores: '10' })
  t.equal((await told(petra)).length, 4, 'the limit changed')
  await isWritten(panel)
  t.match(
    mailsTo(panel, 'petra').map(({ subject }) => subject),
    [/used up|\d new/],
    'e-mailed at once',
  )
  t.match((await stella.open('/')).text, /Cores: limit used up 10 of 10/)

  await limitAcme(petra, { cores: '', projects: '2' })
  t.same((await told(petra))[0], 'Acme has used up its limit for Projects: 2 of 2')
  await stella.submit('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  await stella.submit('/projects', 'Create project', { name: 'Third', identifier: 'third' })
  t.equal((await told(petra)).filter((line) => line.includes('Projects')).length, 2)
})

t.test('an account with very many admins tells a bounded number of them', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const by = atCommandLine(app.now())
  const acme = accountId(panel, 'acme')
  write(db, by, (tx) => {
    for (let n = 0; n < 250; n++) {
      const email = `admin${n}@acme.example`
      const user = there(createUser(tx, by, { name: `Admin ${n}`, email, passwordHash: '', emailProved: true }))
      addMember(tx, by, { accountId: acme, userId: user.id, role: 'admin' }, 'member.joined')
    }
  })
  record(db, by, { kind: 'account.restored', accountId: acme })
  const told = db.select().from(notifications).where(eq(notifications.audience, 'admins')).all()
  t.equal(told.length, 200)
})

t.test('lines go after 90 days, and with the person', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const tom = userId(panel, 'tom')
  const tell = () => record(db, atCommandLine(app.now()), { kind: 'user.sessions-ended', userId: tom })
  const count = (id: UserId) => db.select().from(notifications).where(eq(notifications.userId, id)).all().length
  tell()
  panel.pass(linesKept + day)
  tell()
  deleteOld(db, app.now())
  t.equal(count(tom), 1)
  for (let n = 0; n < mostOfReader + 5; n++) tell()
  for (let after: number | undefined = 0; after !== undefined; ) after = trimReaders(db, app.now(), after)
  t.equal(count(tom), mostOfReader)
  t.equal(unreadIn(await (await panel.signIn('tom')).open('/')), '99+')

  const by = { ...atCommandLine(app.now()), userId: tom, accountId: accountId(panel, 'acme') }
  createApiToken(db, by, by.accountId, { name: 'CI', scopes: ['history:read'], networks: [], days: 1 })
  const olga = await panel.signIn('olga')
  await olga.submit(`/support/users/${tom}/removal`, 'Delete Tom', { email: cast.tom.email })
  t.ok(there(db.select().from(users).where(eq(users.id, tom)).get()).deletedAt)
  t.equal(count(tom), 0)
})

t.test('an e-mail that waits goes unsent when its reader leaves, and what else it told is written anew', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const [tom, at] = [userId(panel, 'tom'), app.now()]
  const by = atCommandLine(at)
  const acme = accountId(panel, 'acme')
  record(db, by, { kind: 'access.given', accountId: acme, userId: tom, change: { role: [null, 'reader'] } })
  record(db, by, { kind: 'user.recovery-code-used', userId: tom })
  await isWritten(panel)
  const mail = await until('it is kept', () => mailsTo(panel, 'tom').find(({ state }) => state === 'kept'))
  t.equal(mail.subject, '2 new notifications')
  db.update(letters)
    .set({ state: 'waiting', dueAt: at + day })
    .where(eq(letters.id, mail.id))
    .run()
  const stella = await panel.signIn('stella')
  await stella.submit(there((await stella.get('/customer/users')).link('Remove', 'Tom')), 'Remove Tom')
  const withdrawn = mailsTo(panel, 'tom').find(({ id }) => id === mail.id)
  t.match(withdrawn, { state: 'withdrawn', error: /may no longer read all of it/ })
  await workOnce(panel)
  t.match(textsTo(panel, 'tom')[0], 'A recovery code was used', 'what is about the login comes at once')
  t.notMatch(textsTo(panel, 'tom')[0], 'gave you access')
})

/** What withdraws an e-mail to Tom that names Stella and tells what only an admin may know. */
const withdrawals: Record<string, (panel: Panel, letterId: number) => Promise<unknown>> = {
  'its reader is no admin any more when it is due': async (panel) => {
    await (await panel.signIn('stella')).submit('/customer/users', 'Save', { role: 'member' }, 'Tom')
    panel.app.wakeMail()
  },
  'its reader is no admin any more when Support sends it again': async (panel, id) => {
    panel.db.update(letters).set({ state: 'failed' }).where(eq(letters.id, id)).run()
    await (await panel.signIn('stella')).submit('/customer/users', 'Save', { role: 'member' }, 'Tom')
    const olga = await panel.signIn('olga')
    await olga.press(await olga.open('/support/mail?state=failed'), 'Send again')
  },
  'whom it names is deleted': async (panel) => {
    const olga = await panel.signIn('olga')
    await olga.submit(`/support/users/${userId(panel, 'stella')}/removal`, 'Delete Stella', {
      email: cast.stella.email,
    })
  },
  'an account of which it tells is purged': async (panel) => {
    const { db, app } = panel
    const id = accountId(panel, 'acme')
    const deleted = { deletedAt: 1, deletedBy: userId(panel, 'olga') }
    db.update(projects).set(deleted).where(eq(projects.accountId, id)).run()
    db.update(accounts).set(deleted).where(eq(accounts.id, id)).run()
    while (purgeAccount(db, app.now(), id, { removeFiles: () => {} })) {}
  },
}

for (const [why, withdraw] of Object.entries(withdrawals))
  t.test(`what an e-mail told is told anew where ${why}`, async (t) => {
    const panel = await startApp(t)
    const { db, app } = panel
    const [tom, acme] = [userId(panel, 'tom'), accountId(panel, 'acme')]
    await (await panel.signIn('stella')).submit('/customer/users', 'Save', { role: 'admin' }, 'Tom')
    const by = atCommandLine(app.now())
    write(db, by, (tx) => {
      const stella = { ...by, userId: userId(panel, 'stella'), accountId: acme }
      record(tx, stella, { kind: 'access.given', accountId: acme, userId: tom, change: { role: [null, 'reader'] } })
      record(tx, by, { kind: 'account.restored', accountId: acme })
      record(tx, by, { kind: 'user.recovery-code-used', userId: tom })
    })
    await isWritten(panel)
    const { id } = await until('it is kept', () =>
      mailsTo(panel, 'tom').find(({ subject, state }) => subject === '3 new notifications' && state === 'kept'),
    )
    db.update(letters).set({ state: 'waiting', dueAt: app.now() }).where(eq(letters.id, id)).run()
    await withdraw(panel, id)
    await until('it is withdrawn', () =>
      mailsTo(panel, 'tom').every((mail) => mail.id !== id || mail.state === 'withdrawn'),
    )
    await workOnce(panel)
    const [text] = textsTo(panel, 'tom')
    t.match(text, 'A recovery code was used')
    t.notMatch(text, /restored Acme|Stella/)
    panel.pass(day)
    await workOnce(panel)
    const summaries = mailsTo(panel, 'tom').filter(({ subject }) => subject.startsWith('Your daily summary'))
    t.equal(summaries.length, why.includes('purged') ? 0 : 1, 'the rest comes with the summary')
  })
