import { and, eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, invitations, letters, memberships } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Page, startApp, userId } from '../harness.ts'
import { until } from '../smtp.ts'

const day = 24 * 3_600_000

t.test('Home says what needs a partner, with counts and links to just these customers', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  const quiet = await petra.open('/')
  t.match(quiet.text, 'You’re all caught up.')
  t.match(quiet.text, /2 customers, up 2 since the end of \w+ 20\d\d/)
  t.ok(quiet.root.querySelector('figure svg polyline')?.getAttribute('points'))

  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '2' })
  t.match(workOf(await petra.open('/')), { 'Acme has used up a limit': { detail: 'Projects: 2 of 2', act: 'Quotas' } })
  t.match(workOf(await stella.open('/')), { 'Projects: limit used up': { detail: '2 of 2 in Acme', act: 'Quotas' } })

  await petra.submit('/partner/customers', 'Create customer', { name: 'Bare', identifier: 'bare' })
  await petra.submit('/partner/customers', 'Create customer', { name: 'Empty', identifier: 'empty' })
  await petra.submit('/partner/customers/empty/users', 'Invite', { name: 'Eve', email: 'eve@empty.example' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '1' })
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '1' })
  await petra.submit('/partner/customers/initech/suspension', 'Suspend', { reason: 'X' })
  await stella.submit('/customer/quotas', 'Send request', { projects: '5', reason: 'More shops' })
  await until('the letters are kept', () =>
    db
      .select()
      .from(letters)
      .all()
      .every(({ state }) => state === 'kept'),
  )
  const fresh = workOf(await petra.open('/'))
  t.same(Object.keys(fresh), [
    'Acme asks for more quota',
    'Bare has no admin',
    'Acme is over a limit',
    '1 customer suspended',
  ])
  t.match(fresh['Acme asks for more quota'], { detail: 'Projects: 5 · “More shops”', act: 'Review' })
  t.match(fresh['Acme is over a limit'], { detail: 'Projects: 2 of 1', act: 'Quotas' })
  t.match(fresh['Bare has no admin'], { act: 'Invite' })

  // What nobody of the partner did shows within a minute.
  const long = Date.now() - 91 * day
  const initech = accountId({ db }, 'initech')
  db.update(accounts).set({ createdAt: long }).where(eq(accounts.id, initech)).run()
  db.update(memberships).set({ lastUsedAt: long }).where(eq(memberships.accountId, initech)).run()
  const soon = Date.now() + 47 * 3_600_000
  db.update(invitations).set({ expiresAt: soon }).where(eq(invitations.email, 'eve@empty.example')).run()
  panel.pass(61_000)
  const later = workOf(await petra.open('/'))
  t.match(later['The invitation to Eve expires in 46 hours'], { detail: 'Not yet accepted in Empty', act: 'Resend' })
  for (const [words, customers] of [
    ['1 customer suspended', ['initech']],
    ['1 customer idle for 90 days', ['initech']],
  ] as const) {
    const list = await petra.open(later[words]?.href ?? '')
    t.same(
      list.nameCells.map((cell) => cell.querySelector('code')?.text.trim() ?? ''),
      customers,
      words,
    )
  }
  for (const { href, act } of Object.values(later)) t.equal((await petra.open(href)).status, 200, act)

  db.update(invitations).set({ expiresAt: 1 }).where(eq(invitations.email, 'eve@empty.example')).run()
  panel.pass(61_000)
  t.ok(workOf(await petra.open('/'))['The invitation to Eve has expired'])
  db.update(letters).set({ state: 'failed' }).where(eq(letters.email, 'eve@empty.example')).run()
  t.ok(workOf(await petra.open('/'))['The e-mail to Eve was not delivered'], 'what is named is never old')
  db.update(invitations).set({ state: 'accepted' }).where(eq(invitations.email, 'eve@empty.example')).run()
  t.notOk(workOf(await petra.open('/'))['The e-mail to Eve was not delivered'])

  await (await panel.signIn('ines')).get('/')
  panel.pass(61_000)
  t.notMatch((await petra.open('/')).text, 'idle', 'a log-in uses the account')
  const rival = await (await panel.signIn('riva')).open('/')
  t.match(rival.text, 'You’re all caught up.')
  t.match(rival.text, '1 customer, up 1')
  t.notMatch((await stella.open('/')).text, 'Needs attention')
})

t.test('of many customers that need the same, four are named and the others counted', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const list = await petra.open('/partner/customers')
  for (let n = 1; n <= 6; n++)
    await petra.press(list, 'Create customer', { name: `Bare ${n}`, identifier: `bare-${n}` })
  const work = workOf(await petra.open('/'))
  t.same(Object.keys(work), [
    ...[6, 5, 4, 3].map((n) => `Bare ${n} has no admin`),
    '2 more customers without a Customer Admin, and none invited',
  ])
  const rest = await petra.open(work['2 more customers without a Customer Admin, and none invited']?.href ?? '')
  t.equal(rest.tableRows.length, 6)
})

t.test('the work of a partner, and of a second one, stays while somebody works in a customer', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const stella = await panel.signIn('stella')
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '2' })
  await stella.submit('/customer/quotas', 'Send request', { projects: '5', reason: 'X' })
  await petra.switchTo('acme')
  const work = workOf(await petra.open('/'))
  t.ok(work['Acme asks for more quota'])
  t.match((await petra.open(work['Acme asks for more quota']?.href ?? '')).text, 'Approve')

  const rival = accountId(panel, 'rival')
  const user = userId(panel, 'petra')
  panel.db
    .insert(memberships)
    .values({ accountId: rival, userId: user, role: 'member', createdAt: 1, lastUsedAt: 1 })
    .run()
  await (await panel.signIn('riva')).submit('/partner/customers', 'Create customer', {
    name: 'Bare',
    identifier: 'bare',
  })
  const both = workOf(await petra.open('/'))
  t.same(Object.keys(both), ['Acme asks for more quota', 'Acme has used up a limit', 'Bare has no admin'])
  t.equal(both['Bare has no admin']?.act, 'Open', 'a Partner User may only look')
  const page = await petra.open(both['Bare has no admin']?.href ?? '')
  t.equal(page.status, 200)
  t.equal(page.activeAccount, 'Rival')

  // The right goes, and what it showed goes with it.
  panel.db
    .delete(memberships)
    .where(and(eq(memberships.accountId, rival), eq(memberships.userId, user)))
    .run()
  t.notMatch((await petra.open('/')).text, 'Bare')
})

t.test('the bar and the menus count what waits, for those who can settle it', async (t) => {
  const panel = await startApp(t)
  const [petra, max, stella] = [await panel.signIn('petra'), await panel.signIn('max'), await panel.signIn('stella')]
  const [olga, dora] = [await panel.signIn('olga'), await panel.signIn('dora')]
  t.same(countsOf(await petra.open('/partner/quotas')), {}, 'nothing waits')

  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '2' })
  await stella.submit('/customer/quotas', 'Send request', { projects: '5', reason: 'X' })
  panel.pass(61_000)
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  t.same(countsOf(await petra.open('/projects')), { '/': '1' }, 'also while she works in a customer')
  t.same(countsOf(await petra.open('/partner/quotas')), { '/': '1', '/partner/quotas': '1' })
  t.same(countsOf(await max.open('/partner/quotas')), {}, 'a Partner User decides nothing')
  t.same(countsOf(await stella.open('/customer/quotas')), {})
  const asked = await petra.open('/partner/customers/acme/quotas')
  await petra.press(asked, 'Approve')
  t.same(countsOf(await petra.open('/partner/quotas')), {}, 'one’s own act counts at once')

  await dora.submit('/customer/account', 'Ask to become a partner')
  panel.pass(61_000)
  t.same(countsOf(await olga.open('/support/users')), { '/': '1', '/support/accounts': '1' })

  await dora.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  t.same(countsOf(await (await panel.signIn('nils')).open('/profile')), { '/': '1' }, 'an invitation')
})

t.test('whoever begins finds what to do first, ticked off by what is done', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  t.notOk((await olga.open('/')).root.querySelector('.checklist'), 'there are partners with admins')
  t.notOk((await (await panel.signIn('petra')).open('/')).root.querySelector('.checklist'))

  const fresh = { name: 'Fresh', identifier: 'fresh', kind: 'partner' }
  const admin = { adminName: 'Fay', adminEmail: 'fay@fresh.example' }
  await olga.submit('/support/accounts', 'Create account', { ...fresh, ...admin })
  const id = accountId(panel, 'fresh')
  const nils = userId(panel, 'nils')
  panel.db.insert(memberships).values({ accountId: id, userId: nils, role: 'admin', createdAt: 1, lastUsedAt: 1 }).run()
  const partner = await panel.signIn('nils')
  await partner.switchTo('fresh')
  t.same(stepsOf(await partner.open('/')), {
    'Create your first customer': false,
    'Invite its first Customer Admin, or add yourself': false,
    'Set what the customer may use': false,
    'Turn on two-factor login': false,
  })
  await partner.submit('/partner/customers', 'Create customer', { name: 'First', identifier: 'first' })
  t.match(stepsOf(await partner.open('/')), { 'Create your first customer': true })
  await partner.submit('/partner/customers/first/users', 'Invite', { name: 'Ada', email: 'ada@first.example' })
  t.notOk((await partner.open('/')).root.querySelector('.checklist'), 'it goes away when the rest can wait')

  const dora = await panel.signIn('dora')
  const steps = { 'Create your first project': false, 'Invite somebody you work with': false }
  t.match(stepsOf(await dora.open('/')), { ...steps, 'Give them access to a project': false })
  await dora.submit('/projects', 'Create project', { name: 'Web', identifier: 'web' })
  await dora.submit('/customer/users', 'Invite', { name: 'Ada', email: 'ada@direct.example' })
  t.match(stepsOf(await dora.open('/')), {
    'Create your first project': true,
    'Invite somebody you work with': true,
    'Give them access to a project': false,
  })
  t.notOk((await (await panel.signIn('tom')).open('/')).root.querySelector('.checklist'), 'it is for admins')
})

/** What the bar and the menu count, by address. */
function countsOf(page: Page): Record<string, string> {
  const links = page.root.querySelectorAll('.topnav a, .area a')
  return Object.fromEntries(
    links.flatMap((link) => {
      const n = link.querySelector('.tally')?.getAttribute('data-n')
      return n ? [[link.getAttribute('href') ?? '', n]] : []
    }),
  )
}

/** The steps of a checklist, and whether each is done. */
function stepsOf(page: Page): Record<string, boolean> {
  const steps = page.root.querySelectorAll('.checklist > li')
  return Object.fromEntries(
    steps.map((step) => [step.querySelector('p')?.text.trim().replace('Done: ', ''), step.classList.contains('done')]),
  )
}

/** The worklist of Home: by its lines' titles. */
function workOf(page: Page): Record<string, { detail: string; act: string; href: string }> {
  const lines = page.root.querySelectorAll('.work > li').filter((line) => line.querySelector('.name'))
  return Object.fromEntries(
    lines.map((line) => [
      line.querySelector('.name')?.text.trim(),
      {
        detail: line.querySelector('small')?.text.trim() ?? '',
        act: line.querySelector('.button')?.childNodes[0]?.text.trim() ?? '',
        href: line.querySelector('a.button')?.getAttribute('href') ?? '',
      },
    ]),
  )
}

t.test('every list is downloaded as it is filtered and sorted, with formulas made harmless', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await petra.submit('/partner/customers', 'Create customer', { name: '=HYPERLINK("x")', identifier: 'formula' })
  await stella.submit('/customer/users', 'Invite', { name: '@SUM(1)', email: 'guest@acme.example' })
  for (const [who, path, header, row] of [
    [
      petra,
      '/partner/customers?sort=identifier',
      'name,identifier,users,status,created,project limit',
      '"\'=HYPERLINK(""x"")",formula,0',
    ],
    [petra, '/partner/customers/acme/users', 'name,e-mail,role,last seen,joined', 'Stella,stella@acme.example,admin'],
    [petra, '/partner/customers/acme/projects', 'name,identifier,people,created', 'Website,website,2'],
    [stella, '/customer/users?q=tom', 'name,e-mail,role,second factor,last seen,joined', 'Tom,tom@acme.example,member'],
    [stella, '/projects', 'name,identifier,people,created', 'Shop,shop,1'],
    [stella, '/projects/website', 'name,e-mail,role', 'Tom,tom@acme.example,user'],
    [stella, '/customer/projects', 'name,identifier,people,created', 'Shop,shop,1'],
    [stella, '/customer/quotas', 'name,identifier,people,created', 'Shop,shop,1'],
    [
      stella,
      '/customer/history',
      'when,who,who is now,side,from,what,on,account,change,ip address,api token',
      'created the project,Website',
    ],
    [stella, '/active-account', 'name,identifier,role', 'Acme,acme,admin'],
    [stella, '/profile', 'name,identifier,role', 'Acme,acme,admin'],
    [
      petra,
      '/partner/history',
      'when,who,who is now,side,from,what,on,account,change,ip address,api token',
      'Petra,Petra,,Cloudhaus,created the account',
    ],
    [
      olga,
      '/support/accounts?kind=partner',
      'name,identifier,kind,partner,users,status,created',
      'Rival,rival,partner',
    ],
    [olga, '/support/users', 'name,e-mail,accounts,status,last seen,created', 'Dora,dora@direct.example,1'],
    [olga, '/support/mail', 'name,e-mail,subject,state,error,written,done', "'@SUM(1),guest@acme.example"],
    [olga, '/support/history', 'when,who,who is now,side,from,what,on,account,change,ip address,api token', 'Uma'],
  ] as const) {
    const page = await who.get(path)
    const link = page.link('Download (CSV)') ?? ''
    const file = await who.get(link)
    t.match(file.response.headers['content-type'], 'text/csv', path)
    const [first, ...rows] = file.body.split('\r\n')
    t.equal(first, `\ufeff${header}`, path)
    if (row !== 'Uma')
      t.ok(
        rows.some((one) => one.includes(row)),
        `${path}: ${row}`,
      )
    if (page.root.querySelectorAll('main table').length === 1 && !page.link('Next'))
      t.equal(rows.filter(Boolean).length, page.tableRows.length, 'no more and no fewer')
  }
  const users = await stella.get('/customer/users?q=tom&download=csv')
  t.notMatch(users.body, 'Stella', 'as it is filtered')
  const guests = await stella.get('/customer/users?invited-download=csv')
  t.match(guests.body, "'@SUM(1),guest@acme.example,member")
  t.equal((await (await panel.signIn('riva')).get('/partner/customers/acme/users?download=csv')).status, 404)
  t.equal((await (await panel.signIn('tom')).get('/partner/customers?download=csv')).status, 403)
  const tom = await panel.signIn('tom')
  t.notMatch((await tom.get('/projects?download=csv')).body, 'Shop', 'only what one sees')
})

t.test('a long download is whole', async (t) => {
  const panel = await startApp(t)
  const partnerId = accountId(panel, 'cloudhaus')
  for (let n = 0; n < 1_203; n++)
    panel.db
      .insert(accounts)
      .values({ kind: 'customer', partnerId, name: `N ${n}`, identifier: `n-${n}`, search: `n ${n}`, createdAt: 1 })
      .run()
  const petra = await panel.signIn('petra')
  const rows = (await petra.get('/partner/customers?download=csv&sort=name')).body.split('\r\n').filter(Boolean)
  t.equal(new Set(rows).size, 1 + 1_205)
})
