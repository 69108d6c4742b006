import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, invitations, letters, projects, records } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { resendGap } from '../../src/mail/allowance.ts'
import { accountId, type Client, type Page, type Panel, startApp } from '../harness.ts'
import { until } from '../smtp.ts'

const day = 24 * 3_600_000
const removal = '/partner/customers/acme/removal'
const deletedCustomers = '/partner/deleted-customers'

/** Deletes Acme’s projects, then Acme. */
async function deleteAcme(panel: Panel, petra: Client): Promise<void> {
  const stella = await panel.signIn('stella')
  for (const project of ['website', 'shop'])
    await stella.submit(`/projects/${project}/removal`, 'Delete project', { identifier: project })
  const done = await petra.submitAndFollow(removal, 'Delete customer', { identifier: 'acme' })
  t.match(done.notice, 'Acme was deleted', done.text)
}

const account = (panel: Panel, identifier: string) =>
  panel.db.select().from(accounts).where(eq(accounts.identifier, identifier)).get()

t.test('a customer’s projects are deleted with it where that is ticked, and can be restored after it', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  const page = await petra.get(removal)
  t.match(page.text, /2 projects are deleted with it, and can be restored within the same 30 days.*Website \(website\)/)
  const before = panel.rows()
  const refused = await petra.press(page, 'Delete customer', { identifier: 'acme' })
  t.equal(refused.status, 422)
  t.match(refused.text, 'Tick this to delete its projects too.')
  t.strictSame(panel.rows(), before)
  t.throws(
    () => panel.db.update(accounts).set({ deletedAt: 1 }).where(eq(accounts.identifier, 'acme')).run(),
    /living projects/,
    'the database itself refuses it',
  )

  const markOf = (page: Page) => page.root.querySelector('input[name=projects]')?.getAttribute('value') ?? ''
  const ticked = { identifier: 'acme', projects: markOf(page) }
  await stella.submit('/projects', 'Create project', { name: 'Late', identifier: 'late' })
  const late = await petra.press(page, 'Delete customer', ticked)
  t.equal(late.status, 422, 'a project that the page did not name')
  t.match(late.text, /3 projects are deleted with it.*Its projects have changed/)
  t.equal(account(panel, 'acme')?.deletedAt, null)

  const done = await petra.press(late, 'Delete customer', { ...ticked, projects: markOf(late) })
  t.equal(done.location, '/partner/deleted-customers')
  t.not(account(panel, 'acme')?.deletedAt, null)
  t.match((await petra.open('/partner/history')).row('Website'), 'deleted the project')

  await petra.submit('/partner/deleted-customers', 'Restore', {}, 'acme')
  const deleted = await stella.open('/customer/projects/deleted')
  t.equal(deleted.tableRows.length, 3)
  await stella.press(deleted, 'Restore', {}, 'website')
  t.match((await stella.open('/projects/website')).text, 'Tom', 'with its people')
})

t.test('the page lists what would go, and wants the identifier typed', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, uma] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('uma')]
  await uma.submit('/customer/users', 'Invite', { name: 'Tom', email: cast.tom.email })
  await (await panel.signIn('tom')).submit('/', 'Accept')
  for (let n = 0; n < 23; n++)
    await stella.submit('/customer/users', 'Invite', { name: `Guest ${n}`, email: `guest${n}@acme.example` })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '4', ram: '2048' })
  await stella.submit('/customer/quotas', 'Send request', { projects: '9', reason: 'Growth' })
  await stella.submit('/customer/account', 'Ask to become a partner')
  for (const project of ['website', 'shop'])
    await stella.submit(`/projects/${project}/removal`, 'Delete project', { identifier: project })

  const page = await petra.get(removal)
  t.match(page.text, '2 users lose access; for 1 of them it is the only account: Stella (stella@acme.example)')
  t.notMatch(page.text, 'Tom (tom@acme.example)', 'who is in another account too is not left without one')
  t.match(page.text, '23 pending invitations cannot be accepted: Guest 22 (guest22@acme.example)')
  t.match(page.text, 'And 3 more.')
  t.match(page.text, '2 deleted projects cannot be restored unless the account is')
  t.match(page.text, 'Projects: 4, RAM: 2 GB. The pool gets them back')
  t.match(page.text, 'The request of Stella for more quota ends. The request to become a partner ends.')

  const before = panel.rows()
  for (const identifier of ['', 'Acme', 'initech']) {
    const refused = await petra.submit(removal, 'Delete customer', { identifier })
    t.equal(refused.status, 422)
    t.match(refused.error('identifier'), 'Type acme to delete the customer.')
  }
  t.strictSame(panel.rows().accounts, before.accounts, 'nothing else deletes it')
  const olga = await panel.signIn('olga')
  t.match((await olga.get('/')).text, 'Acme asks to become a partner')

  await petra.submit(removal, 'Delete customer', { identifier: ' acme ' })
  t.not(account(panel, 'acme')?.deletedAt, null)
  t.match((await olga.get('/')).text, 'You’re all caught up.')
  t.match((await petra.get('/partner/quotas')).text, 'No customer asks for more now.')
})

t.test('a deleted customer is in no list, no switcher and no count, and its members can do nothing more', async (t) => {
  const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'help@meshpanel.example' } })
  const [petra, stella, tom, olga] = [
    await panel.signIn('petra'),
    await panel.signIn('stella'),
    await panel.signIn('tom'),
    await panel.signIn('olga'),
  ]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  await stella.submit('/projects/website/removal', 'Delete project', { identifier: 'website' })
  await stella.submit('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  const [openTab, deletedProjects] = [await stella.get('/projects'), await stella.get('/customer/projects/deleted')]
  const nils = await panel.signIn('nils')
  t.match((await nils.get('/')).text, 'invites you to Acme')
  const waiting = await nils.get('/')
  await petra.submit(removal, 'Delete customer', { identifier: 'acme' })
  const before = panel.rows()

  const created = await stella.press(openTab, 'Create project', { name: 'Sly', identifier: 'sly' })
  t.equal(created.status, 403)
  t.equal(created.title, 'Acme was deleted')
  t.match(created.problem, 'For 30 days it can be restored: ask Cloudhaus, who looked after it.')
  t.equal((await stella.press(deletedProjects, 'Restore', {}, 'Shop')).status, 403)
  for (const path of ['/projects', '/customer/users', '/customer/account', '/customer/account/export']) {
    const refused = await tom.get(path)
    t.equal(refused.status, 403, path)
    t.match(refused.problem, 'was deleted', path)
  }
  t.match((await tom.get('/')).problem, 'Acme, in which you worked, was deleted.')
  t.same((await tom.get('/')).switcher, [])
  t.equal((await tom.get('/projects?account=acme')).status, 404, 'a link does not lead into it')
  t.equal((await tom.get('/profile/accounts/acme/removal')).status, 404)
  t.equal((await nils.press(waiting, 'Accept')).location, '/')
  t.notMatch((await nils.get('/')).text, 'Acme')
  t.strictSame(panel.rows().memberships, before.memberships)
  t.strictSame(panel.rows().projects, before.projects)

  t.same((await petra.get('/')).switcher, ['Cloudhaus'])
  t.notMatch((await petra.get('/partner/customers')).text, 'Acme')
  t.match((await petra.get('/partner/customers')).text, / 1 customer$/)
  t.notMatch((await petra.get('/partner/customers?q=acme')).tableRows.join(), 'Acme')
  for (const page of ['users', 'projects', 'quotas', 'removal', 'suspension'])
    t.equal((await petra.get(`/partner/customers/acme/${page}`)).status, 404, page)
  t.notMatch((await petra.get('/partner/quotas.csv')).body, 'acme')
  t.match((await olga.get('/support/users?q=stella')).row('Stella'), / 0 /, 'Stella is counted in no account')

  const accountsPage = await olga.get('/support/accounts')
  t.notMatch(accountsPage.tableRows.join(), 'Acme')
  t.match(accountsPage.row('cloudhaus'), 'Partner, 1 customer')
  const deleted = await olga.get('/support/accounts?status=deleted')
  t.equal(deleted.tableRows.length, 1)
  t.match(deleted.row('Acme'), 'Cloudhaus can restore it until')
  t.notOk(deleted.hasButton('Restore'))
  for (const page of ['quotas', 'suspension', 'removal', 'partner'])
    t.equal((await olga.get(`/support/accounts/acme/${page}`)).status, 404, page)
  t.equal((await olga.post('/support/accounts/acme/partnership')).status, 404)
  t.equal((await olga.post('/support/accounts/acme/restoration')).status, 404, 'its partner restores it')
  const again = await petra.submit('/partner/customers', 'Create customer', { name: 'Acme', identifier: 'acme' })
  t.match(again.error('identifier'), 'is taken, or was once')
})

t.test(
  'a deleted customer is listed with who deleted it and until when, and restoring brings everything back',
  async (t) => {
    const panel = await startApp(t)
    const [petra, max, stella] = [await panel.signIn('petra'), await panel.signIn('max'), await panel.signIn('stella')]
    await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
    await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '16' })
    t.match((await petra.get(deletedCustomers)).text, 'No customer was deleted')
    await deleteAcme(panel, petra)

    const list = await petra.get(deletedCustomers)
    t.ok(list.areaMenu.includes('Deleted customers'))
    t.match(list.row('Acme'), /acme 2 .* Petra .*/)
    t.match(list.text, '1 deleted customer')
    t.match((await petra.get(`${deletedCustomers}?q=cme`)).text, '1 deleted customer found')
    t.match((await petra.get(`${deletedCustomers}?q=nothing`)).text, 'Nothing matches')
    t.match((await petra.get(`${deletedCustomers}?download=csv`)).body, /Acme,acme,2,.*,Petra,/)
    t.notOk((await max.get(deletedCustomers)).hasButton('Restore'), 'a Partner User restores nothing')
    t.equal((await max.post(`${deletedCustomers}/acme/restoration`)).status, 403)
    const riva = await panel.signIn('riva')
    t.notMatch((await riva.get(deletedCustomers)).body, 'Acme')
    t.equal((await riva.post(`${deletedCustomers}/acme/restoration`)).status, 404)

    const restored = await petra.submitAndFollow(deletedCustomers, 'Restore', {}, 'Acme')
    t.match(restored.notice, 'Acme is restored')
    t.match(restored.row('Acme'), 'acme 2')
    t.match((await petra.get(deletedCustomers)).text, 'No customer was deleted')
    t.equal((await petra.post(`${deletedCustomers}/acme/restoration`)).status, 404, 'what lives is not restored')
    t.equal((await stella.get('/projects')).status, 200, 'an open tab goes on')
    t.match((await stella.get('/customer/projects/deleted')).row('Website'), 'Restore')
    t.equal((await petra.get('/partner/customers/acme/quotas')).amount('cores'), 16)
    const nils = await panel.signIn('nils')
    t.match((await nils.submitAndFollow('/', 'Accept')).activeAccount, 'Acme')
    const history = await stella.get('/customer/history?family=account')
    t.match(history.row('restored the account'), 'Petra of Cloudhaus Partner')
    t.match(history.row('deleted the account'), 'Petra of Cloudhaus Partner')
  },
)

t.test('users who log in after the deletion read on Home who to ask', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await deleteAcme(panel, petra)
  for (const name of ['stella', 'tom'] as const)
    t.match(
      (await (await panel.signIn(name)).get('/')).text,
      'Acme, an account of yours, was deleted. For 30 days it can be restored: ask Cloudhaus, who looked after it.',
    )
  t.notMatch((await (await panel.signIn('nils')).get('/')).text, 'was deleted')
})

t.test('an account whose last admin is gone is restored with words on what to do', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await deleteAcme(panel, petra)
  await stella.submit('/profile/removal', 'Delete my user', { email: cast.stella.email })
  const restored = await petra.submitAndFollow(deletedCustomers, 'Restore', {}, 'Acme')
  t.match(restored.notice, 'None of them is a Customer Admin now. Add yourself under its Customer Users')
  t.equal((await petra.submit('/partner/customers/acme/users', 'Add Myself')).status, 303)
})

t.test('a deleted customer holds nothing of the pool, and is restored only where the pool has room', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = [await panel.signIn('olga'), await panel.signIn('petra')]
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { projects: '10', cores: '20' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { projects: '6', cores: '16' })
  const tooMuch = await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { projects: '5' })
  t.match(tooMuch.error('projects'), 'has 4 available')
  await deleteAcme(panel, petra)
  const given = await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { projects: '5', cores: '20' })
  t.equal(given.status, 303, 'the pool has got it back')

  const refused = await petra.submit(deletedCustomers, 'Restore', {}, 'Acme')
  t.equal(refused.status, 422)
  t.match(refused.problem, 'Acme had 6 of Projects, and 5 are available; Acme had 16 of Cores, and 0 are available.')
  t.not(account(panel, 'acme')?.deletedAt, null)
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { projects: '4', cores: '4' })
  t.equal((await petra.submit(deletedCustomers, 'Restore', {}, 'Acme')).status, 303)
  t.match((await petra.get('/partner/quotas')).text, '10')
  const more = await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { projects: '5' })
  t.match(more.error('projects'), 'has 0 available', 'and what is restored holds it again')
})

t.test('invitations to a deleted customer cannot be accepted by any link, and say so', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  const copied = await stella.submit('/customer/users', 'Copy link', {}, 'nora@acme.example')
  const link = /\/invitations\/[\w-]{43}/.exec(copied.body)?.[0] ?? ''
  const visitor = panel.visit()
  const open = await visitor.get(link)
  await deleteAcme(panel, petra)
  const words = 'correct horse battery staple'
  const accepted = await visitor.press(open, 'Accept invitation', { name: 'Nora', password: words, repeated: words })
  t.equal(accepted.status, 409)
  t.match(accepted.problem, 'Acme was deleted, so nobody can join it.')
  t.match((await visitor.get(link)).text, 'Ask Stella (stella@acme.example)')
  t.equal(panel.db.select().from(invitations).where(eq(invitations.email, 'nora@acme.example')).get()?.state, 'pending')
  await petra.submit(deletedCustomers, 'Restore', {}, 'Acme')
  t.ok((await visitor.get(link)).hasButton('Accept invitation'))
})

t.test('no letter about a deleted customer goes out, and its running imports stop', async (t) => {
  const panel = await startApp(t, { settings: { SMTP_URL: 'smtp://127.0.0.1:9' } })
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await stella.submit('/customer/users', 'Invite', { name: 'Nora', email: 'nora@acme.example' })
  const rows = Array.from({ length: 4_000 }, (_, n) => `Guest ${n},guest${n}@acme.example`)
  const file = { name: 'guests.csv', bytes: Buffer.from(`name,e-mail\n${rows.join('\n')}`) }
  const checked = await stella.upload('/customer/imports', 'Check the file', file)
  for (const project of ['website', 'shop'])
    await stella.submit(`/projects/${project}/removal`, 'Delete project', { identifier: project })
  const page = await petra.get(removal)
  await stella.press(checked, 'Import 4,000 users')
  await petra.press(page, 'Delete customer', { identifier: 'acme' })
  t.match(panel.rows().imports, [{ state: 'stopped' }])
  const invited = () => panel.rows().invitations?.length ?? 0
  t.ok(invited() < 4_001, 'not every row was carried out')
  const then = invited()
  /** All but the one that tells of the deletion itself. */
  const others = () =>
    panel.db
      .select()
      .from(letters)
      .all()
      .filter(({ subject }) => subject !== 'Acme was deleted')
  await until('the letters are withdrawn', () => others().every(({ state }) => state === 'withdrawn'))
  t.equal(invited(), then, 'and none follows')
  t.ok(
    others().every(({ body, error }) => body === null && error === 'Not sent: the account was deleted.'),
    'nothing of them can be sent again, and each says why',
  )
  const data = { account: 'Acme', granted: true, link: 'http://localhost:3000/' }
  const late = { kind: 'partner-decision', email: 'late@acme.example', name: 'Late', data } as const
  const reason = { because: 'support' } as const
  panel.app.postLetter(panel.db, panel.app.now(), { ...late, reason, accountId: accountId(panel, 'acme') })
  await until('one that is written later is withdrawn too', () => {
    // The server is not there: the worker waits each time before it looks at the next.
    panel.pass(11 * 60_000)
    panel.app.wakeMail()
    const letter = panel.db.select().from(letters).where(eq(letters.email, late.email)).get()
    return letter?.state === 'withdrawn'
  })
  // Hours may have passed, and Support's session with them.
  const olga = await panel.signIn('olga')
  t.match((await olga.get('/support/history?family=import')).tableRows.join(), 'finished importing a file')
  await petra.submit(deletedCustomers, 'Restore', {}, 'Acme')
  panel.pass(resendGap)
  const again = await stella.submitAndFollow('/customer/users?invited-q=nora', 'Resend')
  t.match(again.notice, 'Invitation sent again to nora@acme.example')
})

t.test('after 30 days a deleted customer goes for good, except for its identifier and the records', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await stella.submit('/customer/users', 'Invite', { name: 'Nora Guest', email: 'nora@acme.example' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '2' })
  await stella.submit('/customer/quotas?project=website', 'Send request', { cores: '5', reason: 'Secret reason' })
  await stella.submit('/customer/imports', 'Check the file', { text: 'name,e-mail\nRow,row@acme.example' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '16', remark: 'Secret remark' })
  await until('the letters are kept', () =>
    panel.db
      .select()
      .from(letters)
      .all()
      .every(({ state }) => state === 'kept'),
  )
  const folder = join(panel.dataDir, 'mail')
  t.ok(readdirSync(folder).length > 0)
  await deleteAcme(panel, petra)
  const acme = account(panel, 'acme')
  const recorded = panel.db.select().from(records).all().length
  await panel.close()

  const setBack = await startApp(t, { dataDir: panel.dataDir })
  t.equal(account(setBack, 'acme')?.purgedAt, null, 'a start purges nothing before its time')
  setBack.db
    .update(accounts)
    .set({ deletedAt: Date.now() - 30 * day })
    .where(eq(accounts.identifier, 'acme'))
    .run()
  await setBack.close()

  const later = await startApp(t, { dataDir: panel.dataDir })
  await until('the start purges it', () => account(later, 'acme')?.purgedAt !== null)
  t.match(account(later, 'acme'), { id: acme?.id, identifier: 'acme', name: '', partnerId: null })
  const tables = later.rows()
  const left = Object.entries(tables).filter(([, rows]) =>
    rows.some((row) => (row as { account_id?: number }).account_id === acme?.id),
  )
  t.same(left.map(([table]) => table).sort(), ['projects', 'records'], 'rows of projects stay for their identifiers')
  t.ok(
    later.db
      .select()
      .from(projects)
      .all()
      .every(({ name, purgedAt }) => name === '' && purgedAt !== null),
    'their names go too',
  )
  const { records: kept, users, ...rest } = tables
  for (const word of ['Nora', 'Secret', 'row@acme', 'Acme', 'Website'])
    t.notMatch(JSON.stringify(rest), word, `${word} is nowhere but in the records`)
  t.same(readdirSync(folder), [], 'the letters’ files are gone')
  t.equal(kept?.length, recorded + 3, 'no record has gone, and the purge is recorded')
  t.match(JSON.stringify(users), 'stella@acme.example', 'people stay')

  const again = await later.signIn('petra')
  t.match((await again.get(deletedCustomers)).text, 'No customer was deleted')
  t.equal((await again.post(`${deletedCustomers}/acme/restoration`)).status, 404)
  const taken = await again.submit('/partner/customers', 'Create customer', { name: 'Acme', identifier: 'acme' })
  t.match(taken.error('identifier'), 'is taken, or was once')
  const olga = await later.signIn('olga')
  t.equal((await olga.get('/support/accounts?status=deleted')).tableRows.length, 0)
  t.match((await olga.get('/support/history')).row('for good'), 'The panel')
  t.match((await olga.get('/support/history?q=acme')).tableRows.join(), 'deleted acme')
  t.throws(
    () => later.db.update(accounts).set({ deletedAt: null }).where(eq(accounts.identifier, 'acme')).run(),
    /never restored/,
  )
  const gone = await later.signIn('stella')
  t.match((await gone.get('/')).text, 'You are in no account yet')
})

t.test('after 30 days nothing is restored, even where the purge has not come yet', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await deleteAcme(panel, petra)
  panel.pass(30 * day - 60_000)
  const late = await panel.signIn('petra')
  const page = await late.get(deletedCustomers)
  t.ok(page.hasButton('Restore'))
  panel.pass(60_000)
  t.equal((await late.press(page, 'Restore', {}, 'Acme')).status, 404)
  t.match((await late.get(deletedCustomers)).text, 'No customer was deleted')
})

t.test('Support deletes and restores accounts without a partner, and no others', async (t) => {
  const panel = await startApp(t)
  const [olga, dora] = [await panel.signIn('olga'), await panel.signIn('dora')]
  for (const other of ['acme', 'cloudhaus']) {
    t.equal((await olga.get(`/support/accounts/${other}/removal`)).status, 404, other)
    t.equal((await olga.post(`/support/accounts/${other}/removal`, { identifier: other })).status, 404, other)
  }
  t.equal((await olga.submit('/support/accounts/direct/removal', 'Delete account', { identifier: 'x' })).status, 422)
  const done = await olga.submitAndFollow('/support/accounts/direct/removal', 'Delete account', {
    identifier: 'direct',
  })
  t.match(done.notice, 'Direct was deleted')
  t.match(done.row('Direct'), 'deleted')
  t.match(
    (await dora.get('/projects')).problem,
    'Direct, in which you worked, was deleted. For 30 days it can be restored: ask Support',
  )
  const back = await olga.submitAndFollow('/support/accounts?status=deleted', 'Restore', {}, 'Direct')
  t.match(back.notice, 'Direct is restored')
  t.equal((await dora.get('/projects')).status, 200)
})

t.test('a partner with deleted customers becomes a customer account only when they are gone for good', async (t) => {
  const panel = await startApp(t)
  const [olga, riva] = [await panel.signIn('olga'), await panel.signIn('riva')]
  const make = () => olga.submitAndFollow('/support/accounts', 'Make customer', {}, 'rival')
  t.match((await make()).notice, 'Rival still has customers')
  await riva.submit('/partner/customers/umbrella/removal', 'Delete customer', { identifier: 'umbrella' })
  t.match((await make()).notice, 'Rival has deleted customers that it can still restore')
  t.equal(account(panel, 'rival')?.kind, 'partner')
  panel.db.update(accounts).set({ deletedAt: 1 }).where(eq(accounts.identifier, 'umbrella')).run()
  await panel.close()
  const later = await startApp(t, { dataDir: panel.dataDir })
  await until('the purge has come', () => account(later, 'umbrella')?.purgedAt !== null)
  const again = await later.signIn('olga')
  t.match(
    (await again.submitAndFollow('/support/accounts', 'Make customer', {}, 'rival')).notice,
    'Rival is a customer account now',
  )
})

t.test('Support restores the deleted customers of a partner that cannot act, within its pool', async (t) => {
  for (const stopped of ['the partner is suspended', 'its last admin is disabled'] as const) {
    const panel = await startApp(t, { settings: { SUPPORT_EMAIL: 'help@meshpanel.example' } })
    const [olga, petra, ines] = [await panel.signIn('olga'), await panel.signIn('petra'), await panel.signIn('ines')]
    await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '16' })
    await petra.submit('/partner/customers/initech/removal', 'Delete customer', { identifier: 'initech' })
    const deleted = '/support/accounts?status=deleted'
    t.match((await olga.get(deleted)).row('Initech'), 'Cloudhaus can restore it until')
    t.match((await ines.get('/')).problem, 'ask Cloudhaus, who looked after it')
    const restoration = '/support/accounts/initech/restoration'
    t.equal((await olga.post(restoration)).status, 404, 'its partner can act')

    if (stopped === 'the partner is suspended')
      await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'The contract ended.' })
    else await olga.submit('/support/users', 'Disable', {}, cast.petra.email)
    t.notMatch((await olga.get(deleted)).row('Initech'), 'Cloudhaus can restore it')
    t.match((await ines.get('/')).problem, 'For 30 days it can be restored: ask Support: help@meshpanel.example')
    t.match((await (await panel.signIn('ines')).get('/')).text, 'ask Support: help@meshpanel.example')

    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '8' })
    const refused = await olga.submit(deleted, 'Restore', {}, 'Initech')
    t.equal(refused.status, 422)
    t.match(refused.text, 'The pool of Cloudhaus no longer has room for Initech: Initech had 16 of Cores')
    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '16' })
    const restored = await olga.submitAndFollow(deleted, 'Restore', {}, 'Initech')
    t.match(restored.notice, 'Initech is restored, and its users can work in it again.', stopped)
    t.equal((await ines.get('/projects')).status, 200)
    t.equal((await olga.get('/support/accounts/initech/users')).status, 200)
  }
})

t.test('who restores a suspended customer reads whose suspension it is', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, ines] = [await panel.signIn('olga'), await panel.signIn('petra'), await panel.signIn('ines')]
  await olga.submit('/support/accounts/initech/suspension', 'Suspend', { reason: 'Abuse' })
  const removal = '/partner/customers/initech/removal'
  await petra.submit(removal, 'Delete customer', { identifier: 'initech' })
  const restored = await petra.submitAndFollow(deletedCustomers, 'Restore', {}, 'Initech')
  t.match(restored.notice, 'Initech is restored. It is still suspended by Support: its users can work in it once')
  t.equal((await ines.get('/projects')).status, 403)
  await petra.submit('/partner/customers/initech/suspension', 'Suspend', { reason: 'Unpaid' })
  await petra.submit(removal, 'Delete customer', { identifier: 'initech' })
  t.match(
    (await petra.submitAndFollow(deletedCustomers, 'Restore', {}, 'Initech')).notice,
    'It is still suspended by Support and by Cloudhaus:',
  )
})
