import { eq } from 'drizzle-orm'
import t from 'tap'
import type { AccountId, UserId } from '../../src/db/ids.ts'
import {
  accounts,
  invitations,
  limits,
  memberships,
  partnerRequests,
  projectAccess,
  projects,
  quotaRequestAmounts,
  quotaRequests,
  resources,
  sessions,
  users,
} from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Client, type Page, type Panel, startApp, there, userId } from '../harness.ts'

// No page cuts a list silently: the count beside it is the whole one, and the others can be reached.

const many = 30
const cores = 3
const numbers = Array.from({ length: many }, (_, n) => n)

/** Thirty customers of a partner, or direct ones. */
function addAccounts({ db }: Panel, prefix: string, partnerId: AccountId | null): AccountId[] {
  return numbers.map((n) => {
    const identifier = `${prefix}-${n}`
    const values = { kind: 'customer', name: identifier, identifier, search: identifier, partnerId } as const
    return db
      .insert(accounts)
      .values({ ...values, createdAt: n + 1 })
      .returning()
      .get().id
  })
}

function addRequest(
  { db }: Panel,
  accountId: AccountId,
  requestedBy: UserId,
  state: 'open' | 'declined' = 'open',
): void {
  const ended = state === 'open' ? {} : { endedAt: 2, endedBy: requestedBy }
  const values = { accountId, requestedBy, reason: 'Growth', createdAt: 1, state, ...ended }
  const requestId = Number(db.insert(quotaRequests).values(values).run().lastInsertRowid)
  db.insert(quotaRequestAmounts).values({ requestId, resourceId: cores, asked: 8 }).run()
}

/** Reading all pages of a list finds this many rows, none twice. */
async function all(t: Test, client: Client, page: Page, find: RegExp): Promise<void> {
  const found: string[] = []
  let next: string | undefined = page.url
  for (let pages = 0; next !== undefined && pages < 5; pages++) {
    const shown: Page = await client.open(next)
    found.push(...(shown.text.match(find) ?? []))
    next = shown.link('Next')
  }
  t.equal(new Set(found).size, many, [...found].join(' '))
}

type Test = Pick<typeof t, 'equal' | 'match'>

t.test('thirty requests to become a partner are counted, and all can be reached', async (t) => {
  const panel = await startApp(t)
  for (const id of addAccounts(panel, 'asks', null))
    panel.db
      .insert(partnerRequests)
      .values({ accountId: id, requestedBy: userId(panel, 'dora'), createdAt: 1 })
      .run()
  const olga = await panel.signIn('olga')
  t.match((await olga.open('/')).text, '25 more requests to become a partner')
  const page = await olga.open('/support/accounts')
  t.match(page.text, 'Requests to become a partner 30 ')
  const requests = page.root.querySelector('section[aria-labelledby="requests-title"]')
  t.equal(requests?.querySelectorAll('li').length, 25)
  t.match(requests?.textContent, /30 requests/)
  await all(t, olga, page, /asks-\d+(?=: Dora)/g)
  const file = await olga.get('/support/accounts?requests-download=csv')
  t.equal(file.body.trim().split('\r\n').length, many + 1)
})

t.test('thirty requests for more quota are counted for Support, and all can be reached', async (t) => {
  const panel = await startApp(t)
  for (const id of addAccounts(panel, 'asks', null)) addRequest(panel, id, userId(panel, 'dora'))
  const olga = await panel.signIn('olga')
  const home = await olga.open('/')
  const named = home.root.querySelectorAll('.work .name').map((name) => name.text)
  t.equal(named.filter((name) => /asks-\d+ asks for more quota/.test(name)).length, 5)
  const list = await olga.open(home.link('Show 25 more requests for more quota') ?? '')
  t.match(list.text, /Requests for more 30 .*30 open requests/)
  await all(t, olga, list, /asks-\d+(?= asks)/g)
  const file = await olga.get('/support/quotas?download=csv')
  t.match(file.body, /asks-29,asks-29,,cores: 8,Growth,Dora,/)
})

t.test('thirty requests for more quota are counted for a partner, and all can be reached', async (t) => {
  const panel = await startApp(t)
  for (const id of addAccounts(panel, 'asks', accountId(panel, 'cloudhaus')))
    addRequest(panel, id, userId(panel, 'petra'))
  const petra = await panel.signIn('petra')
  const home = await petra.open('/')
  const list = await petra.open(home.link('Show 25 more requests for more quota') ?? '')
  t.match(list.text, /Requests for more 30 .*30 open requests/)
  await all(t, petra, list, /asks-\d+(?= asks)/g)
  t.match((await petra.open('/partner/quotas?q=asks-17')).text, /asks-17 .*1 open request found/)
})

t.test('thirty earlier requests of an account can all be reached', async (t) => {
  const panel = await startApp(t)
  for (const _ of numbers) addRequest(panel, accountId(panel, 'acme'), userId(panel, 'stella'), 'declined')
  panel.db.update(quotaRequests).set({ reason: 'x' }).run()
  for (const { id } of panel.db.select().from(quotaRequests).all())
    panel.db
      .update(quotaRequests)
      .set({ reason: `reason-${id}` })
      .where(eq(quotaRequests.id, id))
      .run()
  const stella = await panel.signIn('stella')
  const page = await stella.open('/customer/quotas')
  t.match(page.text, '30 requests')
  await all(t, stella, page, /reason-\d+/g)
})

t.test('more is asked for any of a hundred and thirty projects, not for another one', async (t) => {
  const panel = await startApp(t)
  const acme = accountId(panel, 'acme')
  for (let n = 100; n < 230; n++) {
    const values = { accountId: acme, name: `P${n}`, identifier: `p-${n}`, search: `p${n}`, createdAt: n }
    const projectId = panel.db.insert(projects).values(values).returning().get().id
    panel.db
      .insert(limits)
      .values({ level: 'project', accountId: acme, projectId, resourceId: cores, amount: 1, remark: '', setAt: 1 })
      .run()
  }
  const stella = await panel.signIn('stella')
  const found = await stella.open('/customer/quotas?q=p229')
  const page = await stella.open(found.link('Ask for more') ?? '')
  t.match(page.text, 'Ask for more for project P229')
  await stella.press(page, 'Send request', { cores: '2', reason: 'X' })
  const asked = panel.db.select().from(quotaRequests).get()
  t.equal(
    panel.db
      .select()
      .from(projects)
      .where(eq(projects.id, there(asked?.projectId)))
      .get()?.identifier,
    'p-229',
  )
})

t.test('thirty invitations are counted on Home, and all can be reached', async (t) => {
  const panel = await startApp(t)
  const at = panel.app.now()
  for (const id of addAccounts(panel, 'invites', null))
    panel.db
      .insert(invitations)
      .values({
        accountId: id,
        email: cast.nils.email,
        emailKey: cast.nils.email,
        name: 'Nils',
        search: 'nils',
        role: 'member',
        invitedBy: userId(panel, 'olga'),
        createdAt: at,
        sentAt: at,
        expiresAt: at + 3_600_000,
      })
      .run()
  const nils = await panel.signIn('nils')
  const home = await nils.open('/')
  t.match(home.text, /Invitations to you 30 .*30 invitations/)
  await all(t, nils, home, /invites-\d+(?= as Customer User)/g)
})

t.test('thirty deleted accounts of a person are counted on Home, and all can be reached', async (t) => {
  const panel = await startApp(t)
  for (const id of addAccounts(panel, 'gone', null)) {
    panel.db
      .insert(memberships)
      .values({ accountId: id, userId: userId(panel, 'nils'), role: 'member', createdAt: 1, lastUsedAt: id })
      .run()
    panel.db.update(accounts).set({ deletedAt: panel.app.now() }).where(eq(accounts.id, id)).run()
  }
  const nils = await panel.signIn('nils')
  const home = await nils.open('/')
  t.match(home.text, '30 deleted accounts')
  await all(t, nils, home, /gone-\d+(?=, an account of yours, was deleted)/g)
})

t.test('sixty sessions are counted on the profile, and all can be reached', async (t) => {
  const panel = await startApp(t)
  const at = panel.app.now()
  for (let n = 0; n < 59; n++)
    panel.db
      .insert(sessions)
      .values({
        hash: `hash-${n}`,
        userId: userId(panel, 'tom'),
        createdAt: at,
        lastSeenAt: at,
        secondFactor: false,
        provedAt: at,
        ip: `192.0.2.${n + 100}`,
        browser: 'X',
      })
      .run()
  const tom = await panel.signIn('tom')
  const page = await tom.open('/profile')
  t.match(page.text, /My sessions 60 .*60 sessions/)
  const second = await tom.open(page.link('Next', 'My sessions') ?? '')
  const third = await tom.open(second.link('Next', 'My sessions') ?? '')
  const found = [page, second, third].flatMap(({ text }) => text.match(/192\.0\.2\.\d+/g) ?? [])
  t.equal(new Set(found).size, 59)
})

t.test('an account’s page says how many admins it does not name', async (t) => {
  const panel = await startApp(t)
  for (const n of numbers) {
    const email = `admin${n}@acme.example`
    const values = { email, emailKey: email, name: `Admin ${n}`, search: `admin ${n}`, passwordHash: '', createdAt: 1 }
    const id = panel.db.insert(users).values(values).returning().get().id
    panel.db
      .insert(memberships)
      .values({ accountId: accountId(panel, 'acme'), userId: id, role: 'admin', createdAt: 1, lastUsedAt: 1 })
      .run()
  }
  const tom = await panel.signIn('tom')
  const page = await tom.open('/customer/account')
  t.match(page.text, 'and 28 more')
  const list = await tom.open(page.link('28 more') ?? '')
  t.match(list.text, '31 users found')
})

t.test('thirty of what is in a project are counted on Home, with a way to all', async (t) => {
  const panel = await startApp(t)
  const acme = accountId(panel, 'acme')
  const tomId = userId(panel, 'tom')
  for (const n of numbers) {
    const values = { accountId: acme, name: `P${n}`, identifier: `p-${n}`, search: `p${n}`, createdAt: n }
    const projectId = panel.db.insert(projects).values(values).returning().get().id
    panel.db
      .insert(projectAccess)
      .values({ accountId: acme, projectId, userId: tomId, role: 'user', createdAt: 1 })
      .run()
  }
  const home = await (await panel.signIn('tom')).open('/')
  t.match(home.text, 'My projects in Acme 31 ')
  t.equal(home.link('All projects'), '/projects')
})

t.test('the resources of this file are what it takes them for', async (t) => {
  const panel = await startApp(t)
  t.equal(panel.db.select().from(resources).where(eq(resources.id, cores)).get()?.key, 'cores')
})
