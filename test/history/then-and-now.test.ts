import t from 'tap'
import { records } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Client, type Page, startApp, userId } from '../harness.ts'

// A history says who acted for which side by the record, never by a name, and names people as they were and as they are.

const history = '/customer/history'

type Row = { who: string; side: string; from: string; what: string; ip: string; text: string }

/** The rows of a history as their markup tells them: a badge is an element, which no name can be. */
function rowsOf(page: Page): Row[] {
  const clean = (text: string | undefined) => (text ?? '').replace(/\s+/g, ' ').trim()
  return page.root.querySelectorAll('main .log > li').map((row) => {
    const part = (name: string) => clean(row.querySelector(name)?.textContent)
    return {
      who: part('.by > b, .by > .muted'),
      side: part('.by > .badge'),
      from: part('.by > .side').replace(/^of /, ''),
      what: part('.what'),
      ip: part('.from'),
      text: clean(row.textContent),
    }
  })
}

const rename = (client: Client, name: string) => client.submit('/profile', 'Save name', { name })
const renameAccount = (client: Client, name: string) =>
  client.submit('/customer/account?account=cloudhaus', 'Save name', { name })
const addMyself = (petra: Client) => petra.submit('/partner/customers/acme/users?account=cloudhaus', 'Add Myself')

t.test('a partner that takes the names of Support is still shown as the partner', async (t) => {
  const panel = await startApp(t)
  const [petra, olga, stella] = [await panel.signIn('petra'), await panel.signIn('olga'), await panel.signIn('stella')]
  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'X' })
  await olga.submit('/support/accounts', 'Resume', {}, 'acme')
  await renameAccount(petra, 'Helpers')
  await rename(petra, 'Olga')
  await addMyself(petra)
  const rows = rowsOf(await stella.get(history))
  const own = rows.find(({ what }) => what.startsWith('added themselves'))
  t.match(own, { who: 'Olga', side: 'Partner', from: 'Helpers' })
  const support = rows.find(({ what }) => what.startsWith('resumed'))
  t.match(support, { who: 'Olga', side: 'Support', from: '' })
  t.match(
    rows.find(({ what }) => what.startsWith('created the project')),
    { who: 'Stella', side: '', from: '' },
  )
  const file = (await stella.get(`${history}?download=csv`)).body
  t.match(file, /,Olga,Olga,Partner,Helpers,added themselves/)
  t.match(file, /,Olga,Olga,Support,,resumed the account/)
})

t.test('a person and an account are named as they were, and as they are now', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await addMyself(petra)
  await rename(petra, 'Olga')
  await renameAccount(petra, 'Helpers')
  await petra.submit('/partner/customers/acme/users?account=cloudhaus', 'Remove Myself')
  await rename(petra, 'Pia')
  await renameAccount(petra, 'Cloudhaus')
  await stella.submit('/projects/website', 'Rename', { name: 'Site' })

  const rows = rowsOf(await stella.get(history))
  const of = (what: string) => rows.find((row) => row.what.startsWith(what))
  t.match(of('added themselves'), { who: 'Petra (now: Pia)', from: 'Cloudhaus' })
  t.match(of('removed themselves'), { who: 'Olga (now: Pia)', from: 'Helpers (now: Cloudhaus)' })
  t.equal(rows[0]?.what, 'renamed the project Website to Site')
  t.ok(rows.some(({ what }) => what === 'created the project Website (now: Site) (website)'))
  const all = rowsOf(await olga.get('/support/history'))
  t.match(
    all.find(({ what }) => what.startsWith('removed themselves')),
    { who: 'Olga (now: Pia)', from: 'Helpers (now: Cloudhaus)' },
  )
  t.ok((await olga.get('/support/history')).text.includes('Helpers (now: Cloudhaus)'))
  await petra.switchTo('cloudhaus')
  t.match(
    rowsOf(await petra.get('/partner/history')).find(({ what }) => what.startsWith('added')),
    { who: 'Petra (now: Pia)', side: '' },
    'in the partner’s own history all are its people',
  )
})

t.test('a rename is in every history that it affects, and in no other', async (t) => {
  const panel = await startApp(t)
  const [petra, max, nils, stella, uma, dora, olga] = [
    await panel.signIn('petra'),
    await panel.signIn('max'),
    await panel.signIn('nils'),
    await panel.signIn('stella'),
    await panel.signIn('uma'),
    await panel.signIn('dora'),
    await panel.signIn('olga'),
  ]
  await rename(nils, 'Nelson')
  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  await nils.submit('/', 'Accept')
  await rename(nils, 'Norbert')
  await addMyself(petra)
  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'X' })
  await olga.submit('/support/accounts', 'Resume', {}, 'acme')
  await rename(petra, 'Olga')
  await rename(olga, 'Petra')
  await rename(max, 'Moritz')
  await renameAccount(petra, 'Helpers')

  const renames = (page: Page) =>
    rowsOf(page).filter(({ what }) => /^changed (?:its|their) name|^renamed (?:the account|Cloudhaus) to/.test(what))
  const acme = renames(await stella.get(history))
  t.same(
    acme.map(({ what }) => what),
    [
      'changed its name from Cloudhaus to Helpers',
      'changed their name to Petra (was Olga)',
      'changed their name to Olga (was Petra)',
      'changed their name to Norbert (was Nelson)',
    ],
    'Nils’ earlier name, and Max, who never acted here, are not revealed',
  )
  const [account, ofOlga, ofPetra, ofNils] = acme
  t.match(account, { who: '', side: 'Partner', from: 'Cloudhaus (now: Helpers)' })
  t.match(ofOlga, { who: 'Olga (now: Petra)', side: 'Support', from: '' })
  t.match(ofPetra, { who: 'Petra (now: Olga)', side: 'Partner' })
  t.match(ofNils, { who: 'Nelson (now: Norbert)', side: '', from: '' })
  for (const row of acme) t.equal(row.ip, '', 'from where is not told')

  for (const other of [uma, dora]) t.same(renames(await other.get(history)), [])
  const cloudhaus = renames(await petra.get(history))
  t.same(
    cloudhaus.map(({ what }) => what),
    [
      'renamed the account to Helpers (was Cloudhaus)',
      'changed their name to Moritz (was Max)',
      'changed their name to Olga (was Petra)',
    ],
  )
  t.equal(renames(await olga.get('/support/history')).length, 6, 'Support reads each once')
})

t.test('renames are paged, counted, searched and narrowed down with the rest', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const acme = accountId(panel, 'acme')
  const by = userId(panel, 'stella')
  const addRecords = (n: number) => {
    for (let one = 0; one < n; one++)
      panel.db
        .insert(records)
        .values({
          at: panel.app.now(),
          kind: 'account.renamed',
          accountId: acme,
          actorId: by,
          actorAccountId: acme,
          bySupport: false,
          change: '{}',
        })
        .run()
  }
  for (let n = 0; n < 30; n++) {
    addRecords(n % 4)
    await rename(stella, `Stella ${n}`)
  }
  addRecords(27)
  const first = await stella.get(history)
  const total = Number(/(\d+) records/.exec(first.text)?.[1])
  const there: string[] = []
  let page = first
  for (;;) {
    there.push(...rowsOf(page).map(({ text }) => text))
    const next = page.link('Next')
    if (!next) break
    page = await stella.open(next)
  }
  t.equal(there.length, total)
  t.equal(there.filter((text) => text.includes('changed their name')).length, 30)
  const back = rowsOf(page).map(({ text }) => text)
  for (let previous = page.link('Previous'); previous; previous = page.link('Previous')) {
    page = await stella.open(previous)
    back.unshift(...rowsOf(page).map(({ text }) => text))
  }
  t.same(back, there)
  const download = (await stella.get(`${history}?download=csv`)).body
  t.equal(download.match(/changed the name/g)?.length, 30)

  t.match((await stella.get(`${history}?family=user`)).text, '30 records found')
  t.match((await stella.get(`${history}?family=project`)).text, '2 records found')
  t.match((await stella.get(`${history}?family=user&q=stella+29`)).text, '30 records found')
  t.match((await stella.get(`${history}?family=user&until=2020-01-01`)).text, 'Nothing matches')
})

t.test('the names of a deleted user are gone, then and now', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  await rename(tom, 'Ferdinand')
  await stella.submit('/projects/shop', 'Give access', {
    people: String(userId(panel, 'tom')),
    role: 'reader',
  })
  await rename(tom, 'Theodor')
  t.match((await stella.open(history)).text, /Tom \(now: Theodor\).*/)
  t.match((await stella.open(history)).text, 'Ferdinand (now: Theodor)')
  await tom.submit('/profile/removal', 'Delete my user', { email: cast.tom.email })
  for (const path of [history, `${history}?download=csv`]) {
    const { body } = await stella.open(path)
    t.notMatch(body, /Tom\b|Ferdinand|Theodor/)
    t.match(body, 'Deleted user')
  }
  t.notMatch((await stella.get(history)).text, 'changed the name')
  t.notOk(JSON.stringify(panel.rows()).match(/Ferdinand|Theodor/), 'no row holds them')
})

t.test('the partner of another account is not named as its own', async (t) => {
  const panel = await startApp(t)
  const [stella, riva] = [await panel.signIn('stella'), await panel.signIn('riva')]
  await stella.submit('/customer/users', 'Invite', { name: 'Riva', email: cast.riva.email })
  await riva.submit('/', 'Accept')
  await rename(riva, 'Rita')
  const rows = rowsOf(await stella.get(history))
  t.match(
    rows.find(({ what }) => what.startsWith('accepted')),
    { who: 'Riva (now: Rita)', side: '', from: '' },
  )
  t.match(
    rows.find(({ what }) => what.startsWith('changed their name')),
    { side: '', from: '' },
  )
  t.notMatch((await stella.get(history)).text, /\bRival\b/)
})

t.test('an invitation says in a sentence of its own which side sent it, whatever the inviter is called', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await rename(petra, 'Petra (Acme)')
  await petra.submit('/partner/customers', 'Create customer', { name: 'New', identifier: 'new' })
  await petra.submit('/partner/customers/new/users', 'Invite', { name: 'One', email: 'one@new.example' })
  await stella.submit('/customer/users', 'Invite', { name: 'Two', email: 'two@acme.example' })
  const account = { name: 'Other', identifier: 'other', kind: 'partner', adminName: 'Three' }
  await olga.submit('/support/accounts', 'Create account', { ...account, adminEmail: 'three@other.example' })
  const letterTo = async (email: string) => {
    const list = await olga.get('/support/mail')
    const row = list.root.querySelectorAll('main tbody tr').find((one) => one.text.includes(email))
    return (await olga.get(row?.querySelector('a')?.getAttribute('href') ?? '')).text
  }
  const ofPartner = await letterTo('one@new.example')
  t.match(ofPartner, 'Petra (Acme) invites you to the account New on Meshpanel, as Customer Admin.')
  t.match(ofPartner, 'This invitation comes from the partner account Cloudhaus.')
  t.match(await letterTo('two@acme.example'), 'This invitation comes from the account Acme itself.')
  t.match(
    await letterTo('three@other.example'),
    /Olga invites you to the account Other.*This invitation comes from Support, who operate Meshpanel\./,
  )
})
