import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { desc, eq } from 'drizzle-orm'
import t from 'tap'
import { listChoices, memberships, records, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { publicUrl, startApp, userId } from '../harness.ts'
import { until } from '../smtp.ts'

t.test('everybody downloads what the panel keeps about them', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  await tom.submit('/profile', 'Save name', { name: 'Thomas' })
  const answer = await tom.submit('/profile', 'Download my data')
  t.match(answer.response.headers['content-disposition'], 'attachment')
  const data = JSON.parse(answer.body)
  t.match(data.user, { name: 'Thomas', email: cast.tom.email })
  t.match(data.accounts, [{ account: 'acme', role: 'member' }])
  t.match(data.projects, [{ project: 'website', role: 'user' }])
  t.match(data.sessions, [{ ip: '127.0.0.1' }])
  t.match(panel.db.select().from(records).orderBy(desc(records.id)).get(), { kind: 'user.data-downloaded' }, 'recorded')
  t.match(data.changesOfMyName, [{ before: 'Tom', after: 'Thomas' }])
  t.ok(data.history.some(({ what, byMe }: { what: string; byMe: boolean }) => what === 'user.renamed' && byMe))
  t.match(data.history[0].at, /^\d{4}-\d\d-\d\dT/)
  for (const other of [cast.stella.email, 'Shop', 'Initech', 'hash', 'argon2'])
    t.notMatch(answer.body, other, `nothing of “${other}”`)
  t.match((await panel.visit().get('/profile/data')).location, '/login')

  const stella = await panel.signIn('stella')
  await stella.submit('/projects/website/removal', 'Delete project', { identifier: 'website' })
  const after = JSON.parse((await tom.submit('/profile', 'Download my data')).body)
  t.same(after.projects, [])
  t.same(after.deletedProjects, [{ account: 'acme', project: 'website', role: 'user' }], 'kept for its restoration')
})

t.test('the download has notifications that may be read, and the choices of one user alone', async (t) => {
  const panel = await startApp(t)
  const [stella, tom, petra] = [await panel.signIn('stella'), await panel.signIn('tom'), await panel.signIn('petra')]
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '5' })
  await stella.submit('/profile/notifications', 'Save changes', { 'mail-limits': 'daily' })
  const list = '/customer/users'
  await stella.get(`${list}?sort=joined&size=50`, {
    referer: publicUrl + list,
    'sec-fetch-site': 'same-origin',
    'sec-fetch-mode': 'navigate',
  })
  await stella.submit(`${list}?q=tom&role=member`, 'Save view', { viewName: 'Toms' })
  const choices = panel.db.select().from(listChoices).all()
  const downloaded = async (who: typeof tom) => JSON.parse((await who.submit('/profile', 'Download my data')).body)
  const data = await downloaded(stella)
  const limitNews = ({ notifications }: { notifications: { what: string }[] }) =>
    notifications.filter(({ what }) => what === 'limit.changed')
  t.match(limitNews(data), [{ what: 'limit.changed', topic: 'limits', account: 'acme', toldAs: 'admins' }])
  t.match(data.notifications[0].createdAt, /^\d{4}-\d\d-\d\dT/)
  t.match(data.notificationChoices, [{ topic: 'limits', way: 'daily' }])
  t.same(
    data.listChoices,
    choices.filter((row) => row.userId === userId(panel, 'stella')).map(({ list, query }) => ({ list, query })),
  )
  t.equal(data.listChoices.length, 1)
  t.same(data.savedViews, [{ account: 'acme', list: 'users', name: 'Toms', search: 'tom', query: 'role=member' }])
  const other = await downloaded(tom)
  t.same(
    [limitNews(other), other.notificationChoices, other.listChoices, other.savedViews],
    [[], [], [], []],
    'nothing of Stella’s',
  )

  panel.db
    .update(memberships)
    .set({ role: 'member' })
    .where(eq(memberships.userId, userId(panel, 'stella')))
    .run()
  t.same(limitNews(await downloaded(stella)), [], 'nor what only an admin may read')
})

t.test('a user who is deleted leaves every account; name and e-mail go everywhere, the records stay', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const stella = await panel.signIn('stella')
  const ines = await panel.signIn('ines')
  await tom.submit('/profile', 'Save name', { name: 'Thomas Deletable' })
  await tom.submit('/profile', 'Change e-mail', { email: 'thomas@deletable.example' })
  await ines.submit('/customer/users', 'Invite', { name: 'Thomas Deletable', email: cast.tom.email })
  await until('letters are kept', () =>
    panel.rows().letters?.every((row) => (row as { state: string }).state === 'kept'),
  )
  const tomId = userId(panel, 'tom')
  const recordsBefore = panel.db.select().from(records).all()

  const wrong = await tom.submit('/profile/removal', 'Delete my user', { email: 'tom' })
  t.equal(wrong.status, 422)
  t.match(wrong.error('email'), `Type ${cast.tom.email}`)
  const gone = await tom.submitAndFollow('/profile/removal', 'Delete my user', { email: cast.tom.email })
  t.match(gone.notice, 'Your user was deleted')
  t.match((await tom.get('/projects')).location, '/login')
  t.equal((await panel.visit().logIn(cast.tom.email)).status, 422)
  t.equal((await panel.visit().logIn(`deleted-${tomId}@deleted.invalid`, '')).status, 422)

  const kept = JSON.stringify(panel.rows())
  for (const word of ['Thomas', 'thomas@deletable', 'tom@acme.example', 'thomas deletable'])
    t.notOk(kept.includes(word), `no row holds “${word}”`)
  const files = join(panel.dataDir, 'mail')
  t.notOk(existsSync(files) && readdirSync(files).some((file) => file === '1.eml' || file === '2.eml'))

  t.same(panel.db.select().from(records).all().slice(0, recordsBefore.length), recordsBefore, 'no record was edited')
  t.equal(panel.db.select().from(memberships).where(eq(memberships.userId, tomId)).all().length, 0)
  const history = await stella.get('/customer/history')
  t.match(history.row('with the deletion of'), 'Deleted user')
  t.notMatch((await stella.get('/customer/users')).text, 'Thomas')
  t.match((await ines.get('/customer/users')).text, 'No pending invitations', 'the open invitation ended')
})

t.test('the last admin of others is needed; who is alone in an account may go', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.get('/profile/removal')
  t.match(page.text, /not possible yet.*Acme/)
  t.notOk(page.hasButton('Delete my user'))
  const before = panel.rows().users
  t.equal((await stella.post('/profile/removal', { email: cast.stella.email })).status, 422)
  t.strictSame(panel.rows().users, before)

  const ines = await panel.signIn('ines')
  t.match((await ines.get('/profile/removal')).text, /Nobody will be left in 1 account.*Initech/)
  t.equal((await ines.submit('/profile/removal', 'Delete my user', { email: cast.ines.email })).status, 303)
  const petra = await panel.signIn('petra')
  t.match((await petra.get('/partner/customers/initech/users')).text, 'This customer has no users yet')
})

t.test('Support deletes users too, but not the last of Support', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const uma = await panel.signIn('uma')
  const umaId = userId(panel, 'uma')
  const page = await olga.get((await olga.get('/support/users')).link('Uma', cast.uma.email) ?? '')
  const done = await olga.submitAndFollow(page.link('Delete') ?? '', 'Delete Uma', {
    email: cast.uma.email,
  })
  t.match(done.notice, 'Uma was deleted')
  t.notMatch(done.text.replace(done.notice, ''), 'Uma')
  t.match((await uma.get('/')).location, '/login')
  t.equal((await olga.get(`/support/users/${umaId}/removal`)).status, 404)
  t.equal((await olga.post(`/support/users/${umaId}/disabling/removal`)).status, 404, 'who is deleted is not enabled')

  const last = await olga.submit('/profile/removal', 'Delete my user', { email: cast.olga.email })
  t.equal(last.status, 422)
  t.match(last.problem, 'at least one user of Support')
  t.equal((await olga.get('/support/users')).status, 200)
})

t.test('it is asked again who somebody is before a user is deleted', async (t) => {
  const panel = await startApp(t)
  const nils = await panel.signIn('nils')
  const his = () => panel.db.select().from(users).where(eq(users.email, cast.nils.email)).get()
  panel.pass(11 * 60_000)
  const confirm = await nils.submit('/profile/removal', 'Delete my user', { email: cast.nils.email })
  t.match(confirm.title, 'Confirm that it is you')
  t.ok(his())
  t.equal((await nils.press(confirm, 'Confirm', { _proof: 'demo-demo-demo' })).status, 303)
  t.notOk(his())
})

t.test('the download does not tell whether somebody logs in with a wished address', async (t) => {
  const downloads = []
  for (const email of [cast.stella.email, 'nobody@acme.example']) {
    const panel = await startApp(t)
    const tom = await panel.signIn('tom')
    await tom.submit('/profile', 'Change e-mail', { email })
    await until('letters are kept', () =>
      panel.rows().letters?.every((row) => (row as { state: string }).state === 'kept'),
    )
    const answer = await tom.submit('/profile', 'Download my data')
    t.notMatch(answer.body, email)
    const data = JSON.parse(answer.body)
    t.equal(data.emails.length, 1, 'the news to the present address')
    downloads.push(answer.body.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'))
  }
  t.equal(downloads[0], downloads[1])

  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  panel.db.update(users).set({ emailProvedAt: null }).where(eq(users.email, cast.tom.email)).run()
  await tom.submit('/profile', 'Send confirmation')
  const data = JSON.parse((await tom.submit('/profile', 'Download my data')).body)
  t.match(data.emailChanges, [{ email: cast.tom.email }], 'a confirmation of the own address is in it')
  t.match(data.emails, [{ email: cast.tom.email }])
})
