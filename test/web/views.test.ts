import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { type Page, publicUrl, startApp } from '../harness.ts'
import { hearPrepared, planOf, sqlite } from '../plans.ts'

/** The tabs of a list: label and number, and the one that is shown. */
const tabsOf = (page: Page) =>
  page.root.querySelectorAll('nav[aria-label="Views"] a').map((tab) => tab.text.replaceAll(/\s+/g, ' ').trim())
const shown = (page: Page) => page.root.querySelector('nav[aria-label="Views"] [aria-current]')?.text.trim()
const tab = (page: Page, label: string) =>
  page.root
    .querySelectorAll('nav[aria-label="Views"] a')
    .find(({ text }) => text.startsWith(label))
    ?.getAttribute('href') ?? ''

t.test('the views of customers count what they show, at once after an act', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Empty', identifier: 'empty' })
  const before = await petra.get('/partner/customers')
  t.same(tabsOf(before), ['All 3', 'Near a limit 0', 'Over a limit 0', 'No admin 1', 'Suspended 0'])
  t.match(shown(before), /^All/)

  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Unpaid' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '1' })
  const after = await petra.get('/partner/customers?sort=name')
  t.same(tabsOf(after), ['All 3', 'Near a limit 0', 'Over a limit 1', 'No admin 1', 'Suspended 1'])
  for (const [label, name] of [
    ['Over a limit', 'Acme'],
    ['No admin', 'Empty'],
    ['Suspended', 'Acme'],
  ] as const) {
    const page = await petra.get(tab(after, label))
    t.match(tab(after, label), 'sort=name', 'the sort stays')
    t.match(shown(page), label)
    t.match(page.text, '1 customer found')
    t.match(page.row(name), name)
  }
  t.equal(
    shown(await petra.get('/partner/customers?limits=over&status=active')),
    undefined,
    'other filters are no view',
  )
  panel.db.update(accounts).set({ createdAt: 1 }).where(eq(accounts.identifier, 'empty')).run()
  panel.pass(61_000)
  t.match(
    tabsOf(await petra.get('/partner/customers')).join(),
    'Idle 90 days 1',
    'a rare need has a tab while there is one',
  )
  t.match(
    tabsOf(await (await panel.signIn('riva')).get('/partner/customers')).join(),
    /^All 1,/,
    'another partner counts its own',
  )
})

t.test('the views of users count them by role, and lead to the invitations', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  t.same(tabsOf(await stella.get('/customer/users')), ['All 2', 'Admins 1', 'Users 1', 'No second factor'])
  await stella.submit('/customer/users', 'Invite', { name: 'Guest', email: 'guest@acme.example' })
  const page = await stella.get('/customer/users')
  t.same(tabsOf(page), ['All 2', 'Admins 1', 'Users 1', 'No second factor', 'Invited 1'])
  t.ok(page.root.querySelector(tab(page, 'Invited').replace(/^[^#]*/, '')))
  const admins = await stella.get(tab(page, 'Admins'))
  t.match(shown(admins), 'Admins')
  t.match(admins.text, '1 user found')
})

t.test('headings sort a list, once and back, and say how it is sorted', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const names = (page: Page) => page.root.querySelectorAll('tbody bdi').map(({ text }) => text)
  const first = await petra.get('/partner/customers?status=active')
  t.match(first.root.querySelector('th[aria-sort="descending"]')?.text, 'Created')
  const byName = await petra.get(first.link('Name') ?? '')
  t.same(names(byName), ['Acme', 'Initech'])
  t.match(byName.root.querySelector('th[aria-sort="ascending"]')?.text, 'Name')
  t.match(first.link('Name'), 'status=active', 'the filter stays')
  const back = await petra.get(byName.link('Name') ?? '')
  t.same(names(back), ['Initech', 'Acme'])
  t.equal(back.root.querySelectorAll('th[aria-sort]').length, 1)
  const oldest = await petra.get(first.link('Created') ?? '')
  t.same(names(oldest), names(first).toReversed())
})

t.test('a partner sees the users of a customer by role, and the list as it was chosen last', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const path = '/partner/customers/acme/users'
  const page = await petra.get(path)
  t.same(tabsOf(page), ['All 2', 'Admins 1', 'Users 1'])
  const admins = await petra.get(tab(page, 'Admins'), {
    referer: publicUrl + path,
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
  })
  t.match(admins.row('Stella'), 'Customer Admin')
  t.equal(admins.row('Tom'), '')
  t.match(shown(await petra.get(path)), /^Admins/, 'also without saying so again')
  await petra.submit(path, 'Add Myself')
  t.same(tabsOf(await petra.get(path)), ['All 3', 'Admins 2', 'Users 1'])
})

t.test('Support sees who is disabled and who is of Support', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/users', 'Disable', {}, cast.tom.email)
  const page = await olga.get('/support/users')
  t.same(tabsOf(page), ['All 10', 'Disabled 1', 'Support 1'])
  t.same((await olga.get(tab(page, 'Disabled'))).tableRows.length, 1)
  t.match((await olga.get(tab(page, 'Support'))).tableRows.join(), 'Olga')
})

t.test('Support sees partners, suspended and deleted accounts, with their numbers', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const list = '/support/accounts'
  await olga.submit(`${list}/acme/suspension`, 'Suspend', { reason: 'Abuse' })
  await (await panel.signIn('petra')).submit('/partner/customers/initech/suspension', 'Suspend', { reason: 'Unpaid' })
  const before = await olga.get(list)
  t.same(tabsOf(before), ['All 6', 'Partners 2', 'No admin', 'Suspended 2', 'Deleted 0'])
  await olga.submit(`${list}/direct/removal`, 'Delete account', { identifier: 'direct' })
  const page = await olga.get(list)
  t.same(tabsOf(page), ['All 5', 'Partners 2', 'No admin', 'Suspended 2', 'Deleted 1'])
  for (const [label, names] of [
    ['Partners', ['Cloudhaus', 'Rival']],
    ['No admin', []],
    ['Suspended', ['Acme', 'Initech']],
    ['Deleted', ['Direct']],
  ] as const) {
    const view = await olga.get(tab(page, label))
    t.match(shown(view), label)
    t.equal(view.tableRows.length, names.length)
    for (const name of names) t.match(view.row(name), name)
  }
})

t.test('the tabs of accounts are counted from indexes, up to 10,000', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const olga = await panel.signIn('olga')
  const rows = (n: number, from: number) =>
    Array.from({ length: n }, (_, i) => {
      const identifier = `partner-${from + i}`
      return { kind: 'partner', name: identifier, identifier, search: identifier, createdAt: 1 } as const
    })
  for (let from = 0; from < 9_998; from += 1_000)
    db.insert(accounts)
      .values(rows(Math.min(1_000, 9_998 - from), from))
      .run()
  t.match(tabsOf(await olga.get('/support/accounts')).slice(0, 2), ['All 10,000+', 'Partners 10,000'])
  db.insert(accounts).values(rows(1, 9_998)).run()
  t.match(tabsOf(await olga.get('/support/accounts')).slice(0, 2), ['All 10,000+', 'Partners 10,000+'])
})

t.test('the few of a tab are counted by the index that has only these', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  for (const statistics of [false, true]) {
    if (statistics) sqlite(panel).exec('ANALYZE')
    // Nothing that was counted before is kept.
    sqlite(panel).exec('UPDATE accounts SET id = id WHERE id = 1')
    const queries = hearPrepared(panel)
    for (const list of ['accounts', 'users']) await olga.get(`/support/${list}`)
    const plans = [...queries].filter((query) => /^select count/.test(query)).map((query) => planOf(panel, query))
    for (const index of [
      'accounts_of_partners',
      'accounts_suspended',
      'accounts_deleted',
      'users_disabled',
      'users_operators',
    ])
      t.ok(
        plans.some((plan) => new RegExp(`^SCAN \\w+ USING (COVERING )?INDEX ${index}`, 'm').test(plan)),
        `${index} in ${plans.join('\n')}`,
      )
  }
})
