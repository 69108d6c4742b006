import t from 'tap'
import { listChoices } from '../../src/db/schema.ts'
import { type Client, type Panel, publicUrl, startApp, userId } from '../harness.ts'

const list = '/partner/customers'
const kept = ({ db }: Panel) => db.select().from(listChoices).all()
/** What a browser says when a link or form of a page of ours is used. */
const same = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' }
/** As a browser asks for a link or form of the list itself. */
const choose = (client: Client, query: string, from = list) =>
  client.get(`${list}${query}`, { referer: publicUrl + from, ...same })
const ahead = [
  { 'sec-purpose': 'prefetch' },
  { 'sec-purpose': 'prefetch;prerender' },
  { purpose: 'prefetch' },
  { 'x-purpose': 'preview' },
  { 'x-moz': 'prefetch' },
] as Record<string, string>[]

t.test('sort, rows and view of a list come back, until its user chooses others', async (t) => {
  const panel = await startApp(t)
  const [petra, max] = [await panel.signIn('petra'), await panel.signIn('max')]
  await petra.submit(`${list}/initech/suspension`, 'Suspend', { reason: 'Unpaid' })
  await choose(petra, '?status=suspended&sort=name&size=50&q=ini&tag=vip')
  t.match(kept(panel), [
    { userId: userId(panel, 'petra'), list: 'customers', query: 'status=suspended&sort=name&size=50' },
  ])

  const back = await petra.get(list)
  t.match(back.text, '1 customer found')
  t.notMatch(back.text, 'Acme')
  t.equal(back.root.querySelector('select[name=size] option[selected]')?.getAttribute('value'), '50')
  t.equal(back.root.querySelector('#q')?.getAttribute('value'), '', 'what was searched for is not kept')
  t.match((await max.get(list)).text, '2 customers', 'others see the list as before')

  const all = back.root.querySelector('nav[aria-label="Views"] a')?.getAttribute('href') ?? ''
  const chosen = await choose(petra, all.slice(list.length))
  t.match(chosen.text, '2 customers')
  t.match(kept(panel), [{ query: 'sort=name&size=50' }])
  await choose(petra, '?sort=created')
  t.same(kept(panel), [], 'the first order is not worth a row')
  t.match((await petra.get(list)).text, '2 customers')
})

t.test('with something remembered, each link says what it leads to', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await choose(petra, '?status=suspended')
  const page = await petra.get(`${list}?q=acme&status=active`)
  t.equal(page.link('Show all'), `${list}?sort=created`)
  t.match((await petra.get(`${list}?sort=created`)).text, '2 customers')
  const created = await petra.submit(list, 'Create customer', { name: 'New', identifier: 'new' })
  t.match((await petra.open(created.location ?? '')).row('new'), 'New', 'a new customer is on the page at once')
  t.match(kept(panel), [{ query: 'status=suspended' }], 'and that is no choice')
})

t.test('nothing but a choice on the list itself is kept', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  for (const headers of [
    {},
    same,
    { referer: publicUrl + list },
    { referer: publicUrl + list, ...same, 'sec-fetch-site': 'cross-site' },
    { referer: publicUrl + list, ...same, 'sec-fetch-site': 'same-site' },
    { referer: publicUrl + list, ...same, 'sec-fetch-mode': 'no-cors' },
    ...ahead.map((header) => ({ referer: publicUrl + list, ...same, ...header })),
    { referer: `https://evil.example${list}`, ...same },
    { referer: `${publicUrl}/`, ...same },
  ] as Record<string, string>[]) {
    await petra.get(`${list}?sort=name`, headers)
    t.same(kept(panel), [], JSON.stringify(headers))
  }
  await choose(petra, '?q=acme')
  await choose(petra, '?sort=name&download=csv')
  await choose(petra, '?sort=none')
  await choose(petra, '')
  t.same(kept(panel), [])
})

t.test('a choice ends with its user, and a disk that is full stops no page', async (t) => {
  const panel = await startApp(t)
  const [tom, olga] = [await panel.signIn('tom'), await panel.signIn('olga')]
  const users = '/customer/users'
  const asked = { referer: publicUrl + users, ...same }
  await tom.get(`${users}?sort=joined`, asked)
  t.match(kept(panel), [{ list: 'users', query: 'sort=joined' }])
  panel.db.$client.pragma('query_only = on')
  const page = await tom.get(`${users}?sort=name-z`, asked)
  panel.db.$client.pragma('query_only = off')
  t.equal(page.status, 200)
  t.match(kept(panel), [{ query: 'sort=joined' }])
  await olga.submit(`/support/users/${userId(panel, 'tom')}/removal`, 'Delete Tom', {
    email: 'tom@acme.example',
  })
  t.same(kept(panel), [])
})

t.test('reading ahead switches to no account; opening the link does', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const active = () => panel.rows().sessions
  const before = active()
  for (const header of ahead) {
    t.equal((await petra.get('/projects?account=acme', header)).status, 503)
    t.same(active(), before, JSON.stringify(header))
  }
  t.equal((await petra.get('/projects?account=acme')).status, 303)
  t.notSame(active(), before)
})
