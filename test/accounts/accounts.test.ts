import { and, eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, memberships } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { accountId, type Client, type Panel, startApp, userId } from '../harness.ts'

/** Petra joins Acme as a Customer Admin; Cloudhaus stays active. */
async function petraInAcme(panel: Panel): Promise<Client> {
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  return petra
}

t.test('everybody finds in the Settings menu what is theirs', async (t) => {
  const { signIn } = await startApp(t)
  const menus: Partial<Record<CastName, string[]>> = {
    petra: ['Profile', 'Account Settings', 'Partner Area', 'Log out'],
    max: ['Profile', 'Account Settings', 'Partner Area', 'Log out'],
    stella: ['Profile', 'Account Settings', 'Log out'],
    tom: ['Profile', 'Account Settings', 'Log out'],
    olga: ['Profile', 'Support Area', 'Log out'],
    nils: ['Profile', 'Log out'],
  }
  for (const [who, menu] of Object.entries(menus)) {
    t.same((await (await signIn(who as CastName)).open('/')).settingsMenu, menu, who)
  }
  const tom = await signIn('tom')
  t.same((await tom.open('/customer/users')).areaMenu, ['Users', 'Projects', 'Quotas', 'Account'])
  t.same((await (await signIn('stella')).open('/customer/users')).areaMenu, [
    'Users',
    'Projects',
    'Quotas',
    'Service users',
    'Account',
    'Security',
    'Log-in',
    'Webhooks',
    'History',
  ])
  t.same((await (await signIn('olga')).open('/support/accounts')).areaMenu, [
    'Accounts',
    'Quotas',
    'Resources',
    'Users',
    'Mail',
    'Webhooks',
    'Backups',
    'History',
  ])
})

t.test('the switcher pins the partner account, lists the last used account first, and changing says so', async (t) => {
  const panel = await startApp(t)
  const petra = await petraInAcme(panel)
  panel.pass(1_000)
  t.equal((await petra.open('/')).activeAccount, 'Cloudhaus')
  const changed = await petra.press(await petra.open('/'), 'Acme acme')
  const page = await petra.open(changed.location ?? '')
  t.equal(page.activeAccount, 'Acme')
  t.match(page.notice, 'You are working in Acme now')
  t.same(page.switcher, ['Cloudhaus', 'Acme'])

  await petra.switchTo('cloudhaus')
  await petra.press(await petra.open('/partner/customers'), 'Create customer', { name: 'Young', identifier: 'young' })
  await petra.submit('/partner/customers/young/users', 'Add Myself')
  panel.pass(1_000)
  await petra.switchTo('young')
  t.same((await petra.open('/')).switcher, ['Cloudhaus', 'Young', 'Acme'])
})

t.test('of more than ten accounts the switcher lists ten, and the others are found', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const list = await petra.open('/partner/customers')
  for (let n = 1; n <= 30; n++) {
    await petra.press(list, 'Create customer', { name: `Künde ${n}`, identifier: `kunde-${n}` })
    await petra.submit(`/partner/customers/kunde-${n}/users`, 'Add Myself')
  }
  const home = await petra.open('/')
  t.equal(home.switcher.length, 10)
  t.equal(home.switcher[0], 'Cloudhaus', 'however many were used since')
  t.equal(home.link('All accounts'), '/active-account')
  const all = await petra.open('/active-account')
  t.match(all.text, '31 accounts')
  t.ok(all.link('Next'))
  const found = await petra.press(home, 'Search', { q: 'ÜNDE 27' })
  t.match(found.text, '1 account found')
  const into = await petra.press(found, 'Künde 27 kunde-27', {}, '27')
  t.equal((await petra.open(into.location ?? '')).activeAccount, 'Künde 27')
})

t.test('a link that names an account switches to it, says so, and continues to the clean address', async (t) => {
  const panel = await startApp(t)
  const petra = await petraInAcme(panel)
  const answer = await petra.get('/projects?q=web&account=acme')
  t.equal(answer.status, 303)
  t.equal(answer.location, '/projects?q=web')
  const page = await petra.open('/projects?q=web')
  t.equal(page.activeAccount, 'Acme')
  t.match(page.notice, 'You are working in Acme now')

  for (const account of ['umbrella', 'initech', 'nobody', '']) {
    t.equal((await petra.get(`/projects?account=${account}`)).status, 404, account)
    t.equal((await petra.open('/')).activeAccount, 'Acme')
  }
  t.equal((await petra.get('/projects?account=cloudhaus&account=acme')).status, 404)

  const visitor = panel.visit()
  const login = await visitor.open('/customer/users?account=acme')
  const back = await visitor.press(login, 'Log in', { email: cast.petra.email, password: 'demo-demo-demo' })
  t.equal(back.location, '/customer/users?account=acme', 'log-in keeps the account of the link')
})

t.test('a HEAD request switches nothing', async (t) => {
  const panel = await startApp(t)
  const petra = await petraInAcme(panel)
  const before = panel.rows().sessions
  const cookie = [...petra.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  await panel.app.inject({ method: 'HEAD', url: '/projects?account=acme', headers: { cookie } })
  t.same(panel.rows().sessions, before)
})

t.test('the Partner Area acts in the only partner account, whatever account is active', async (t) => {
  const panel = await startApp(t)
  const petra = await petraInAcme(panel)
  await petra.switchTo('acme')
  const page = await petra.open('/partner')
  t.equal(page.path, '/partner/customers')
  t.equal(page.activeAccount, 'Acme', 'nothing switches')
  t.match(page.body, /class=acting[^>]*>in <bdi>Cloudhaus</, 'the bar shows it')
  t.ok((await petra.open('/')).link('Customers'), 'the way there is in the bar')

  const created = await petra.press(page, 'Create customer', { name: 'Globex', identifier: 'globex' })
  t.equal(created.location, '/partner/customers')
  const globex = panel.db.select().from(accounts).where(eq(accounts.identifier, 'globex')).get()
  t.equal(globex?.partnerId, accountId(panel, 'cloudhaus'))
  t.match((await petra.open('/partner/history')).row('Globex'), 'created')
  t.equal((await petra.open('/projects')).activeAccount, 'Acme')

  const dora = await panel.signIn('dora')
  t.equal((await dora.open('/partner')).status, 404, 'who has no partner account finds no such page')
  t.equal((await dora.get('/partner/customers')).status, 403)
})

t.test('people with several partner accounts are asked which one', async (t) => {
  const panel = await startApp(t)
  const petra = await petraInAcme(panel)
  const rival = { userId: userId(panel, 'petra'), accountId: accountId(panel, 'rival'), role: 'admin' } as const
  panel.db
    .insert(memberships)
    .values({ ...rival, createdAt: 1, lastUsedAt: 1 })
    .run()
  await petra.switchTo('acme')
  const form = await petra.open('/partner/customers?q=glo')
  t.equal(form.status, 403)
  t.match(form.title, 'Which partner account?')
  t.equal((await petra.post('/partner/customers', { name: 'X', identifier: 'xx' })).status, 403)
  const chosen = await petra.press(form, 'Rival partner rival')
  t.equal(chosen.location, '/partner/customers?q=glo')
  t.equal((await petra.open('/partner/customers')).activeAccount, 'Rival')
})

t.test('the Partner Area closes the moment the membership of the partner account ends', async (t) => {
  const panel = await startApp(t)
  const petra = await petraInAcme(panel)
  await petra.switchTo('acme')
  const form = await petra.open('/partner/customers')
  const max = userId(panel, 'max')
  panel.db.update(memberships).set({ role: 'admin' }).where(eq(memberships.userId, max)).run()
  await (await panel.signIn('max')).submit(`/customer/users/${userId(panel, 'petra')}/removal`, 'Remove Petra')
  const refused = await petra.press(form, 'Create customer', { name: 'Globex', identifier: 'globex' })
  t.equal(refused.status, 403)
  t.notOk(panel.db.select().from(accounts).where(eq(accounts.identifier, 'globex')).get())
  t.equal((await petra.get('/partner/customers')).status, 403)
})

t.test(
  'a form of another account answers 409, changes nothing, keeps what was typed, and is sent from there on request',
  async (t) => {
    const panel = await startApp(t)
    const petra = await petraInAcme(panel)
    await petra.switchTo('acme')
    const form = await petra.open('/projects')
    await petra.switchTo('cloudhaus')
    const before = panel.rows().projects

    const refused = await petra.press(form, 'Create project', { name: 'Globex <b>', identifier: 'globex' })
    t.equal(refused.status, 409)
    t.match(refused.text, 'You are working in Cloudhaus now, but this form belongs to Acme')
    t.match(refused.text, 'Globex <b>')
    t.strictSame(panel.rows().projects, before)
    t.equal((await petra.open('/')).activeAccount, 'Cloudhaus')

    const sent = await petra.press(refused, 'Switch to Acme and submit again')
    t.equal(sent.location, '/projects/globex')
    const list = await petra.open('/projects')
    t.match(list.row('globex'), 'Globex <b>')
    t.equal(list.activeAccount, 'Acme')
  },
)

t.test('a form of an account that one has left, or never was in, answers 409 and names nothing', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const before = panel.rows().projects
  const answers = await Promise.all(
    ['umbrella', 'nobody'].map((account) =>
      stella.post('/projects', { _account: account, name: 'X', identifier: 'xx' }),
    ),
  )
  for (const answer of answers) {
    t.equal(answer.status, 409)
    t.notMatch(answer.text, /umbrella/i)
    t.notOk(answer.hasButton('Switch to Umbrella and submit again'))
  }
  t.equal(answers[0]?.text, answers[1]?.text)
  t.equal(
    (await stella.post('/projects', { _account: 'umbrella', _switch: 'yes', name: 'X', identifier: 'xx' })).status,
    409,
  )
  t.strictSame(panel.rows().projects, before)
})

t.test(
  'when the membership is gone the user is asked to choose, and no other account is chosen automatically',
  async (t) => {
    const panel = await startApp(t)
    const petra = await petraInAcme(panel)
    await petra.switchTo('acme')
    const stella = await panel.signIn('stella')
    await stella.submit(`/customer/users/${userId(panel, 'petra')}/removal`, 'Remove Petra')

    const page = await petra.get('/projects')
    t.equal(page.status, 403)
    t.match(page.title, 'Choose an account')
    t.match(page.text, 'You are no longer a user of the account that you worked in')
    t.notMatch(page.body, 'website')
    t.equal((await petra.get('/')).activeAccount, 'Choose an account')
    const chosen = await petra.press(page, 'Cloudhaus partner cloudhaus', {}, 'Cloudhaus')
    t.equal(chosen.location, '/projects', 'and goes on to the page asked for')
    t.equal((await petra.open('/projects')).activeAccount, 'Cloudhaus')
  },
)

t.test('a demoted admin’s open form does nothing more', async (t) => {
  const panel = await startApp(t)
  const petra = await petraInAcme(panel)
  await petra.switchTo('acme')
  const form = await petra.open('/projects')
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.petra.email)
  t.equal((await petra.press(form, 'Create project', { name: 'X', identifier: 'xx' })).status, 403)
  t.notOk(JSON.stringify(panel.rows().projects).includes('"xx"'))
  t.notOk((await petra.open('/projects')).hasButton('Create project'))
})

t.test('an account is renamed by its admin; its identifier is shown and never changes', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const first = await stella.open('/customer/account')
  t.match(first.text, /Identifier ?acme \(cannot be changed\)/)
  t.match(first.text, 'Cloudhaus, your partner')
  t.match(
    (await stella.submitAndFollow('/customer/account', 'Save name', { name: ' Acme  GmbH ' })).notice,
    'Acme GmbH',
  )
  t.equal((await stella.open('/')).activeAccount, 'Acme GmbH')

  const stale = await stella.press(first, 'Save name', { name: 'Mine' })
  t.equal(stale.status, 409)
  t.match(stale.error('name'), /renamed the account to “Acme GmbH”.*“Mine”/)
  t.equal(stale.value('name'), 'Mine')
  t.equal((await stella.press(stale, 'Save name')).status, 303, 'sent again it is saved')

  for (const name of ['', '   ', 'x'.repeat(101), 'a\u202eb', 'a\u0000b', 'a\u200bb']) {
    const answer = await stella.submit('/customer/account', 'Save name', { name })
    t.equal(answer.status, 422, JSON.stringify(name))
    t.ok(answer.error('name'))
  }
  t.throws(
    () => panel.db.update(accounts).set({ identifier: 'other' }).where(eq(accounts.identifier, 'acme')).run(),
    /never changes/,
  )
  t.equal((await (await panel.signIn('tom')).post('/customer/account/name', { name: 'X', version: '3' })).status, 403)
})

t.test('a request to become a partner is sent once, and Support can decline it', async (t) => {
  const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'support@panel.example' } })
  const dora = await panel.signIn('dora')
  const form = await dora.open('/customer/account')
  t.match(form.text, 'support@panel.example')
  await dora.press(form, 'Ask to become a partner')
  await dora.press(form, 'Ask to become a partner')
  const olga = await panel.signIn('olga')
  t.match((await olga.open('/')).text, 'Direct asks to become a partner')
  await olga.submit('/support/accounts', 'Decline', {}, 'asked on')
  t.ok((await dora.open('/customer/account')).hasButton('Ask to become a partner'), 'one may ask again')
  const mail = (await olga.open('/support/mail')).tableRows.join('\n')
  t.match(mail, /Direct asks to become a partner.*support@panel\.example/)
  t.match(mail, /Direct does not become a partner account.*dora@direct\.example/)

  t.notOk(
    (await (await panel.signIn('tom')).open('/customer/account')).hasButton('Ask to become a partner'),
    'only an admin sends it',
  )
  t.notMatch((await (await panel.signIn('petra')).open('/customer/account')).text, 'Become a partner')
})

t.test('leaving an account ends membership and access; the last admin is refused with the reason', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const page = await tom.open('/profile/accounts/acme/removal')
  t.match(page.text, /Access to 1 project ends with it: Website website/)
  t.match((await tom.submitAndFollow('/profile/accounts/acme/removal', 'Leave Acme')).notice, 'You have left Acme')
  t.same(
    panel.db
      .select()
      .from(memberships)
      .where(eq(memberships.userId, userId(panel, 'tom')))
      .all(),
    [],
  )
  t.notOk((panel.rows().project_access as { user_id: number }[]).some((row) => row.user_id === userId(panel, 'tom')))

  const stella = await panel.signIn('stella')
  const refused = await stella.submit('/profile/accounts/acme/removal', 'Leave Acme')
  t.equal(refused.status, 422)
  t.match(refused.problem, 'You are the last admin of Acme')
  const own = and(eq(memberships.userId, userId(panel, 'stella')), eq(memberships.role, 'admin'))
  t.equal(panel.db.select().from(memberships).where(own).all().length, 1)
})

t.test('who is in no account reads what to do', async (t) => {
  const { signIn } = await startApp(t)
  const nils = await signIn('nils')
  t.match((await nils.open('/')).text, /You are in no account yet.*nils@nowhere\.example/)
  t.equal((await nils.get('/projects')).status, 403)
})
