import t from 'tap'
import { stable, versionOf } from '../../src/api/contract/etag.ts'
import { startApp } from '../harness.ts'
import { program, tokenOf } from './program.ts'

const plans = '/accounts/cloudhaus/plans'
const quotas = '/accounts/cloudhaus/customers/acme/quotas'

const limitOf = (rows: { resource: string; limit: number | null }[], key: string) =>
  rows.find(({ resource }) => resource === key)?.limit

t.test('a program keeps plans, looks at what one would change, and applies exactly that', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus', { scopes: ['customers:write'] }))
  const made = await ask('POST', plans, { name: 'Small', limits: { cores: 4, ram: null } })
  t.equal(made.status, 201, made.text)
  const { id } = made.body
  const one = `${plans}/${id}`
  t.same(made.body, { id, name: 'Small', is_default: false, limits: { cores: 4 } })
  t.equal(made.headers.location, `http://localhost:3000/api/v1${one}`)
  t.match((await ask('POST', plans, { name: 'small' })).body, { status: 409, errors: [{ pointer: '#/name' }] })
  t.match((await ask('POST', plans, { name: 'X', limits: { wishes: 1 } })).body, {
    status: 422,
    errors: [{ pointer: '#/limits/wishes' }],
  })

  const preview = await ask('GET', `${quotas}/plan/${id}`)
  t.match(
    preview.body.changes.find(({ resource }: { resource: string }) => resource === 'cores'),
    { before: null, after: 4, lacking: null },
  )
  t.match((await ask('PATCH', one, { is_default: true, limits: { cores: 6 } })).body, {
    name: 'Small',
    is_default: true,
    limits: { cores: 6 },
  })
  const version = { 'if-match': String(preview.headers.etag) }
  t.equal((await ask('POST', `${quotas}/plan/${id}`, undefined, version)).status, 412, 'the plan was changed')
  t.equal(limitOf((await ask('GET', quotas)).body.quotas, 'cores'), null)
  const newer = { 'if-match': String((await ask('GET', `${quotas}/plan/${id}`)).headers.etag) }
  const applied = await ask('POST', `${quotas}/plan/${id}`, undefined, newer)
  t.equal(limitOf(applied.body.quotas, 'cores'), 6, applied.text)
  t.same((await ask('GET', `${quotas}/plan/${id}`)).body, { changes: [] })

  const wayne = await ask('POST', '/accounts/cloudhaus/customers', { name: 'Wayne' })
  t.equal(wayne.status, 201)
  const ofWayne = '/accounts/cloudhaus/customers/wayne/quotas'
  t.equal(limitOf((await ask('GET', ofWayne)).body.quotas, 'cores'), 6, 'new customers get the default')
  await ask('PUT', ofWayne, { limits: { cores: 9 } })
  t.match((await ask('GET', `${quotas}/copy/wayne`)).body.changes, [{ resource: 'cores', before: 6, after: 9 }])
  t.equal(limitOf((await ask('POST', `${quotas}/copy/wayne`)).body.quotas, 'cores'), 9)

  t.equal((await ask('DELETE', one)).status, 204)
  t.same((await ask('GET', plans)).body, { data: [] })
  t.equal(limitOf((await ask('GET', ofWayne)).body.quotas, 'cores'), 9, 'customers keep their limits')
})

t.test('a plan that the pool cannot pay changes nothing', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '64' })
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const pool = (await ask('GET', '/accounts/cloudhaus/pool')).body.quotas
  t.equal(limitOf(pool, 'cores'), 64)
  const { id } = (await ask('POST', plans, { name: 'Huge', limits: { cores: 65, ram: 1 } })).body
  t.match((await ask('GET', `${quotas}/plan/${id}`)).body.changes[0], {
    resource: 'cores',
    lacking: /pool of Cloudhaus/i,
  })
  const before = (await ask('GET', quotas)).body
  const refused = await ask('POST', `${quotas}/plan/${id}`)
  t.match(refused.body, { status: 409, detail: /the pool has 64/ })
  t.same((await ask('GET', quotas)).body, before)
})

t.test('a partner’s program sets what is approved automatically', async (t) => {
  const panel = await startApp(t)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const max = program(panel.app, tokenOf(panel, 'max', 'cloudhaus'))
  const rule = '/accounts/cloudhaus/automatic-approval'
  t.equal((await max('PUT', rule, { share: 50 })).status, 403)
  t.equal((await petra('PUT', rule, { share: 101 })).status, 422)
  t.same((await petra('PUT', rule, { share: 50 })).body, { share: 50 })
  t.same((await max('GET', rule)).body, { share: 50 })
  t.same((await petra('PUT', rule, { share: null })).body, { share: null })
})

t.test('a resource may be called like a figure that is no edit', async (t) => {
  const edited = (users: number) => stable(versionOf({ name: 'M', limits: { users } }))
  t.not(edited(10), edited(50), 'its limit is part of what If-Match compares')
  t.equal(stable(versionOf({ name: 'M', users: 1 })), stable(versionOf({ name: 'M', users: 2 })), 'a figure is not')
})
