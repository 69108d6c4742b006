import { randomUUID } from 'node:crypto'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, memberships, projectAccess } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { program, tokenOf } from '../api/program.ts'
import { accountId, type Client, type Page, type Panel, startApp, userId } from '../harness.ts'

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
    const own = (await stella.open(place)).link('Tom', 'Website')
    const page = await opened(stella, await stella.submit(own ?? place, 'Remove', {}, own ? undefined : cast.tom.email))
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

/** The tags that Cloudhaus keeps about a customer, from its page. */
const tagsOf = async (petra: Client, identifier: string) =>
  (await petra.open(`/partner/customers/${identifier}/details`)).root.querySelector('#tags')?.getAttribute('value')

t.test('a tag that ticked customers got is taken from those that got it, and still have it', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const describe = (identifier: string, tags: string) =>
    petra.submit(`/partner/customers/${identifier}/details`, 'Save details', { tags })
  await describe('acme', 'north, VIP')
  const add = (customers: string) =>
    petra.post('/partner/ticked-customers/tag', { customers, tag: 'vip', list: 'sort=name' })
  const page = await opened(petra, await add('acme,initech'))
  t.match(page.notice, 'The tag “vip” was added to 1 customer. Undo')
  t.equal(await tagsOf(petra, 'initech'), 'vip')
  const undone = await petra.press(page, 'Undo')
  t.match((await opened(petra, undone)).notice, 'The tag “vip” was removed from 1 customer')
  t.equal(await tagsOf(petra, 'initech'), '')
  t.equal(await tagsOf(petra, 'acme'), 'north, VIP', 'what had it before keeps it')

  const again = await opened(petra, await add('initech'))
  await describe('initech', 'south')
  t.match((await opened(petra, await petra.press(again, 'Undo'))).notice, 'Nothing was changed')
  t.equal(await tagsOf(petra, 'initech'), 'south')

  const gone = await opened(petra, await add('initech'))
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts/initech/partner', 'Move', { to: 'partner', partner: 'rival' })
  const before = panel.rows().tie_tags
  t.equal((await petra.press(gone, 'Undo')).status, 404, 'a customer that has left')
  t.same(panel.rows().tie_tags, before)
})

t.test('a tag on a customer’s page is taken back alone, and leads back there', async (t) => {
  const panel = await startApp(t)
  const [petra, max] = [await panel.signIn('petra'), await panel.signIn('max')]
  const save = async (fields: Record<string, string>) =>
    opened(petra, await petra.submit('/partner/customers/acme/details', 'Save details', fields))
  t.notOk((await save({ note: 'Call first', tags: 'north' })).hasButton('Undo'), 'what was typed is in no cookie')
  const added = await save({ tags: 'north, VIP' })
  t.match(added.notice, 'The details of Acme were saved. Undo')
  await save({ note: 'Call after noon' })
  const back = await opened(petra, await petra.press(added, 'Undo'))
  t.equal(back.path, '/partner/customers/acme')
  t.equal(await tagsOf(petra, 'acme'), 'north')
  t.match(back.text, 'Call after noon', 'what was changed since stays')
  const removed = await save({ tags: '' })
  await petra.press(removed, 'Undo')
  t.equal(await tagsOf(petra, 'acme'), 'north')

  const own = await save({ tags: 'north, late' })
  panel.db
    .update(memberships)
    .set({ role: 'member' })
    .where(eq(memberships.userId, userId(panel, 'petra')))
    .run()
  t.equal((await petra.press(own, 'Undo')).status, 403, 'the right is asked for again')
  t.notOk((await max.open('/partner/customers/acme')).hasButton('Undo'))
})

t.test('customers that were suspended together are resumed together, unless that is done', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const suspended = () =>
    panel.db
      .select()
      .from(accounts)
      .all()
      .filter(({ suspendedAt }) => suspendedAt !== null)
      .map(({ identifier }) => identifier)
  const suspend = async () =>
    opened(
      petra,
      await petra.post('/partner/ticked-customers/suspension', { customers: 'acme,initech', reason: 'Unpaid' }),
    )
  const page = await suspend()
  t.match(page.notice, '2 customers were suspended. Undo')
  t.same(suspended().sort(), ['acme', 'initech'])
  await petra.submit('/partner/customers', 'Resume', {}, 'acme')
  const undone = await opened(petra, await petra.press(page, 'Undo'))
  t.match(undone.notice, '1 customer was resumed')
  t.same(suspended(), [])
})

t.test('an Undo lifts its own suspension, and none that somebody made later', async (t) => {
  const panel = await startApp(t)
  const [petra, olga] = [await panel.signIn('petra'), await panel.signIn('olga')]
  const reasons = () =>
    Object.fromEntries(
      panel.db
        .select()
        .from(accounts)
        .all()
        .filter(({ identifier }) => ['acme', 'initech'].includes(identifier))
        .map(({ identifier, suspendedReason }) => [identifier, suspendedReason]),
    )
  const suspendBoth = async () =>
    opened(
      petra,
      await petra.post('/partner/ticked-customers/suspension', { customers: 'acme,initech', reason: 'Unpaid' }),
    )
  const resume = (identifier: string) => petra.submit('/partner/customers', 'Resume', {}, identifier)
  const first = await suspendBoth()
  await resume('acme')
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Abuse' })
  const undone = await opened(petra, await petra.press(first, 'Undo'))
  t.match(undone.notice, '1 customer was resumed')
  t.match(undone.text, 'suspended again since then')
  t.same(reasons(), { acme: 'Abuse', initech: null })
  const again = await opened(petra, await petra.press(first, 'Undo', { _once: randomUUID() }))
  t.match(again.notice, 'Nothing was changed')
  t.same(reasons(), { acme: 'Abuse', initech: null }, 'pressed twice, it does nothing more')

  await resume('acme')
  const second = await suspendBoth()
  const old = await opened(petra, await petra.press(first, 'Undo', { _once: randomUUID() }))
  t.match(old.notice, 'Nothing was changed')
  t.same(reasons(), { acme: 'Unpaid', initech: 'Unpaid' }, 'the first Undo is not the second')
  await olga.submit('/support/accounts/acme/suspension', 'Suspend', { reason: 'Law' })
  await petra.press(second, 'Undo')
  t.same(reasons(), { acme: null, initech: null })
  const acme = panel.db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()
  t.equal(acme?.supportSuspendedReason, 'Law', 'Support’s stays')
})

t.test('an Undo of a tag leaves what was tagged or freed anew', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const ticked = async (act: 'tag' | 'tag-removal') =>
    opened(petra, await petra.post(`/partner/ticked-customers/${act}`, { customers: 'acme', tag: 'vip' }))
  const added = await ticked('tag')
  const removed = await ticked('tag-removal')
  const addedAnew = await ticked('tag')
  for (const old of [added, removed]) {
    t.match((await opened(petra, await petra.press(old, 'Undo'))).notice, 'Nothing was changed')
    t.equal(await tagsOf(petra, 'acme'), 'vip')
  }
  await petra.submit('/partner/customers/acme/details', 'Save details', { note: 'Call first' })
  await petra.press(addedAnew, 'Undo')
  t.equal(await tagsOf(petra, 'acme'), '', 'what was changed besides is no matter')
  await ticked('tag')
  const last = await ticked('tag-removal')
  await (await panel.signIn('olga')).submit('/support/accounts/acme/partner', 'Move', {
    to: 'partner',
    partner: 'rival',
  })
  await (await panel.signIn('olga')).submit('/support/accounts/acme/partner', 'Move', {
    to: 'partner',
    partner: 'cloudhaus',
  })
  t.match((await opened(petra, await petra.press(last, 'Undo'))).notice, 'Nothing was changed')
  t.equal(await tagsOf(petra, 'acme'), '', 'nor what ended with the tie')
})

t.test('an Undo gives back no access or role that was taken or changed anew', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const tomsId = String(userId(panel, 'tom'))
  const removeAccess = async () =>
    opened(stella, await stella.submit('/projects/website', 'Remove', {}, cast.tom.email))
  const give = (role: string) => stella.submit('/projects/website', 'Give access', { people: tomsId, role })
  const first = await removeAccess()
  await give('reader')
  const second = await removeAccess()
  const late = await opened(stella, await stella.press(first, 'Undo'))
  t.match(late.notice, 'Somebody has changed this access since then, so it was not undone.')
  t.same(toms(panel), [], 'the second removal stands')
  await stella.press(second, 'Undo')
  t.same(toms(panel), [{ role: 'reader' }])

  // A row of its own has the same version.
  const change = async (role: string) =>
    opened(stella, await stella.submit('/projects/website', 'Save', { role }, cast.tom.email))
  const raised = await change('admin')
  await removeAccess()
  await give('reader')
  await change('admin')
  t.equal((await stella.press(raised, 'Undo')).status, 409)
  t.same(toms(panel), [{ role: 'admin' }])

  const promote = async () =>
    opened(stella, await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email))
  const promoted = await promote()
  await stella.submit(`/customer/users/${tomsId}/removal`, 'Remove Tom')
  const again = { accountId: accountId(panel, 'acme'), userId: userId(panel, 'tom'), role: 'member' } as const
  panel.db
    .insert(memberships)
    .values({ ...again, createdAt: 1, lastUsedAt: 1 })
    .run()
  await promote()
  t.equal((await stella.press(promoted, 'Undo')).status, 409)
  t.equal(roleOf(panel), 'admin')
})

t.test('more customers than a cookie can name are not offered back', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const { id: partnerId } = panel.db.select().from(accounts).where(eq(accounts.identifier, 'cloudhaus')).get() ?? {}
  const rows = Array.from({ length: 120 }, (_, n) => {
    const identifier = `customer-with-a-long-name-${n}`
    return { kind: 'customer', partnerId, name: `C ${n}`, identifier, search: '', sortKey: '', createdAt: 1 } as const
  })
  panel.db.insert(accounts).values(rows).run()
  const tag = async (n: number) => {
    const customers = rows.slice(0, n).map(({ identifier }) => identifier)
    return opened(
      petra,
      await petra.post('/partner/ticked-customers/tag', { customers: customers.join(), tag: `t${n}` }),
    )
  }
  t.ok((await tag(50)).hasButton('Undo'))
  const many = await tag(120)
  t.match(many.notice, 'The tag “t120” was added to 120 customers.')
  t.notOk(many.hasButton('Undo'))
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

for (const exit of ['a move', 'a deletion'] as const)
  t.test(`an Undo of a removed tag does not reach the tie that begins after ${exit}`, async (t) => {
    const panel = await startApp(t)
    const [petra, olga] = [await panel.signIn('petra'), await panel.signIn('olga')]
    const describe = (fields: Record<string, string>) =>
      petra.submit('/partner/customers/acme/details', 'Save details', fields)
    const move = (partner: string) => olga.submit('/support/accounts/acme/partner', 'Move', { to: 'partner', partner })
    await describe({ tags: 'vip' })
    const removed = await opened(
      petra,
      await petra.post('/partner/ticked-customers/tag-removal', { customers: 'acme', tag: 'vip' }),
    )
    t.match(removed.notice, 'was removed from 1 customer. Undo')
    panel.pass(60_000)
    if (exit === 'a move') {
      await move('rival')
      await move('cloudhaus')
    } else {
      const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
      await ask('DELETE', '/accounts/cloudhaus/customers/acme')
      await petra.submit('/partner/deleted-customers', 'Restore', {}, 'acme')
    }
    panel.pass(60_000)
    await describe({ note: 'Back again' })
    t.match((await petra.get('/partner/customers/acme')).text, 'Back again', 'there is a tie')
    t.match((await opened(petra, await petra.press(removed, 'Undo'))).notice, 'Nothing was changed')
    t.equal(await tagsOf(petra, 'acme'), '')
  })
