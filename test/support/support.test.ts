import { eq, isNull } from 'drizzle-orm'
import t from 'tap'
import { accounts, imports, invitations, limits } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { type Panel, publicUrl, startApp, there, userId } from '../harness.ts'
import { linkIn, startMailServer } from '../smtp.ts'

const newAccount = {
  name: 'Wayne',
  identifier: 'wayne',
  kind: 'partner',
  adminName: 'Greta',
  adminEmail: 'greta@wayne.example',
}
const words = 'correct horse battery staple'

function account(panel: Panel, identifier: string) {
  return panel.db.select().from(accounts).where(eq(accounts.identifier, identifier)).get()
}

t.test('nobody but Support enters the Support Area', async (t) => {
  const panel = await startApp(t)
  const pages = ['/support', '/support/accounts', '/support/users', '/support/mail', '/support/history']
  for (const who of ['petra', 'stella', 'tom', 'nils'] as const) {
    const person = await panel.signIn(who)
    t.notOk((await person.open('/')).settingsMenu.includes('Support Area'))
    for (const page of pages) t.equal((await person.get(page)).status, 403, `${who} ${page}`)
  }
  for (const page of pages) t.match((await panel.visit().get(page)).location, '/login')
  const olga = await panel.signIn('olga')
  const home = await olga.open('/support')
  t.equal(home.path, '/support/accounts')
  t.same(home.areaMenu, ['Accounts', 'Quotas', 'Resources', 'Users', 'Mail', 'Webhooks', 'Backups', 'History'])
  t.ok(home.settingsMenu.includes('Support Area'))
})

t.test('Support creates an account, and its first admin is invited at once', async (t) => {
  const mail = await startMailServer(t)
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
  const olga = await panel.signIn('olga')
  const list = await olga.submitAndFollow('/support/accounts', 'Create account', newAccount)
  t.match(list.notice, 'Wayne was created, and an invitation was sent to Greta')
  t.match(list.row('wayne'), /Wayne wayne Partner, no customers 0 active/)

  const letter = await mail.letterTo(newAccount.adminEmail)
  t.match(
    letter.mail.text,
    /Olga invites you to the account Wayne .*Partner Admin\.\s+This invitation comes from Support/,
  )
  const greta = panel.visit()
  const link = linkIn(letter.mail.text, publicUrl)
  await greta.submit(link, 'Accept invitation', { password: words, repeated: words })
  const home = await greta.open('/')
  t.equal(home.activeAccount, 'Wayne')
  t.ok(home.settingsMenu.includes('Partner Area'))
  t.equal((await greta.submit('/partner/customers', 'Create customer', { name: 'First' })).status, 303)
})

t.test('a partner’s customers are counted up to 1,000', async (t) => {
  const panel = await startApp(t)
  const partnerId = there(account(panel, 'cloudhaus')).id
  const add = (n: number) => ({
    kind: 'customer' as const,
    name: `N ${n}`,
    identifier: `n-${n}`,
    partnerId,
    search: '',
  })
  const createdAt = Date.now()
  const more = Array.from({ length: 999 }, (_, n) => ({ ...add(n), createdAt, sortKey: '' }))
  panel.db.insert(accounts).values(more).run()
  const olga = await panel.signIn('olga')
  const list = '/support/accounts?kind=partner'
  t.match((await olga.get(list)).row('cloudhaus'), 'Partner, 1,000+ customers')
  panel.db.update(accounts).set({ deletedAt: createdAt }).where(eq(accounts.identifier, 'n-0')).run()
  t.match((await olga.get(list)).row('cloudhaus'), 'Partner, 1,000 customers')
  panel.db.update(accounts).set({ deletedAt: createdAt }).where(eq(accounts.identifier, 'n-1')).run()
  t.match((await olga.get(list)).row('cloudhaus'), 'Partner, 999 customers')
})

t.test('what is wrong with a new account is said at its field, and nothing is stored', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const before = panel.rows()
  const empty = await olga.submit('/support/accounts', 'Create account')
  t.equal(empty.status, 422)
  t.match(empty.error('name'), 'Enter the account’s name')
  t.match(empty.error('adminName'), 'Enter the full name')
  t.match(empty.error('adminEmail'), 'Enter the first admin’s e-mail')
  const wrong = await olga.submit('/support/accounts', 'Create account', { ...newAccount, adminEmail: 'a@b, c@d' })
  t.match(wrong.error('adminEmail'), 'not an e-mail address')
  t.equal(wrong.value('name'), 'Wayne')
  const kind = await olga.post('/support/accounts', { ...newAccount, kind: 'operator' })
  t.equal(kind.status, 422)
  const taken = await olga.submit('/support/accounts', 'Create account', { ...newAccount, identifier: 'acme' })
  t.match(taken.error('identifier'), /“acme” is taken, or was once. “acme-\d{3}” is free/)
  t.equal(taken.value('adminEmail'), newAccount.adminEmail)
  t.strictSame({ ...panel.rows(), sessions: [] }, { ...before, sessions: [] })
})

t.test('accounts, users and letters are found by any part of a word, in any case', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts', 'Create account', { ...newAccount, name: 'Ärztehaus Süd' })
  t.match((await olga.get('/support/accounts?q=ÄRZTEH')).tableRows, [/Ärztehaus Süd/])
  t.match((await olga.get('/support/accounts?q=ayn')).tableRows, [/wayne/], 'by the identifier')
  t.match((await olga.get('/support/accounts?q=süd+rzte')).tableRows, [/Ärztehaus/], 'all words, in any order')
  t.match((await olga.get('/support/users?q=CLOUDH')).tableRows.length, 2)
  t.match((await olga.get('/support/mail?q=süd')).tableRows, [/Greta/])
  for (const page of ['accounts', 'users', 'mail']) {
    const nothing = await olga.get(`/support/${page}?q=%25`)
    t.match(nothing.text, 'Nothing matches “%”', `${page}: a sign is a sign`)
    t.equal(nothing.value('q'), '%', 'the search stays, filled in')
  }
})

t.test('an account becomes a partner account on the very next page of everybody in it, and back', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const dora = await panel.signIn('dora')
  t.notOk((await dora.open('/')).settingsMenu.includes('Partner Area'))
  t.equal((await dora.get('/partner/customers')).status, 403)

  const made = await olga.submitAndFollow('/support/accounts', 'Make partner', {}, 'direct')
  t.match(made.notice, 'Direct is a partner account now')
  t.ok((await dora.open('/')).settingsMenu.includes('Partner Area'))
  await dora.submit('/partner/customers', 'Create customer', { name: 'Small', identifier: 'small' })

  const refused = await olga.submitAndFollow('/support/accounts', 'Make customer', {}, 'direct')
  t.match(refused.notice, 'still has customers')
  t.equal(account(panel, 'direct')?.kind, 'partner')

  await olga.submit('/support/accounts', 'Make customer', {}, 'Rival')
  t.equal(account(panel, 'rival')?.kind, 'partner', 'Rival has Umbrella')
  await olga.submit('/support/accounts', 'Create account', newAccount)
  await olga.submit('/support/accounts', 'Make customer', {}, 'wayne')
  t.equal(account(panel, 'wayne')?.kind, 'customer')
})

t.test(
  'a partner account that becomes a customer loses its pool, its rule and its imports, and the history says so',
  async (t) => {
    const panel = await startApp(t)
    const [olga, dora] = [await panel.signIn('olga'), await panel.signIn('dora')]
    const ofPartner = () => ({
      pool: panel.db
        .select({ amount: limits.amount })
        .from(limits)
        .where(eq(limits.level, 'pool'))
        .all()
        .map(({ amount }) => amount),
      share: account(panel, 'direct')?.automaticShare,
      // The sweep of imports deletes what is discarded.
      imports: panel.db.select().from(imports).where(isNull(imports.discardedAt)).all().length,
    })
    const nothing = { pool: [null, null], share: null, imports: 0 }
    await olga.submit('/support/accounts', 'Make partner', {}, 'direct')
    await olga.submit('/support/accounts/direct/quotas', 'Save pool', { cores: '64', ram: '128' })
    await olga.submit('/support/accounts/direct/quotas', 'Save quotas', { projects: '3' })
    await dora.submit('/partner/quotas', 'Save', { share: '50' })
    await dora.submit('/partner/imports', 'Check the file', { text: 'name\nNew Customer' })
    t.same(ofPartner(), { pool: [64, 128], share: 50, imports: 1 })

    await olga.submit('/support/accounts', 'Make customer', {}, 'direct')
    t.same(ofPartner(), nothing)
    const history = await dora.open('/customer/history')
    t.match(
      history.row('changed the pool for customers'),
      /Olga Support.*Cores: 64 → no limit.*RAM: 128 MiB → no limit/,
    )
    t.match(history.row('automatic approval'), /Olga Support set automatic approval to off \(was 50%\)/)
    t.match(
      (await dora.open('/customer/quotas')).row('Projects'),
      /Projects 0 in use 3 available .* 3$/,
      'its own limits stay',
    )

    await olga.submit('/support/accounts', 'Make partner', {}, 'direct')
    t.same(ofPartner(), nothing, 'nothing comes back')
    t.match((await dora.open('/partner/quotas')).row('Cores'), 'unlimited')

    // 0.2.0 left both where a partner account became a customer account.
    await olga.submit('/support/accounts', 'Make customer', {}, 'direct')
    panel.db.update(limits).set({ amount: 9 }).where(eq(limits.level, 'pool')).run()
    panel.db.update(accounts).set({ automaticShare: 30 }).where(eq(accounts.identifier, 'direct')).run()
    await olga.submit('/support/accounts', 'Make partner', {}, 'direct')
    t.same(ofPartner(), nothing, 'nor does what an older version left')
  },
)

t.test('a customer that becomes a partner account leaves its partner', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const petra = await panel.signIn('petra')
  await olga.submit('/support/accounts', 'Make partner', {}, 'initech')
  t.equal(account(panel, 'initech')?.partnerId, null)
  t.notMatch((await petra.get('/partner/customers')).text, 'Initech')
  t.equal((await petra.get('/partner/customers/initech/users')).status, 404)
})

t.test('requests to become a partner stand on top, and are granted or declined; the letter says so', async (t) => {
  const mail = await startMailServer(t)
  const panel = await startApp(t, { settings: { SMTP_URL: mail.url, SUPPORT_EMAIL: 'support@panel.example' } })
  const olga = await panel.signIn('olga')
  const dora = await panel.signIn('dora')
  await dora.submit('/customer/account', 'Ask to become a partner')
  t.match((await mail.letterTo('support@panel.example')).mail.text, /The account Direct asks.*Asked by: Dora\n/s)
  t.match((await olga.open('/')).text, 'Direct asks to become a partner', 'it waits on Support’s Home')
  t.match((await olga.get('/support/accounts')).text, /Requests to become a partner 1 Direct direct: Dora/)
  await olga.submit('/support/accounts', 'Decline', {}, 'direct')
  t.match((await mail.letterTo(cast.dora.email)).mail.subject, 'does not become')
  t.notMatch((await olga.get('/support/accounts')).text, 'Requests to become')

  await dora.submit('/customer/account', 'Ask to become a partner')
  await olga.submit('/support/accounts', 'Make partner', {}, 'Dora')
  t.match((await mail.letterTo(cast.dora.email, 2)).mail.subject, 'is a partner account now')
  t.match((await dora.get('/customer/history')).row('made this account a partner account'), /Olga Support/)
})

t.test('a suspended account opens for nobody, and says why and who to ask', async (t) => {
  const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'support@panel.example' } })
  const olga = await panel.signIn('olga')
  const stella = await panel.signIn('stella')
  const petra = await panel.signIn('petra')
  const empty = await olga.submit('/support/accounts/acme/suspension', 'Suspend')
  t.match(empty.error('reason'), 'Say why')
  t.equal(account(panel, 'acme')?.supportSuspendedAt, null)

  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'The invoice of May is open.' })
  for (const path of ['/projects', '/projects/website', '/customer/users', '/customer/history']) {
    const page = await stella.get(path)
    t.equal(page.status, 403, path)
    t.match(page.text, /Acme is suspended.*The invoice of May is open.*support@panel.example/)
  }
  const projects = panel.rows().projects
  t.equal((await stella.post('/projects', { name: 'X', identifier: 'xx' })).status, 403)
  t.strictSame(panel.rows().projects, projects)

  await petra.post('/partner/customers/acme/suspension/removal')
  t.ok(account(panel, 'acme')?.supportSuspendedAt, 'what Support suspended, only Support resumes')
  await olga.submit('/support/accounts', 'Resume', {}, 'acme')
  t.equal((await stella.get('/projects')).status, 200)
})

t.test('disabling a user ends all sessions; enabling lets the user log in again', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const stella = await panel.signIn('stella')
  await olga.submit('/support/users', 'Disable', {}, cast.stella.email)
  t.match((await stella.get('/projects')).location, '/login')
  t.match((await olga.get('/support/users')).row(cast.stella.email), 'disabled')
  t.equal((await panel.visit().logIn(cast.stella.email)).status, 422)
  await olga.submit('/support/users', 'Enable', {}, cast.stella.email)
  t.match((await stella.get('/projects')).location, '/login', 'the old session stays dead')
  t.equal((await panel.visit().logIn(cast.stella.email)).status, 303)

  const olgaId = userId(panel, 'olga')
  const self = await olga.post(`/support/users/${olgaId}/disabling`)
  t.equal(self.status, 422)
  t.match(self.problem, 'You cannot disable yourself')
})

t.test('Support ends the sessions of a user', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const [one, two] = [await panel.signIn('tom'), await panel.signIn('tom')]
  const done = await olga.submitAndFollow(`/support/users/${userId(panel, 'tom')}`, 'End sessions')
  t.match(done.notice, '2 sessions of Tom ended')
  for (const client of [one, two]) t.match((await client.get('/')).location, '/login')
})

t.test('the history says who did what, to which person, before and after, when and from where', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  const history = await stella.get('/customer/history')
  t.match(
    history.row('changed the role'),
    /\d\d:\d\d Stella changed the role of Tom to Customer Admin \(was Customer User\) 127.0.0.1/,
  )
  t.match(history.row('greta@acme.example'), /Stella invited greta@acme.example as Customer User/)
  t.match(history.tableRows[0], 'invited', 'the newest is first')
  t.notMatch(history.text, /\[object|undefined|null/)
  const records = panel.rows().records ?? []
  t.ok(
    records.every(
      (row) =>
        (row as { request_id: string | null; ip: string | null }).ip === null ||
        (row as { request_id: string | null }).request_id,
    ),
  )

  const tom = await panel.signIn('tom')
  await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.tom.email)
  t.equal((await tom.get('/customer/history')).status, 403, 'it is for admins')
})

t.test('the partner’s acts stand in the customer’s history, and in the partner’s own', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const stella = await panel.signIn('stella')
  t.match((await stella.get('/customer/history')).row('added themselves'), /Petra of Cloudhaus Partner/)
  t.match((await petra.get('/partner/history?account=cloudhaus')).status, 303)
  t.match((await petra.get('/partner/history')).row('added themselves'), /Petra.*Acme/)
  const riva = await panel.signIn('riva')
  t.notMatch((await riva.get('/partner/history')).text, /Acme|Petra/)
  const uma = await panel.signIn('uma')
  t.notMatch((await uma.get('/customer/history')).text, /Acme|Petra/)
})

t.test('a history pages by 25, and counts all', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const first = await olga.get('/support/history')
  t.equal(first.tableRows.length, 25)
  const total = panel.rows().records?.length ?? 0
  t.match(first.text, `${total} records`)
  const last = await olga.get(first.link('Next') ?? '')
  t.equal(first.tableRows.length + last.tableRows.length, total)
  t.ok(last.link('First') && last.link('Previous'))
})

t.test('records are never edited or deleted, and identifiers never change: the database itself refuses', async (t) => {
  const panel = await startApp(t)
  const before = panel.rows()
  const { $client } = panel.db
  for (const [sql, why] of [
    ['UPDATE records SET actor_id = 1', /never edited/],
    ['DELETE FROM records', /never deleted/],
    ["UPDATE accounts SET identifier = 'x' WHERE id = 1", /never changes/],
    ['DELETE FROM accounts', /keeps its row/],
    ["UPDATE projects SET identifier = 'x'", /never changes/],
    ['UPDATE projects SET account_id = 1', /never changes/],
    ['DELETE FROM projects', /keeps its row/],
  ] as const)
    t.throws(() => $client.exec(sql), { message: why }, sql)
  t.strictSame(panel.rows(), before)
})

t.test('an invitation by Support goes out, too, to somebody who has a log-in', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts', 'Create account', {
    ...newAccount,
    adminName: 'Nils',
    adminEmail: cast.nils.email,
  })
  t.match(panel.db.select().from(invitations).all(), [{ email: cast.nils.email, role: 'admin', state: 'pending' }])
  const nils = await panel.signIn('nils')
  const joined = await nils.submitAndFollow('/', 'Accept')
  t.equal(joined.activeAccount, 'Wayne')
})
