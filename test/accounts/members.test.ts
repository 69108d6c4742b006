import { eq } from 'drizzle-orm'
import t from 'tap'
import { memberships } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { type Panel, startApp, userId } from '../harness.ts'

function roleOf(panel: Panel, who: CastName): string[] {
  return panel.db
    .select()
    .from(memberships)
    .where(eq(memberships.userId, userId(panel, who)))
    .all()
    .map(({ role }) => role)
}

t.test('users are listed with role and last seen, and found by any part of name or e-mail', async (t) => {
  const { signIn } = await startApp(t)
  const stella = await signIn('stella')
  await signIn('tom')
  const page = await stella.open('/customer/users')
  t.match(page.row('tom@acme.example'), /Tom.*Customer User.*20\d\d, .* UTC.*Remove/)
  t.match(page.text, '2 users')
  t.equal((await stella.open('/customer/users?q=OM%40acme')).tableRows.length, 1)
  const none = await stella.open('/customer/users?q=nobody%25_')
  t.match(none.text, 'Nothing matches “nobody%_”')
  t.equal(none.value('q'), 'nobody%_')
})

t.test('an admin makes a user Customer Admin and back; a stale change is refused', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const before = await stella.open(`/customer/users/${userId(panel, 'tom')}/role`)
  t.match(
    (await stella.submitAndFollow('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)).notice,
    'Tom is Customer Admin now',
  )
  t.same(roleOf(panel, 'tom'), ['admin'])
  await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.tom.email)
  t.same(roleOf(panel, 'tom'), ['member'])

  const stale = await stella.press(before, 'Save', { role: 'admin' })
  t.equal(stale.status, 409)
  t.match(stale.problem, 'Somebody has changed this role')
  t.same(roleOf(panel, 'tom'), ['member'])
  for (const role of ['owner', '', ['admin', 'member']]) {
    const answer = await stella.submit('/customer/users', 'Save', { role }, cast.tom.email)
    t.ok([400, 422].includes(answer.status), String(role))
  }
  t.same(roleOf(panel, 'tom'), ['member'])
})

t.test('an account keeps an admin: demoting and removing the last one is refused with the reason', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const demoted = await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)
  t.equal(demoted.status, 422)
  t.match(demoted.problem, 'Acme keeps at least one Customer Admin')
  const removed = await stella.submit(`/customer/users/${userId(panel, 'stella')}/removal`, 'Remove Stella')
  t.equal(removed.status, 422)
  t.match(removed.problem, 'Acme keeps at least one Customer Admin')
  t.same(roleOf(panel, 'stella'), ['admin'])

  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  t.equal((await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)).status, 303)
  t.notOk((await stella.open('/customer/users')).hasButton('Invite'), 'it holds from the next page on')
})

t.test('two admins who demote each other at once leave one', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  const tom = await panel.signIn('tom')
  const [hers, his] = await Promise.all([stella.open('/customer/users'), tom.open('/customer/users')])
  const answers = await Promise.all([
    stella.press(hers, 'Save', { role: 'member' }, cast.tom.email),
    tom.press(his, 'Save', { role: 'member' }, cast.stella.email),
  ])
  t.equal(answers.filter(({ status }) => status === 303).length, 1, 'one of them is refused')
  t.same([...roleOf(panel, 'stella'), ...roleOf(panel, 'tom')].sort(), ['admin', 'member'])
})

t.test('a disabled admin does not count as the one that is kept', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/users', 'Disable', {}, cast.tom.email)
  t.equal((await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)).status, 422)
})

t.test('a removed user loses all project access, and sees nothing on the next page', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const stella = await panel.signIn('stella')
  const page = await stella.open(`/customer/users/${userId(panel, 'tom')}/removal`)
  t.match(page.text, /Access to 1 project ends with it: Website website/)
  t.match((await stella.press(page, 'Remove Tom')).location, '/customer/users')
  t.same(roleOf(panel, 'tom'), [])
  t.notOk((panel.rows().project_access as { user_id: number }[]).some((row) => row.user_id === userId(panel, 'tom')))
  const next = await tom.get('/projects/website')
  t.equal(next.status, 403)
  t.notMatch(next.text, 'Website')
  t.match((await stella.open('/customer/history')).row('removed'), /Stella removed Tom Lost access to: website/)
})

t.test('a Customer User sees the people, and changes nothing', async (t) => {
  const panel = await startApp(t)
  const tom = await panel.signIn('tom')
  const page = await tom.open('/customer/users')
  t.match(page.row(cast.stella.email), 'Customer Admin')
  for (const button of ['Invite', 'Save', 'Resend', 'Cancel', 'Copy link']) t.notOk(page.hasButton(button), button)
  t.equal(page.link('Remove'), undefined)
  const { sessions, ...before } = panel.rows()
  for (const [path, fields] of [
    ['/customer/users', { name: 'X', email: 'x@x.example', role: 'admin' }],
    [`/customer/users/${userId(panel, 'tom')}/role`, { role: 'admin', version: '1' }],
    [`/customer/users/${userId(panel, 'stella')}/removal`, {}],
  ] as const) {
    t.equal((await tom.post(path, { ...fields })).status, 403, path)
  }
  const { sessions: later, ...after } = panel.rows()
  t.strictSame(after, before)
  t.same((sessions ?? []).length, (later ?? []).length)
})

t.test('the partner’s own people are Partner Admins and Partner Users', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  t.match((await petra.open('/customer/users')).row(cast.max.email), 'Partner User')
  t.match(
    (await petra.submitAndFollow('/customer/users', 'Save', { role: 'admin' }, cast.max.email)).notice,
    'Max is Partner Admin now',
  )
  t.ok((await (await panel.signIn('max')).open('/partner/customers')).hasButton('Create customer'))
})
