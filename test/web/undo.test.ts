import { eq } from 'drizzle-orm'
import t from 'tap'
import { memberships, projectAccess } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { type Client, type Page, type Panel, startApp, userId } from '../harness.ts'

// A notice offers to take back what was done: by an act as any other, with its own rights, recorded as any other.

const opened = async (client: Client, answer: Page) => client.open(answer.location ?? '')
const toms = (panel: Panel) =>
  panel.db
    .select({ role: projectAccess.role })
    .from(projectAccess)
    .where(eq(projectAccess.userId, userId(panel, 'tom')))
    .all()
const roleOf = (panel: Panel) =>
  panel.db
    .select()
    .from(memberships)
    .where(eq(memberships.userId, userId(panel, 'tom')))
    .get()?.role

for (const place of ['/projects/website', '/customer/projects'])
  t.test(`removed project access is given again in its role, from ${place}`, async (t) => {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    const page = await opened(stella, await stella.submit(place, 'Remove', {}, cast.tom.email))
    t.match(page.notice, /Tom no longer has access to Website\. Undo/)
    t.equal(page.path, place)
    t.same(toms(panel), [])
    const again = await opened(stella, await stella.press(page, 'Undo'))
    t.match(again.notice, '1 person has access to Website as Project User now')
    t.equal(again.path, place)
    t.same(toms(panel), [{ role: 'user' }])
    t.notOk((await stella.open(place)).hasButton('Undo'), 'it is offered once')
    const rows = (await stella.get('/customer/history')).tableRows
    t.match(rows[0], 'Stella gave Tom access to Website as Project User')
    t.match(rows[1], 'Stella removed Tom from Website')
  })

t.test('a project role is changed back, unless somebody changed it again', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const change = (role: string) => stella.submit('/projects/website', 'Save', { role }, cast.tom.email)
  const page = await opened(stella, await change('admin'))
  t.same(toms(panel), [{ role: 'admin' }])
  await stella.press(page, 'Undo')
  t.same(toms(panel), [{ role: 'user' }])
  const second = await opened(stella, await change('admin'))
  await change('reader')
  const late = await stella.press(second, 'Undo')
  t.equal(late.status, 409)
  t.same(toms(panel), [{ role: 'reader' }])
})

t.test('a role in an account is changed back', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await opened(stella, await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email))
  t.match(page.notice, 'Tom is Customer Admin now')
  t.equal(roleOf(panel), 'admin')
  await stella.press(page, 'Undo')
  t.equal(roleOf(panel), 'member')
})

t.test('what somebody may no longer do is not offered, and not done', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  const tom = await panel.signIn('tom')
  const own = await opened(tom, await tom.submit('/customer/users', 'Save', { role: 'member' }, cast.tom.email))
  t.match(own.notice, 'Tom is Customer User now')
  t.notOk(own.hasButton('Undo'), 'the right went with the role')

  await stella.submit('/projects/website', 'Save', { role: 'admin' }, cast.tom.email)
  const gone = await opened(tom, await tom.submit('/projects/website', 'Remove', {}, cast.tom.email))
  t.match(gone.notice, 'Tom no longer has access')
  t.notOk(gone.hasButton('Undo'))

  await stella.submit('/projects/website', 'Give access', { people: String(userId(panel, 'tom')), role: 'admin' })
  const page = await opened(tom, await tom.submit('/projects/website', 'Remove', {}, cast.stella.email))
  await stella.submit('/projects/website', 'Save', { role: 'reader' }, cast.tom.email)
  const before = panel.rows().project_access
  t.equal((await tom.press(page, 'Undo')).status, 403, 'the right is asked for again')
  t.same(panel.rows().project_access, before)
})

t.test('a notice that was not made here offers nothing', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  stella.cookies.set(
    'meshpanel-notice',
    encodeURIComponent(JSON.stringify(['Hello', { action: '/logout', fields: {} }])),
  )
  const page = await stella.open('/projects')
  t.equal(page.notice, '')
  t.notOk(page.hasButton('Undo'))
})
