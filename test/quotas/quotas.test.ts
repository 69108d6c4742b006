import { and, eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, limits, resources } from '../../src/db/schema.ts'
import { type Panel, startApp } from '../harness.ts'

const page = '/partner/customers/acme/quotas'
const pool = '/support/accounts/cloudhaus/quotas'

function limitOf(
  panel: Panel,
  identifier = 'acme',
  key = 'projects',
  level: 'account' | 'pool' | 'project' = 'account',
) {
  const row = panel.db
    .select({ amount: limits.amount })
    .from(limits)
    .innerJoin(accounts, eq(accounts.id, limits.accountId))
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(and(eq(accounts.identifier, identifier), eq(resources.key, key), eq(limits.level, level)))
    .get()
  return row?.amount
}

/** Everything but what a page view may touch; how far e-mails have come is the worker’s. */
function lasting(panel: Panel) {
  const { sessions, throttles, letters, ...rest } = panel.rows()
  return { ...rest, letters: letters?.length }
}

t.test('a partner sets what a customer may use: a number, 0 for none, empty for no limit of its own', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const first = await petra.open(page)
  t.match(first.text, /Empty means no limit of its own.*0 means none/)
  t.same(
    first.root.querySelectorAll('main tbody label').map((label) => label.textContent),
    ['Projects', 'Instances', 'Cores', 'RAM', 'Volumes', 'Gigabytes', 'Snapshots', 'Floating IPs'],
  )
  for (const [typed, stored] of [
    ['5', 5],
    ['0', 0],
    ['', null],
    [' 7 ', 7],
    ['999999999', 999999999],
  ] as const) {
    const answer = await petra.submitAndFollow(page, 'Save quotas', { projects: typed, ram: typed })
    t.match(answer.notice, 'The quotas of Acme are saved')
    t.equal(limitOf(panel), stored)
    t.equal(limitOf(panel, 'acme', 'ram'), stored)
  }
  t.match((await petra.open('/partner/customers')).row('acme'), '2 / 999,999,999')
  t.match((await petra.open(page)).row('RAM'), 'Acme: limit 999,999,999 MiB, 0 MiB allocated')
})

t.test('an amount may have another unit of storage, and its thousands may be grouped', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit(page, 'Save quotas', { ram: '32 GB', gigabytes: '2 TB', cores: '1,000' })
  const saved = await petra.open(page)
  t.same([saved.value('ram'), saved.value('gigabytes'), saved.value('cores')], ['32 GB', '2,000 GB', '1,000'])
  t.same([saved.amount('ram'), saved.amount('gigabytes'), saved.amount('cores')], [32768, 2000, 1000])
  t.same([limitOf(panel, 'acme', 'ram'), limitOf(panel, 'acme', 'gigabytes')], [32768, 2000])
  const again = await petra.press(saved, 'Save quotas')
  t.equal(again.status, 303, 'what the fields show is read as the same amounts')
  t.same(
    [limitOf(panel, 'acme', 'ram'), limitOf(panel, 'acme', 'gigabytes'), limitOf(panel, 'acme', 'cores')],
    [32768, 2000, 1000],
  )
  await petra.submit(page, 'Save quotas', { ram: '65536' })
  t.equal((await petra.open(page)).value('ram'), '64 GB', 'a number alone is in the unit of the resource')
  const wrong = await petra.submit(page, 'Save quotas', { ram: '1 KB', cores: '1.000' })
  t.match(wrong.error('ram'), 'Enter a whole number of MiB')
  t.match(wrong.error('cores'), 'Enter a whole number from')
})

t.test('anything but a whole number is refused at its field, and nothing of the form is stored', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await petra.submit(page, 'Save quotas', { cores: '3', instances: '1' })
  const forms = [
    [petra, page, 'Save quotas'],
    [stella, '/projects/website', 'Save quotas'],
    [olga, pool, 'Save pool'],
    [stella, '/customer/quotas', 'Send request'],
  ] as const
  for (const [who, path, button] of forms) {
    const before = lasting(panel)
    for (const typed of [
      '-1',
      '1.5',
      '1,5',
      '1e3',
      '0x10',
      '٣',
      'NaN',
      'Infinity',
      '1000000000',
      '99999999999999999999',
      '007',
      '1 0',
      'three',
      '+1',
      '１',
    ]) {
      const reason = button === 'Send request' ? { reason: 'Why not' } : {}
      const answer = await who.submit(path, button, { cores: typed, instances: '2', ...reason })
      t.equal(answer.status, 422, `${path}: ${typed}`)
      t.match(answer.error('cores'), 'Enter a whole number')
      t.equal(answer.value('cores'), typed, 'what was typed is kept')
      t.equal(answer.value('instances'), '2')
    }
    t.equal((await who.submit(path, button, { cores: ['1', '2'] })).status, 400)
    t.equal((await who.submit(path, button, { cores: '1', quantum: '2' })).status, 400)
    t.strictSame(lasting(panel), before, `${path} stores nothing of it`)
  }
  for (const fields of [{ cores: '1' }, { cores: '1', version: '-1' }, { cores: '1', version: 'x' }])
    t.equal((await petra.post(page, fields)).status, 400, 'without a version')
  t.equal((await stella.submit('/projects/website', 'Save quotas', { projects: '1' })).status, 400)
})

t.test('a form is saved as a whole or not at all, on every level', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await olga.submit(pool, 'Save pool', { cores: '10', ram: '1024', remark: 'As agreed' })
  const refused = await petra.submit(page, 'Save quotas', { cores: '11', ram: '512', volumes: '5' })
  t.equal(refused.status, 422)
  t.match(refused.error('cores'), /pool of Cloudhaus has 10 available, and this takes 11 more. At most 10/)
  t.equal(refused.value('ram'), '512')
  t.equal(limitOf(panel, 'acme', 'ram'), undefined)
  t.equal(limitOf(panel, 'acme', 'volumes'), undefined)
  await petra.submit(page, 'Save quotas', { cores: '8', ram: '512', volumes: '5' })

  const toProject = await stella.submit('/projects/website', 'Save quotas', { cores: '9', ram: '513', volumes: '1' })
  t.equal(toProject.status, 422)
  t.match(toProject.error('cores'), /Acme has 8 available, and this takes 9 more. At most 8/)
  t.match(toProject.error('ram'), /Acme has 512 MiB available/)
  t.equal(limitOf(panel, 'acme', 'volumes', 'project'), undefined)
  t.equal((await stella.submit('/projects/website', 'Save quotas', { cores: '5', ram: '512' })).status, 303)
  t.match((await stella.submit('/projects/shop', 'Save quotas', { cores: '4' })).error('cores'), 'Acme has 3 available')
  t.match((await stella.open('/projects/website')).text, 'Cores 5, RAM 512 MiB')
  t.match((await petra.open('/partner/customers/acme/projects')).row('Website'), 'Cores 5, RAM 512 MiB')
})

t.test('without a number a level shares what the level above has left', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, ines, olga] = await Promise.all(
    (['petra', 'stella', 'ines', 'olga'] as const).map((who) => panel.signIn(who)),
  )
  if (!petra || !stella || !ines || !olga) return t.fail()
  await olga.submit(pool, 'Save pool', { projects: '4', cores: '10' })
  await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '6' })
  t.match(
    (await stella.submit('/projects/website', 'Save quotas', { cores: '5' })).error('cores'),
    /Cloudhaus has 4 available/,
  )
  t.equal((await stella.submit('/projects/website', 'Save quotas', { cores: '4' })).status, 303)
  t.match(
    (await stella.submit('/projects/shop', 'Save quotas', { cores: '1' })).error('cores'),
    /Cloudhaus has 0 available/,
  )
  const raised = await petra.submit('/partner/customers/initech/quotas', 'Save quotas', { cores: '7' })
  t.match(raised.error('cores'), /has 0 available, and this takes 1 more. At most 6/)
  t.equal(
    (await petra.submit(page, 'Save quotas', { cores: '4' })).status,
    303,
    'amounts that are already allocated take no more',
  )

  // Projects are counted: two live in Acme.
  t.match((await petra.open('/partner/customers')).row('acme'), '2 / shared')
  for (const name of ['one', 'two'])
    t.equal((await ines.submit('/projects', 'Create project', { name, identifier: name })).status, 303)
  const full = await stella.open('/projects')
  t.match(full.text, /shares what Cloudhaus has for all its customers, and no project is available/)
  t.notOk(full.hasButton('Create project'))
  t.equal((await stella.post('/projects', { name: 'X', identifier: 'xx' })).status, 422)
  await ines.submit('/projects/one/removal', 'Delete project', { identifier: 'one' })
  t.equal((await stella.submit('/projects', 'Create project', { name: 'X', identifier: 'xx' })).status, 303)
})

t.test('a limit lowered below what is given out takes nothing away, shows it, and blocks further giving', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await petra.submit(page, 'Save quotas', { cores: '10' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '6' })
  await petra.submit(page, 'Save quotas', { cores: '4', projects: '1' })
  t.equal(limitOf(panel, 'acme', 'cores', 'project'), 6)
  t.match(
    (await stella.open('/customer/quotas')).row('Cores'),
    /over limit.*2 over the limit, so nothing more can be allocated/,
  )
  t.match((await petra.open('/partner/customers')).row('acme'), '2 / 1 over limit')
  t.match((await stella.submit('/projects/shop', 'Save quotas', { cores: '1' })).error('cores'), 'Acme has 0 available')
  t.match(
    (await stella.submit('/projects/website', 'Save quotas', { cores: '7' })).error('cores'),
    'Acme has 0 available',
  )
  t.equal((await stella.submit('/projects/website', 'Save quotas', { cores: '5' })).status, 303, 'down always goes')
  t.match((await stella.open('/projects')).text, /has reached its limit of 1 project.*Cloudhaus.*ask for more/)
  t.match((await stella.open('/projects')).text, '2 projects', 'nothing is taken away')

  await olga.submit(pool, 'Save pool', { cores: '2' })
  t.match(
    (await petra.open('/partner/quotas')).row('Cores'),
    /Cores 5 allocated over limit 0 available.*3 over the limit.* 2$/,
  )
  t.match((await petra.submit(page, 'Save quotas', { cores: '6' })).error('cores'), 'has 0 available')
})

t.test('an edit made on an older version answers 409 with both values, and may then be saved', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  for (const [who, path, button, level, of] of [
    [petra, page, 'Save quotas', 'account', 'acme'],
    [stella, '/projects/website', 'Save quotas', 'project', 'acme'],
    [olga, pool, 'Save pool', 'pool', 'cloudhaus'],
    [olga, '/support/accounts/direct/quotas', 'Save quotas', 'account', 'direct'],
  ] as const) {
    const before = await who.open(path)
    await who.submit(path, button, { cores: '3', ram: '1' })
    const stale = await who.press(before, button, { cores: '9', ram: '1' })
    t.equal(stale.status, 409, path)
    t.match(stale.error('cores'), /it is 3 now. Save again to set it to 9/)
    t.equal(stale.error('ram'), '', 'what is the same is no conflict')
    t.equal(limitOf(panel, of, 'cores', level), 3)
    t.equal((await who.press(stale, button)).status, 303)
    t.equal(limitOf(panel, of, 'cores', level), 9)
    t.equal((await who.press(before, button, { cores: '9', ram: '1' })).status, 303, 'nothing is left to do')
  }
})

t.test('explain says which level bounds a resource, who set it, when, and why', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, tom, olga] = await Promise.all(
    (['petra', 'stella', 'tom', 'olga'] as const).map((who) => panel.signIn(who)),
  )
  if (!petra || !stella || !tom || !olga) return t.fail()
  await olga.submit(pool, 'Save pool', { cores: '20', remark: 'Contract of November' })
  await petra.submit(page, 'Save quotas', { cores: '8', remark: 'For the <shop>' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '5' })

  const partners = (await petra.open(page)).row('Cores')
  t.match(partners, /Limited by Acme: 3 available/)
  t.match(partners, /Acme: limit 8, 5 allocated, 3 available. Set by Petra Cloudhaus on .* UTC: “For the <shop>”/)
  t.match(
    partners,
    /pool of Cloudhaus: limit 20, 8 allocated, 12 available. Set by Olga Support on.*“Contract of November”/,
  )
  const ofProject = (await tom.open('/projects/website')).row('Cores')
  t.match(ofProject, /Limited by Website.*Website: limit 5. Set by Stella Acme/)
  const customers = (await stella.open('/customer/quotas')).row('Cores')
  t.match(customers, /Limited by Acme: 3 available.*Petra Cloudhaus.*12 available for all of its customers/)
  t.notMatch(customers, /Contract|limit 20|Olga/, 'what a partner has is not its customers’ to read')
  t.notMatch(ofProject, /Contract|limit 20|Olga/)
  t.notOk((await tom.open('/projects/website')).hasButton('Save quotas'))
  t.match((await stella.open('/customer/history')).text, 'set Cores for Website to 5 (was no limit)')
  t.match((await petra.open('/partner/history')).text, 'set Cores for Acme to 8 (was no limit)')
})

t.test('every level shows the same panel: a bar with its figures as text', async (t) => {
  const panel = await startApp(t)
  const [petra, stella, olga] = [await panel.signIn('petra'), await panel.signIn('stella'), await panel.signIn('olga')]
  await olga.submit(pool, 'Save pool', { cores: '20' })
  await petra.submit(page, 'Save quotas', { cores: '8' })
  await stella.submit('/projects/website', 'Save quotas', { cores: '2' })
  for (const [who, path, width] of [
    [olga, pool, '40%'],
    [petra, '/partner/quotas', '40%'],
    [petra, page, '25%'],
    [stella, '/customer/quotas', '25%'],
  ] as const) {
    const row = (await who.open(path)).root.querySelectorAll('main table.quotas tr').find((tr) => /Cores/.test(tr.text))
    t.equal(row?.querySelector('svg rect:last-child')?.getAttribute('width'), width, path)
    t.equal(row?.querySelector('svg')?.getAttribute('aria-hidden'), 'true')
  }
})

t.test('the customers table shows a resource near its limit', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  t.notMatch((await petra.open('/partner/customers')).row('acme'), 'RAM')
  await petra.submit(page, 'Save quotas', { projects: '10', cores: '8', ram: '1000' })
  t.match((await petra.open('/partner/customers')).row('acme'), '2 / 10 active', 'no other limit is near')
  await stella.submit('/projects/website', 'Save quotas', { ram: '900' })
  t.match((await petra.open('/partner/customers')).row('acme'), 'RAM 900 MiB / 1,000 MiB')
})

t.test('Support limits accounts without a partner; a customer’s limits are its partner’s', async (t) => {
  const panel = await startApp(t)
  const [olga, dora] = [await panel.signIn('olga'), await panel.signIn('dora')]
  await olga.submit('/support/accounts/direct/quotas', 'Save quotas', { projects: '0' })
  t.match((await dora.open('/projects')).text, /reached its limit of 0 projects.*Support can raise it/)
  const acme = await olga.open('/support/accounts/acme/quotas')
  t.match(acme.text, 'Cloudhaus, the partner of this customer, sets them')
  t.notOk(acme.hasButton('Save quotas'))
  t.equal((await olga.post('/support/accounts/acme/quotas', { cores: '1', version: '1' })).status, 403)
  t.equal((await olga.post('/support/accounts/acme/pool', { cores: '1', version: '1' })).status, 404, 'no pool there')
  t.equal((await olga.post('/support/accounts/direct/pool', { cores: '1', version: '1' })).status, 404)
  t.same(
    panel.db
      .select()
      .from(limits)
      .all()
      .map(({ level }) => level),
    ['account'],
  )
})

t.test('what was given to a project goes with it', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = [await panel.signIn('petra'), await panel.signIn('stella')]
  await petra.submit(page, 'Save quotas', { cores: '4' })
  await stella.submit('/projects/shop', 'Save quotas', { cores: '4' })
  t.match(
    (await stella.submit('/projects/website', 'Save quotas', { cores: '1' })).error('cores'),
    'Acme has 0 available',
  )
  await stella.submit('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  t.equal((await stella.submit('/projects/website', 'Save quotas', { cores: '4' })).status, 303)
})

t.test('the download holds the pool and every customer, with formulas made harmless', async (t) => {
  const panel = await startApp(t)
  const [petra, olga] = [await panel.signIn('petra'), await panel.signIn('olga')]
  await petra.submit('/partner/customers', 'Create customer', { name: '=1+1', identifier: 'formula' })
  await olga.submit(pool, 'Save pool', { cores: '20' })
  await petra.submit(page, 'Save quotas', { cores: '8', ram: '2048' })
  const { response, body } = await petra.get('/partner/quotas.csv')
  t.equal(response.headers['content-type'], 'text/csv; charset=utf-8')
  t.match(response.headers['content-disposition'], 'attachment; filename="quotas-cloudhaus.csv"')
  const lines = body.split('\r\n')
  t.equal(lines[0], '\ufefflevel,name,identifier,resource,unit,limit,allocated,available')
  t.ok(lines.includes('pool,Cloudhaus,cloudhaus,cores,,20,8,12'))
  t.ok(lines.includes('customer,Acme,acme,ram,MiB,2048,0,2048'))
  t.ok(lines.includes('customer,Acme,acme,projects,,,2,'))
  t.ok(lines.includes("customer,'=1+1,formula,cores,,,0,"))
  t.equal(lines.filter(Boolean).length, 1 + 4 * 8)
  t.notMatch(body, 'Umbrella')
  const umbrellas = await (await panel.signIn('riva')).get('/partner/quotas.csv')
  t.notMatch(umbrellas.body, /Acme|Initech|Cloudhaus/)
})

t.test('a Partner User sees the quotas and sets none; another partner finds no such customer', async (t) => {
  const panel = await startApp(t)
  const max = await panel.signIn('max')
  t.notOk((await max.open(page)).hasButton('Save quotas'))
  t.notOk((await max.open('/partner/quotas')).hasButton('Save'))
  t.equal((await max.post(page, { projects: '1', version: '1' })).status, 403)
  const riva = await panel.signIn('riva')
  t.equal((await riva.post(page, { projects: '1', version: '1' })).status, 404)
  t.equal(limitOf(panel), undefined)
})
