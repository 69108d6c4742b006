import t from 'tap'
import { invitations, letters, projects } from '../src/db/schema.ts'
import { startApp } from './harness.ts'

t.test('a form that is sent twice does the thing once, and answers the same', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/projects')
  const form = { name: 'Intranet', identifier: 'intranet' }
  const first = await stella.press(page, 'Create project', form)
  const again = await stella.press(page, 'Create project', form)
  t.equal(first.location, '/projects/intranet')
  t.equal(again.location, first.location)
  t.match((await stella.open(again.location ?? '')).notice, 'Intranet was created')
  t.equal(
    panel.db
      .select()
      .from(projects)
      .all()
      .filter(({ identifier }) => identifier === 'intranet').length,
    1,
  )
})

t.test('two clicks at once resend an invitation once', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Greta', email: 'greta@acme.example' })
  const page = await stella.open('/customer/users')
  const answers = await Promise.all([stella.press(page, 'Resend'), stella.press(page, 'Resend')])
  t.same(
    answers.map(({ location }) => location),
    ['/customer/users', '/customer/users'],
  )
  t.equal(panel.db.select().from(letters).all().length, 2, 'the first letter and one more')

  await stella.submit('/customer/users', 'Resend')
  t.equal(panel.db.select().from(letters).all().length, 3, 'the button of a new page does it again')
})

t.test('a form that was refused, or filled in otherwise, is a new one', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/customer/users')
  const wrong = { name: 'Greta', email: 'greta' }
  t.equal((await stella.press(page, 'Invite', wrong)).status, 422)
  t.equal((await stella.press(page, 'Invite', wrong)).status, 422)
  t.equal((await stella.press(page, 'Invite', { name: 'Greta', email: 'greta@acme.example' })).status, 303)
  t.equal((await stella.press(page, 'Invite', { name: 'Gustav', email: 'gustav@acme.example' })).status, 303)
  t.equal(panel.db.select().from(invitations).all().length, 2)
})

t.test('what one user sent is not another’s answer', async (t) => {
  const panel = await startApp(t)
  const [stella, ines] = [await panel.signIn('stella'), await panel.signIn('ines')]
  const form = { name: 'Intranet', identifier: 'intranet', _once: 'the same' }
  await stella.submit('/projects', 'Create project', form)
  await ines.submit('/projects', 'Create project', form)
  t.equal(
    panel.db
      .select()
      .from(projects)
      .all()
      .filter(({ identifier }) => identifier === 'intranet').length,
    2,
  )
})

t.test('a form of another session, or from before log-out, changes nothing and says why', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const page = await stella.open('/projects')
  const again = await panel.signIn('stella')
  const before = panel.rows().projects
  const foreign = await again.press(page, 'Create project', { name: 'Intranet', identifier: 'intranet' })
  t.equal(foreign.status, 403)
  t.match(foreign.text, /out of date.*Nothing was changed/)
  t.strictSame(panel.rows().projects, before)
})

t.test('a form kept open while rights were taken changes nothing', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Change', { role: 'admin' }, 'tom@acme.example')
  const kept = await tom.open('/projects')
  await stella.submit('/customer/users', 'Change', { role: 'member' }, 'tom@acme.example')
  const before = panel.rows().projects
  const refused = await tom.press(kept, 'Create project', { name: 'Intranet', identifier: 'intranet' })
  t.equal(refused.status, 403)
  t.match(refused.text, 'Your role in this account does not allow this')
  t.strictSame(panel.rows().projects, before)
})

t.test('an edit made on an older version answers 409 and shows both values', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const kept = await stella.open('/profile')
  await stella.submit('/profile', 'Save name', { name: 'Stella One' })
  const stale = await stella.press(kept, 'Save name', { name: 'Stella Two' })
  t.equal(stale.status, 409)
  t.match(stale.error('name'), 'Stella One')
  t.equal(stale.value('name'), 'Stella Two')
  t.equal((await stella.press(stale, 'Save name')).status, 303, 'sent again it holds')
  t.match((await stella.open('/profile')).text, 'You are Stella Two')
})
