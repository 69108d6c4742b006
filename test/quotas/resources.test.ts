import t from 'tap'
import { resources } from '../../src/db/schema.ts'
import { startApp } from '../harness.ts'

const page = '/support/resources'

t.test('the catalogue begins with the keys of OpenStack’s unified limits', async (t) => {
  const panel = await startApp(t)
  t.same(
    panel.db
      .select()
      .from(resources)
      .all()
      .map(({ key }) => key),
    ['projects', 'instances', 'cores', 'ram', 'volumes', 'gigabytes', 'snapshots', 'floating_ips'],
  )
})

t.test('what Support adds can be limited on every level at once', async (t) => {
  const panel = await startApp(t)
  const [olga, petra, stella] = [await panel.signIn('olga'), await panel.signIn('petra'), await panel.signIn('stella')]
  const added = await olga.submitAndFollow(page, 'Add resource', {
    key: 'load_balancers',
    name: 'Load balancers',
    unit: '',
  })
  t.match(added.notice, 'Load balancers can be limited now')
  const quotas = '/partner/customers/acme/quotas'
  t.equal((await petra.submit(quotas, 'Save quotas', { load_balancers: '2' })).status, 303)
  t.match((await stella.open('/customer/quotas')).row('Load balancers'), '2')
  t.equal((await stella.submit('/projects/shop', 'Save quotas', { load_balancers: '3' })).status, 422)
})

t.test('bad keys, names and units are refused at their field', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  for (const [fields, field, words] of [
    [{ key: 'Load', name: 'L' }, 'key', 'A key takes'],
    [{ key: '1x', name: 'L' }, 'key', 'A key takes'],
    [{ key: 'version', name: 'L' }, 'key', 'A key takes'],
    [{ key: 'constructor', name: 'L' }, 'key', 'A key takes'],
    [{ key: 'cores', name: 'L' }, 'key', 'in the catalogue already'],
    [{ key: 'lbs', name: ' ' }, 'name', 'Enter the resource’s name'],
    [{ key: 'lbs', name: 'x'.repeat(41) }, 'name', 'at most 40'],
    [{ key: 'lbs', name: 'L', unit: 'x'.repeat(13) }, 'unit', 'at most 12'],
  ] as const) {
    const answer = await olga.submit(page, 'Add resource', fields)
    t.equal(answer.status, 422)
    t.match(answer.error(field), words)
  }
  t.equal(panel.db.select().from(resources).all().length, 8)
})

t.test('a resource is renamed, on its version alone, and is removed while nothing names it', async (t) => {
  const panel = await startApp(t)
  const [olga, petra] = [await panel.signIn('olga'), await panel.signIn('petra')]
  const before = await olga.open(page)
  await olga.submit(page, 'Save', { name: 'vCPUs', unit: 'cores' }, 'cores')
  const stale = await olga.press(before, 'Save', { name: 'CPUs', unit: '' }, 'cores')
  t.equal(stale.status, 409)
  t.match(stale.text, 'Someone else changed it to “vCPUs” (cores)')
  t.match((await petra.open('/partner/customers/acme/quotas')).text, 'vCPUs cores')

  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { cores: '1' })
  const used = await olga.submit(page, 'Remove', {}, 'cores')
  t.equal(used.status, 422)
  t.match(used.problem, 'vCPUs stays: limits, requests or plans name it')
  t.equal((await olga.submit(page, 'Remove', {}, 'snapshots')).status, 303)
  t.notMatch((await petra.open('/partner/quotas')).text, 'Snapshots')
  t.match((await olga.post('/support/resources/projects/removal')).problem, 'counted by the panel itself')
  t.equal((await olga.post('/support/resources/nothing/removal')).status, 404)
  t.equal(panel.db.select().from(resources).all().length, 7)
})

t.test('a full catalogue says so', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  for (let n = 0; n < 42; n++)
    panel.db
      .insert(resources)
      .values({ key: `r${n}`, name: `R ${n}`, unit: '' })
      .run()
  t.match((await olga.submit(page, 'Add resource', { key: 'more', name: 'M' })).error('key'), 'holds 50 resources')
  const petra = await panel.signIn('petra')
  const saved = await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { r41: '1' })
  t.equal(saved.status, 303, 'and its form can still be sent')
})
