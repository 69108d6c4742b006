import { eq } from 'drizzle-orm'
import t from 'tap'
import { savedViews } from '../../src/db/schema.ts'
import { mostSavedViews } from '../../src/web/lists/saved/data.ts'
import { accountId, type Client, type Page, type Panel, publicUrl, startApp, userId } from '../harness.ts'

const list = '/partner/customers'
const tabs = (page: Page) => page.root.querySelectorAll('nav[aria-label="Views"] a')
const labels = (page: Page) => tabs(page).map(({ text }) => text.replaceAll(/\s+/g, ' ').trim())
const shown = (page: Page) => tabs(page).flatMap((tab) => (tab.hasAttribute('aria-current') ? [tab.text.trim()] : []))
const tab = (page: Page, label: string) =>
  tabs(page)
    .find(({ text }) => text.trim() === label)
    ?.getAttribute('href') ?? ''
/** Presses a tab of a page: its address is short, and leads on to the list. */
const press = async (client: Client, page: Page, label: string) =>
  client.open((await client.get(tab(page, label), { referer: publicUrl + page.url })).location ?? '')
const offersToSave = (page: Page) => page.root.querySelector('form[action="/saved-views"]') !== null
const rows = ({ db }: Panel) => db.select().from(savedViews).all()
const save = (client: Client, address: string, viewName: string) => client.submit(address, 'Save view', { viewName })
const saveAndFollow = (client: Client, address: string, viewName: string) =>
  client.submitAndFollow(address, 'Save view', { viewName })

t.test('a search with filters and an order becomes a tab of its user, renamed and removed', async (t) => {
  const panel = await startApp(t)
  const [petra, max] = [await panel.signIn('petra'), await panel.signIn('max')]
  await petra.submit(`${list}/acme/suspension`, 'Suspend', { reason: 'Unpaid' })
  const before = labels(await petra.get(list))

  const address = `${list}?q=ac&status=suspended&sort=name&size=50`
  const page = await saveAndFollow(petra, address, 'Unpaid ones')
  t.match(page.text, 'The view Unpaid ones was saved. Only you see it.')
  t.same(
    labels(page),
    [...before, 'Unpaid ones'].map((label) => label.replace('Suspended 0', 'Suspended 1')),
  )
  t.same(shown(page), ['Unpaid ones'])
  t.notOk(offersToSave(page), 'what is saved is not offered again')
  t.equal(page.tableRows.length, 1)
  t.same(labels(await max.get(list)), before, 'nobody else sees it')

  const tomorrow = await petra.get(list)
  t.same(shown(tomorrow), ['All 2'])
  const back = await press(petra, tomorrow, 'Unpaid ones')
  t.match(back.row('Acme'), 'acme')
  t.equal(back.root.querySelector('#q')?.getAttribute('value'), 'ac')
  t.equal(back.root.querySelector('select[name=size] option[selected]')?.getAttribute('value'), '50')
  t.match(back.root.querySelector('th[aria-sort="ascending"]')?.text, 'Name')

  const edit = back.link('Edit view') ?? ''
  const renamed = await petra.submitAndFollow(edit, 'Save name', { viewName: 'Overdue' })
  t.match(renamed.text, 'The view Unpaid ones is now called Overdue.')
  t.same(shown(renamed), ['Overdue'])
  const removed = await petra.submitAndFollow(edit, 'Remove view')
  t.match(removed.text, 'The view Overdue was removed.')
  t.same(rows(panel), [])
  t.equal((await petra.get(edit)).status, 404)
  const again = await petra.get(address)
  t.ok(offersToSave(again), 'the list can be saved again')
})

t.test('one is offered where a list differs from all of its tabs', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  for (const query of ['', '?sort=created', '?size=50', '?status=suspended', '?limits=over'])
    t.notOk(offersToSave(await petra.get(list + query)), query)
  for (const query of [
    '?sort=name',
    '?q=a',
    '?tag=vip',
    '?status=active',
    '?limits=over&sort=name',
    '?q=a&status=suspended',
  ])
    t.ok(offersToSave(await petra.get(list + query)), query)
  for (const [who, path] of [
    ['stella', '/customer/users'],
    ['petra', '/partner/customers/acme/users'],
    ['olga', '/support/users'],
    ['olga', '/support/accounts'],
  ] as const) {
    const client = await panel.signIn(who)
    const page = await saveAndFollow(client, `${path}?q=a`, `${who} ${path}`)
    t.same(shown(page), [`${who} ${path}`])
  }
  const onOther = await petra.get('/partner/customers/initech/users')
  const pressed = await press(petra, onOther, 'petra /partner/customers/acme/users')
  t.equal(pressed.url, '/partner/customers/initech/users?q=a', 'a tab stays on its page')
  t.match(rows(panel), [
    { list: 'users', accountId: accountId(panel, 'acme'), search: 'a', query: '' },
    { list: 'users', accountId: accountId(panel, 'cloudhaus') },
    { list: 'all-users', accountId: null, userId: userId(panel, 'olga') },
    { list: 'accounts', accountId: null, userId: userId(panel, 'olga') },
  ])
})

t.test(
  'a name that is missing or taken and an eleventh view are said at the field, and nothing typed is lost',
  async (t) => {
    const panel = await startApp(t)
    const petra = await panel.signIn('petra')
    const missing = await save(petra, `${list}?q=a`, ' ')
    t.equal(missing.status, 422)
    t.match(missing.text, 'Enter a name for the view.')
    await save(petra, `${list}?q=a`, 'Größe')
    const taken = await save(petra, `${list}?q=b`, 'GRÖSSE'.replace('SS', 'ß'))
    t.equal(taken.status, 422)
    t.match(taken.text, 'You have a view of this name here.')
    t.equal(taken.value('viewName'), 'GRÖßE')
    const done = await petra.press(taken, 'Save view', { viewName: 'Other' })
    t.equal(done.location, `${list}?q=b`, 'the page with the error saves the same view')
    t.match(rows(panel), [{ search: 'a' }, { search: 'b', name: 'Other' }])

    for (let n = 2; n < mostSavedViews; n++) await save(petra, `${list}?q=n${n}`, `View ${n}`)
    const full = await save(petra, `${list}?q=more`, 'More')
    t.equal(full.status, 422)
    t.match(full.text, 'You have 10 views here, and cannot have more.')
    t.equal(rows(panel).length, mostSavedViews)
    t.equal((await save(petra, `${list}/acme/users?q=a`, 'More')).status, 303, 'another list has room of its own')
    const [first] = rows(panel)
    const clash = await petra.submit(`/saved-views/${first?.id}/name`, 'Save name', { viewName: 'other' })
    t.equal(clash.status, 422)
    t.match(clash.text, 'You have a view of this name here.')
    t.equal((await petra.submit(`/saved-views/${first?.id}/name`, 'Save name', { viewName: 'GRÖßE' })).status, 303)
  },
)

t.test('a view whose tag or filter is gone shows nothing, and the way out', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit(`${list}/acme/details`, 'Save details', { tags: 'vip' })
  const page = await saveAndFollow(petra, `${list}?tag=vip`, 'Very important')
  t.equal(page.tableRows.length, 1)
  await petra.submit(`${list}/acme/details`, 'Save details', { tags: '' })
  const empty = await press(petra, await petra.get(list), 'Very important')
  t.equal(empty.status, 200)
  t.match(empty.text, 'Nothing matches these filters.')
  t.equal(empty.link('Show all'), list)
  t.ok(empty.link('Edit view'))

  // As another version of the panel may have saved it.
  for (const query of ['status=asleep', 'colour=red', 'sort=size', 'size=7']) {
    panel.db.update(savedViews).set({ query }).run()
    const [view] = rows(panel)
    const answer = await press(petra, await petra.get(list), 'Very important')
    t.equal(answer.url, `/saved-views/${view?.id}/name`, query)
    t.match(answer.text, 'This view uses a filter that the list no longer has')
  }
  const removed = await petra.submitAndFollow(`/saved-views/${rows(panel)[0]?.id}/name`, 'Remove view')
  t.match(removed.text, 'The view Very important was removed.')
  t.same(rows(panel), [])
})

t.test('a view belongs to one account, and ends with its user’s place there', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await save(petra, `${list}?q=a`, 'Ours')
  await petra.switchTo('acme')
  const asMember = await saveAndFollow(petra, '/customer/users?role=admin&q=a', 'Theirs')
  t.same(shown(asMember), ['Theirs'])
  t.match(labels(await petra.get(list)), ['Ours'].length ? /Ours/ : '', 'the partner’s list has the partner’s views')
  await petra.switchTo('cloudhaus')
  t.notOk(labels(await petra.get('/customer/users')).includes('Theirs'))
  t.match(
    rows(panel).map(({ name, accountId }) => [name, accountId]),
    [
      ['Ours', accountId(panel, 'cloudhaus')],
      ['Theirs', accountId(panel, 'acme')],
    ],
  )

  // The form was opened while Acme was active, and is sent when it is not: it saves where it was made.
  await petra.switchTo('acme')
  const form = await petra.get('/customer/users?q=b')
  await petra.switchTo('cloudhaus')
  await petra.press(form, 'Save view', { viewName: 'Late' })
  t.equal(rows(panel).at(-1)?.accountId, accountId(panel, 'acme'))

  await stella.submit(`/customer/users/${userId(panel, 'petra')}/removal`, 'Remove Petra')
  t.same(
    rows(panel).map(({ name }) => name),
    ['Ours'],
  )
  const tooLate = await petra.press(form, 'Save view', { viewName: 'Too late' })
  t.equal(tooLate.status, 404)
  t.equal(rows(panel).length, 1)
})

t.test('another’s view is not there, and forms that no list has change nothing', async (t) => {
  const panel = await startApp(t)
  const [petra, max] = [await panel.signIn('petra'), await panel.signIn('max')]
  await save(petra, `${list}?q=a`, 'Mine')
  const [{ id } = { id: 0 }] = rows(panel)
  const own = await petra.get(`/saved-views/${id}/name`)
  for (const answer of [
    await max.get(`/saved-views/${id}`),
    await max.get(`/saved-views/${id}/name`),
    await max.press(own, 'Save name', { viewName: 'Changed' }),
    await max.press(own, 'Remove view'),
  ])
    t.ok(answer.status >= 400, String(answer.status))
  const before = rows(panel)
  t.equal(before.length, 1)
  const form = await petra.get(`${list}?q=b`)
  for (const wrong of [
    { of: 'history' },
    { of: 'all-users', page: '/support/users' },
    { page: '//evil.example' },
    { page: '/support/users' },
    { list: '' },
    { list: 'status=none' },
  ] as Record<string, string>[]) {
    const answer = await petra.press(form, 'Save view', { viewName: 'Wrong', ...wrong })
    t.ok(answer.status === 400 || answer.status === 404, JSON.stringify(wrong))
    t.notOk(answer.location)
  }
  t.same(rows(panel), before)
  panel.db.delete(savedViews).where(eq(savedViews.id, id)).run()
})

t.test('a view of another account leads back into that account, and not into the one that is active now', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit(`${list}/acme/users`, 'Add Myself')
  await petra.open('/customer/users?account=acme')
  const users = '/customer/users'
  const toSave = await petra.get(`${users}?q=tom`)
  const saved = await petra.press(toSave, 'Save view', { viewName: 'Ours' })
  t.equal(saved.location, `${users}?q=tom`, 'it is active: nothing more is to be said')
  const edit = (await petra.get(`${users}?q=tom`)).link('Edit view') ?? ''
  await petra.open('/customer/users?account=cloudhaus')

  const asTab = await petra.get(edit.replace('/name', ''))
  t.equal(asTab.location, `${users}?q=tom&account=acme`)
  const shownElsewhere = await petra.get(edit)
  t.equal(shownElsewhere.link('Back to the list'), `${users}?q=tom&account=acme`)
  const renamed = await petra.press(shownElsewhere, 'Save name', { viewName: 'Theirs' })
  t.equal(renamed.location, `${users}?q=tom&account=acme`)
  const page = await petra.open(renamed.location ?? '')
  t.ok(page.row('Tom'), 'the users of Acme')
  t.same(shown(page), ['Theirs'])
  t.match(page.text, 'The view Ours is now called Theirs.')

  await petra.open('/customer/users?account=cloudhaus')
  const late = await petra.press(toSave, 'Save view', { viewName: 'Late' })
  t.equal(late.location, `${users}?q=tom&account=acme`, 'another tab had switched')
  await petra.open('/customer/users?account=cloudhaus')
  const removed = await petra.submit(edit, 'Remove view')
  t.equal(removed.location, `${users}?q=tom&account=acme`)

  await petra.open('/customer/users?account=acme')
  const ofPartner = await petra.submit(`${list}?q=acme`, 'Save view', { viewName: 'Acme' })
  t.equal(ofPartner.location, `${list}?q=acme`, 'the Partner Area acts in the partner account by itself')
})
