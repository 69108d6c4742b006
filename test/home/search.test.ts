import t from 'tap'
import { accounts, memberships } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Page, startApp, userId } from '../harness.ts'

/** The names that were found, by group. */
function found(page: Page): Record<string, string[]> {
  return Object.fromEntries(
    page.root
      .querySelectorAll('#found section')
      .map((group) => [
        group.querySelector('h2')?.textContent.trim() ?? '',
        group.querySelectorAll('a.name').map((name) => name.textContent.trim()),
      ]),
  )
}

t.test('a partner finds customers, their people and their projects, each with its acts', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const acme = await petra.get('/search?q=acm')
  t.match(found(acme), { Customers: ['Acme'] })
  t.equal(acme.link('Customer Users', 'Acme'), '/partner/customers/acme/users')
  t.equal(acme.link('Project Quotas', 'Acme'), '/partner/customers/acme/quotas')

  const tom = await petra.get(`/search?q=${cast.tom.email}`)
  t.match(found(tom), { Customers: ['Acme'], 'People of customers': ['Tom'] })
  const address = tom.root.querySelector('a.name[href*="/users?"]')?.getAttribute('href') ?? ''
  t.match((await petra.get(address)).tableRows.join(), 'Tom', 'the name leads to the person')

  const website = await petra.get('/search?q=website')
  t.match(found(website), { 'Projects of customers': ['Website'] })
  const project = website.root.querySelector('a.name')?.getAttribute('href') ?? ''
  t.match((await petra.get(project)).tableRows.join(), 'Website')
})

t.test('customers are found while somebody works in one of them', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  const initech = await petra.get('/search?q=initech')
  t.match(found(initech), { Customers: ['Initech'] })
  t.equal((await petra.open(initech.link('Initech') ?? '')).activeAccount, 'Acme')
  t.match(found(await petra.get('/search?q=deleted')), { Pages: ['Deleted customers'] })

  const rival = { accountId: accountId(panel, 'rival'), userId: userId(panel, 'petra'), role: 'admin' } as const
  panel.db
    .insert(memberships)
    .values({ ...rival, createdAt: 1, lastUsedAt: 1 })
    .run()
  const both = await petra.get('/search?q=umbrella')
  t.match(found(both), { 'Customers of Rival': ['Umbrella'] })
  t.equal((await petra.open(both.link('Umbrella') ?? '')).activeAccount, 'Rival')
})

t.test('nobody finds what they may not see', async (t) => {
  const panel = await startApp(t)
  const uma = await panel.signIn('uma')
  await uma.submit('/projects', 'Create project', { name: 'Skunkworks', identifier: 'skunkworks' })
  const nothing = async (who: 'petra' | 'max' | 'stella' | 'tom' | 'nils', q: string) => {
    const page = await (await panel.signIn(who)).get(`/search?q=${encodeURIComponent(q)}`)
    t.same(found(page), {}, `${who} finds nothing for ${q}`)
    t.match(page.text, 'Nothing that you can see')
  }
  for (const q of ['umbrella', 'uma@', 'skunk', 'riva']) {
    await nothing('petra', q)
    await nothing('stella', q)
    await nothing('nils', q)
  }
  await nothing('stella', 'initech')
  await nothing('tom', 'shop')
  t.match(found(await (await panel.signIn('tom')).get('/search?q=website')), { Projects: ['Website'] })
  t.match(found(await (await panel.signIn('stella')).get('/search?q=shop')), { Projects: ['Shop'] })
  t.equal((await panel.visit().get('/search?q=acme')).location, '/login?next=%2Fsearch%3Fq%3Dacme')
})

t.test('a partner no longer finds the customers that it has lost', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = [await panel.signIn('olga'), await panel.signIn('petra')]
  t.match(found(await petra.get('/search?q=tom')), { 'People of customers': ['Tom'] })
  await olga.submit('/support/accounts/acme/partner', 'Move', { partner: 'rival' })
  t.same(found(await petra.get('/search?q=tom')), {})
  t.same(found(await petra.get('/search?q=website')), {})
  t.match(found(await (await panel.signIn('riva')).get('/search?q=tom')), { 'People of customers': ['Tom'] })
})

t.test('Support finds every account and user', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  t.match(found(await olga.get('/search?q=umbrella')), { Accounts: ['Umbrella'], Users: ['Uma'] })
  const page = await olga.get('/search?q=nils')
  t.match(found(page), { Users: ['Nils'] })
  const address = page.root.querySelector('a.name')?.getAttribute('href') ?? ''
  t.match((await olga.get(address)).tableRows.join(), cast.nils.email)
})

t.test('pages are found by their names, and only those that open', async (t) => {
  const panel = await startApp(t)
  for (const [who, q, pages] of [
    ['petra', 'deleted', ['Deleted customers']],
    ['stella', 'histor', ['History']],
    ['tom', 'histor', undefined],
    ['max', 'import', undefined],
    ['olga', 'backups', ['Backups']],
    ['nils', '2fa', ['Two-factor login']],
  ] as const) {
    const client = await panel.signIn(who)
    const page = await client.get(`/search?q=${q}`)
    t.same(found(page).Pages, pages, `${who}: ${q}`)
    for (const link of page.root.querySelectorAll('#found a.name'))
      t.equal((await client.get(link.getAttribute('href') ?? '')).status, 200, `${who}: ${link.textContent}`)
  }
})

t.test('one changes into an account from the search', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const page = await petra.get('/search?q=acme')
  t.match(found(page)['Your accounts'], ['Acme'])
  await petra.press(page, 'Work in Acme')
  t.match((await petra.get('/')).text, 'Acme')
  t.match(found(await petra.get('/search?q=tom')), { People: ['Tom'] })
})

t.test('short and frequent words are found, and where there are more the whole list is a link away', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const partnerId = accountId(panel, 'cloudhaus')
  panel.db
    .insert(accounts)
    .values(
      Array.from({ length: 2_500 }, (_, n) => ({
        kind: 'customer' as const,
        name: `Kunde ${n}`,
        identifier: `kunde-${n}`,
        search: `kunde ${n}\nkunde-${n}`,
        sortKey: `kunde ${n}`,
        partnerId,
        createdAt: 1,
      })),
    )
    .run()
  const page = await petra.get('/search?q=kunde')
  t.equal(found(page).Customers?.length, 5)
  t.equal(page.link('All customers that match'), '/partner/customers?q=kunde')
  t.match(found(await petra.get('/search?q=to')), { 'People of customers': ['Tom'] })
})

t.test('odd searches are answered', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  for (const q of ['', '%20', 'x'.repeat(5_000), '"', "'", '%25', '*', '%F0%9F%98%80', 'a%00b'])
    t.equal((await stella.get(`/search?q=${q}`)).status, 200, q.slice(0, 20))
  t.equal((await stella.get('/search?q=a&q=b')).status, 200)
  t.equal((await stella.get('/search')).status, 200)
})
