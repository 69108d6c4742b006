import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, invitations, letters, memberships } from '../../src/db/schema.ts'
import { accountId, startApp } from '../harness.ts'
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
  const near = await petra.open('/')
  t.match((await petra.open(near.link('1 customer near a limit') ?? '')).row('acme'), 'Acme')

  await petra.submit('/partner/customers', 'Create customer', { name: 'Bare', identifier: 'bare' })
  await petra.submit('/partner/customers', 'Create customer', { name: 'Empty', identifier: 'empty' })
  await petra.submit('/partner/customers/empty/users', 'Invite', { name: 'Eve', email: 'eve@empty.example' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '1' })
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '1' })
  await petra.submit('/partner/customers/initech/suspension', 'Suspend', { reason: 'X' })
  await stella.submit('/customer/quotas', 'Send request', { projects: '5', reason: 'X' })
  await until('the letters are kept', () =>
    db
      .select()
      .from(letters)
      .all()
      .every(({ state }) => state === 'kept'),
  )
  db.update(letters).set({ state: 'failed' }).where(eq(letters.email, 'eve@empty.example')).run()
  const long = Date.now() - 91 * day
  const initech = accountId({ db }, 'initech')
  db.update(accounts).set({ createdAt: long }).where(eq(accounts.id, initech)).run()
  db.update(memberships).set({ lastUsedAt: long }).where(eq(memberships.accountId, initech)).run()

  const fresh = await petra.open('/')
  t.notMatch(fresh.text, 'expires within', 'an invitation that was just sent needs nobody')
  t.notMatch(fresh.text, 'near a limit', 'over a limit is not near it as well')
  const soon = Date.now() + 47 * 3_600_000
  db.update(invitations).set({ expiresAt: soon }).where(eq(invitations.email, 'eve@empty.example')).run()

  const home = await petra.open('/')
  t.match(home.text, '1 request for more quota waits for you')
  for (const [words, customers] of [
    ['1 customer over a limit', ['acme']],
    ['1 customer without a Customer Admin, and none invited', ['bare']],
    ['1 customer whose invitation expires within 48 hours', ['empty']],
    ['1 customer whose letter failed', ['empty']],
    ['1 customer suspended', ['initech']],
    ['1 customer idle for 90 days', ['initech']],
  ] as const) {
    const list = await petra.open(home.link(words) ?? '')
    const found = list.root.querySelectorAll('main td.main code').map((td) => td.text.trim())
    t.same(found, customers, words)
  }
  t.notMatch(home.text, 'never accepted')
  db.update(invitations).set({ expiresAt: 1 }).where(eq(invitations.email, 'eve@empty.example')).run()
  t.match((await petra.open('/')).text, '1 customer whose invitation was never accepted')

  await (await panel.signIn('ines')).get('/')
  t.notMatch((await petra.open('/')).text, 'idle', 'a log-in uses the account')
  const rival = await (await panel.signIn('riva')).open('/')
  t.match(rival.text, 'You’re all caught up.')
  t.match(rival.text, '1 customer, up 1')
  t.notMatch((await stella.open('/')).text, 'Needs attention')
})

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
    [stella, '/customer/users?q=tom', 'name,e-mail,role,last seen,joined', 'Tom,tom@acme.example,member'],
    [stella, '/projects', 'name,identifier,people,created', 'Shop,shop,1'],
    [stella, '/projects/website', 'name,e-mail,role', 'Tom,tom@acme.example,user'],
    [stella, '/customer/projects', 'name,identifier,people,created', 'Shop,shop,1'],
    [stella, '/customer/quotas', 'name,identifier,people,created', 'Shop,shop,1'],
    [
      stella,
      '/customer/history',
      'when,who,who is now,side,from,what,on,account,change,ip address',
      'created the project,Website',
    ],
    [stella, '/active-account', 'name,identifier,role', 'Acme,acme,admin'],
    [stella, '/profile', 'name,identifier,role', 'Acme,acme,admin'],
    [
      petra,
      '/partner/history',
      'when,who,who is now,side,from,what,on,account,change,ip address',
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
    [olga, '/support/history', 'when,who,who is now,side,from,what,on,account,change,ip address', 'Uma'],
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
