import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, keptAccess, memberships, projects, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { accountId, type Client, type Panel, startApp, userId } from '../harness.ts'
import { until } from '../smtp.ts'

const day = 24 * 3_600_000
const deleted = '/customer/projects/deleted'

const remove = (client: Client, project: string) =>
  client.submitAndFollow(`/projects/${project}/removal`, 'Delete project', { identifier: project })

const project = (panel: Panel, identifier: string) =>
  panel.db.select().from(projects).where(eq(projects.identifier, identifier)).get()

t.test('a deleted project is listed with who deleted it and until when, and nowhere else', async (t) => {
  const panel = await startApp(t)
  const [stella, tom, petra] = [await panel.signIn('stella'), await panel.signIn('tom'), await panel.signIn('petra')]
  t.match((await stella.get(deleted)).text, 'No project was deleted in the last 30 days.')
  t.match((await stella.get('/projects/website/removal')).text, 'For 30 days it can be restored')
  await remove(stella, 'website')

  t.equal((await stella.get('/customer/projects')).link('Deleted projects'), deleted)
  const list = await stella.get(deleted)
  t.match(list.row('Website'), /^Website website 2 .* Stella /)
  t.match(list.text, '1 deleted project')
  t.match((await stella.get(`${deleted}?q=ebsi`)).text, '1 deleted project found')
  t.match((await stella.get(`${deleted}?q=shop`)).text, 'Nothing matches')
  t.match((await stella.get(`${deleted}?download=csv`)).body, /Website,website,2,.*,Stella,/)
  t.notOk((await tom.get('/customer/projects')).link('Deleted projects'))
  t.equal((await tom.get(deleted)).status, 403)
  t.equal((await tom.get('/projects/website')).status, 404)
  for (const path of ['/projects', '/customer/projects', '/customer/quotas'])
    t.notMatch((await stella.get(path)).body, 'Website', path)
  t.notMatch((await petra.get('/partner/customers/acme/projects')).body, 'Website')
  t.equal((await stella.post('/projects/website/access', { people: '1', role: 'user' })).status, 404)
})

t.test('who accepts an invitation to a deleted project is in it once it is restored', async (t) => {
  const panel = await startApp(t)
  const [stella, nils] = [await panel.signIn('stella'), await panel.signIn('nils')]
  const id = String(project(panel, 'website')?.id)
  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email, projects: id })
  await remove(stella, 'website')
  await nils.submit('/', 'Accept')
  await nils.switchTo('acme')
  t.equal((await nils.get('/projects/website')).status, 404)
  await stella.submit(deleted, 'Restore', {}, 'Website')
  t.equal((await nils.get('/projects/website')).status, 200)
})

t.test('a restored project has its people and limits again', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  await stella.submit('/projects/website', 'Save quotas', { cores: '8', ram: '2048' })
  await stella.submit('/customer/users', 'Invite', {
    name: 'Nils',
    email: cast.nils.email,
    projects: String(project(panel, 'website')?.id),
  })
  const before = panel.rows()
  await remove(stella, 'website')
  t.match((await stella.get('/customer/quotas')).text, 'Cores')
  t.equal(
    panel.rows().limits?.filter((row) => (row as { amount: number }).amount > 0).length,
    0,
    'nothing of it stays given out',
  )

  const done = await stella.submitAndFollow(deleted, 'Restore', {}, 'Website')
  t.equal(done.notice, 'Website is restored with 2 people.')
  t.equal(done.path, '/projects/website')
  t.match(done.row('Tom'), 'Project User')
  t.match(done.row('stella@acme.example'), 'Project Admin')
  t.equal(done.amount('cores'), 8)
  t.equal(done.amount('ram'), 2048)
  t.equal((await tom.get('/projects/website')).status, 200)
  const roles = (rows: unknown[] | undefined) =>
    (rows as { project_id: number; user_id: number; role: string }[]).map(({ project_id, user_id, role }) => [
      project_id,
      user_id,
      role,
    ])
  t.same(roles(panel.rows().project_access), roles(before.project_access))
  t.same([panel.rows().kept_access, panel.rows().kept_limits], [[], []])
  t.match((await stella.get(deleted)).text, 'No project was deleted')
  const nils = await panel.signIn('nils')
  await nils.submitAndFollow('/', 'Accept')
  t.equal((await nils.get('/projects/website')).status, 200, 'an invitation to it leads to it again')
  const history = await stella.get('/customer/history?family=project')
  t.match(history.row('restored the project'), 'Stella restored the project Website')
})

t.test('users who have left the account do not come back with a restored project', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  await remove(stella, 'website')
  await tom.submit('/profile/accounts/acme/removal', 'Leave Acme')
  t.equal(panel.db.select().from(keptAccess).all().length, 1)
  const done = await stella.submitAndFollow(deleted, 'Restore', {}, 'Website')
  t.equal(done.notice, 'Website is restored with 1 person.')
  t.notOk(done.row('Tom'))
})

t.test('a user who is deleted is forgotten by deleted projects too', async (t) => {
  const panel = await startApp(t)
  const [stella, tom] = [await panel.signIn('stella'), await panel.signIn('tom')]
  await remove(stella, 'website')
  await tom.submit('/profile/removal', 'Delete my user', { email: cast.tom.email })
  const gone = panel.db.select().from(users).where(eq(users.name, 'Deleted user')).get()
  t.ok(gone?.deletedAt)
  t.notOk(
    panel.db
      .select()
      .from(keptAccess)
      .all()
      .some(({ userId }) => userId === gone?.id),
  )
})

t.test('restoring needs a free project, and gives limits as far as the account has them left', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', {
    projects: '2',
    cores: '16',
    ram: '4096',
    volumes: '3',
  })
  await stella.submit('/projects/website', 'Save quotas', { cores: '10', ram: '1024', volumes: '3' })
  await remove(stella, 'website')
  await stella.submit('/projects', 'Create project', { name: 'Third', identifier: 'third' })
  await stella.submit('/projects/third', 'Save quotas', { cores: '12', volumes: '3' })

  const full = await stella.get(deleted)
  t.match(full.problem, 'There is no room for one more project now.')
  const before = panel.rows()
  const refused = await stella.press(full, 'Restore', {}, 'Website')
  t.equal(refused.status, 422)
  t.match(refused.problem, 'restoring it needs a free project in the quota')
  t.strictSame(
    [panel.rows().projects, panel.rows().kept_access, panel.rows().kept_limits],
    [before.projects, before.kept_access, before.kept_limits],
  )

  await remove(stella, 'shop')
  const done = await stella.submitAndFollow(deleted, 'Restore', {}, 'Website')
  t.match(
    done.notice,
    'The account has less available than it had, so the project got less: Cores 4 instead of 10, Volumes 0 instead of 3.',
  )
  t.equal(done.amount('cores'), 4)
  t.equal(done.amount('ram'), 1024)
  t.equal(done.amount('volumes'), 0)
  const over = await stella.submit('/projects/website', 'Save quotas', { cores: '5' })
  t.match(over.error('cores'), 'Acme has 0 available', 'and not one more')
})

t.test('another’s deleted project answers as a missing one', async (t) => {
  const panel = await startApp(t)
  const [stella, uma] = [await panel.signIn('stella'), await panel.signIn('uma')]
  await remove(stella, 'website')
  t.notMatch((await uma.get(deleted)).body, 'Website')
  const [foreign, missing, living] = [
    await uma.post(`${deleted}/website/restoration`),
    await uma.post(`${deleted}/nothing/restoration`),
    await stella.post(`${deleted}/shop/restoration`),
  ]
  t.same([foreign.status, missing.status, living.status], [404, 404, 404])
  t.equal(foreign.withoutTokens, missing.withoutTokens)
  t.not(project(panel, 'website')?.deletedAt, null)
})

t.test('after 30 days a deleted project goes for good, except for its identifier and the records', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/website', 'Save quotas', { cores: '8' })
  await stella.submit('/customer/quotas?project=website', 'Send request', { cores: '9', reason: 'Secret reason' })
  await stella.submit('/customer/users', 'Invite', {
    name: 'Nils',
    email: cast.nils.email,
    projects: String(project(panel, 'website')?.id),
  })
  await remove(stella, 'website')
  await remove(stella, 'shop')
  const page = await stella.get(deleted)
  panel.jump(30 * day)
  const late = await panel.signIn('stella')
  t.match((await late.get(deleted)).text, 'No project was deleted')
  t.equal((await late.post(`${deleted}/shop/restoration`)).status, 404, 'where the purge has not come yet')
  t.ok(page.hasButton('Restore'))
  panel.db
    .update(projects)
    .set({ deletedAt: Date.now() - 30 * day })
    .where(eq(projects.identifier, 'website'))
    .run()
  await panel.close()

  const later = await startApp(t, { dataDir: panel.dataDir })
  await until('the start purges it', () => project(later, 'website')?.purgedAt !== null)
  t.match(project(later, 'website'), { name: '', identifier: 'website' })
  t.equal(project(later, 'shop')?.purgedAt, null, 'what is not due stays')
  // What was typed stands beside the records, and stays with them.
  const { records, personal_changes, ...rest } = later.rows()
  for (const word of ['Website', 'Secret reason']) t.notMatch(JSON.stringify(rest), word)
  const id = project(later, 'website')?.id
  for (const table of ['kept_access', 'kept_limits', 'limits', 'invitation_projects', 'quota_requests'])
    t.notOk(
      rest[table]?.some((row) => (row as { project_id: number }).project_id === id),
      table,
    )
  t.ok(records?.length)
  const again = await later.signIn('stella')
  t.same((await again.get(deleted)).tableRows.length, 1)
  const taken = await again.submit('/projects', 'Create project', { name: 'Website', identifier: 'website' })
  t.match(taken.error('identifier'), 'is taken in this account, or was once')
  const history = await again.get('/customer/history?family=project')
  t.match(history.row('for good'), 'The panel removed the project website for good')
  t.throws(
    () => later.db.update(projects).set({ deletedAt: null }).where(eq(projects.identifier, 'website')).run(),
    /never restored/,
  )
})

t.test('nothing comes into a deleted account: the database itself refuses it', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const stella = await panel.signIn('stella')
  await remove(stella, 'website')
  await remove(stella, 'shop')
  const acme = accountId({ db }, 'acme')
  db.update(accounts).set({ deletedAt: panel.app.now() }).where(eq(accounts.id, acme)).run()
  t.throws(
    () =>
      db.insert(projects).values({ accountId: acme, name: 'N', identifier: 'new', search: 'n', createdAt: 1 }).run(),
    /takes no project/,
  )
  t.throws(
    () => db.update(projects).set({ deletedAt: null }).where(eq(projects.identifier, 'shop')).run(),
    /takes no project/,
  )
  t.throws(
    () =>
      db
        .insert(memberships)
        .values({ accountId: acme, userId: userId(panel, 'olga'), role: 'admin', createdAt: 1, lastUsedAt: 1 })
        .run(),
    /nobody joins/,
  )
  t.throws(
    () => db.update(accounts).set({ deletedAt: 1 }).where(eq(accounts.identifier, 'cloudhaus')).run(),
    /partner account/,
  )
})
