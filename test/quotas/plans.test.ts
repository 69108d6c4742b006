import { buffer } from 'node:stream/consumers'
import { and, eq } from 'drizzle-orm'
import t from 'tap'
import { exportAccount } from '../../src/accounts/export/archive.ts'
import { accounts, letters, limits, planLimits, plans, records, resources } from '../../src/db/schema.ts'
import { createPlan, findPlanByName, listPlans, mostPlans } from '../../src/quotas/plans/data/plans.ts'
import { atCommandLine, type Person } from '../../src/records/record.ts'
import { jsonLines, unpack } from '../accounts/archive.ts'
import { accountId, type Client, type Fields, type Panel, startApp, there, userId } from '../harness.ts'

const page = '/partner/customers/acme/quotas'
const made = '/partner/plans/new'

/** The limits of a customer that have a number. */
function limitsOf({ db }: Panel, identifier = 'acme'): Record<string, number | null> {
  const rows = db
    .select({ key: resources.key, amount: limits.amount })
    .from(limits)
    .innerJoin(accounts, eq(accounts.id, limits.accountId))
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(and(eq(accounts.identifier, identifier), eq(limits.level, 'account')))
    .all()
  return Object.fromEntries(rows.filter(({ amount }) => amount !== null).map(({ key, amount }) => [key, amount]))
}

/** Everything but what a page view may touch. */
function lasting(panel: Panel) {
  const { sessions, throttles, letters, ...rest } = panel.rows()
  return { ...rest, letters: letters?.length }
}

async function plan(petra: Client, planName: string, fields: Fields = {}): Promise<void> {
  const answer = await petra.submit(made, 'Create plan', { planName, ...fields })
  if (answer.status !== 303) throw new Error(`${planName}: ${answer.status} ${answer.text}`)
}

const cloudhaus = (panel: Panel) => accountId(panel, 'cloudhaus')
const idOf = (panel: Panel, name: string) => there(findPlanByName(panel.db, cloudhaus(panel), name)).id

function petraOf(panel: Panel): Person {
  return {
    ...atCommandLine(panel.app.now()),
    bySupport: false,
    userId: userId(panel, 'petra'),
    accountId: cloudhaus(panel),
  }
}

function recorded({ db }: Panel, kind: string) {
  return db
    .select()
    .from(records)
    .where(eq(records.kind, kind))
    .all()
    .map(({ accountId, change }) => ({ accountId, change: JSON.parse(change) }))
}

t.test('a partner keeps plans: creates, changes, renames and deletes them, and the history tells it', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  t.match((await petra.get('/partner/plans')).text, 'No plans yet')
  await plan(petra, 'M', { projects: '5', cores: '8', ram: '32 GB' })
  const list = await petra.get('/partner/plans')
  t.match(list.row('M'), /Projects 5, Cores 8, RAM 32 GB/)
  t.match(list.text, '1 plan. You can have 100.')
  const id = idOf(panel, 'M')
  const form = await petra.open(`/partner/plans/${id}`)
  t.equal(form.value('ram'), '32 GB', 'as people write it')
  const saved = await petra.press(form, 'Save plan', { planName: 'Medium', cores: '', instances: '0' })
  t.match((await petra.open(saved.location ?? '')).notice, 'The plan Medium was saved')
  t.match((await petra.get('/partner/plans')).row('Medium'), /Projects 5, Instances 0, RAM 32 GB/)
  const removed = await petra.submitAndFollow(`/partner/plans/${id}/removal`, 'Delete plan')
  t.match(removed.notice, 'The plan Medium was deleted')
  t.same(listPlans(panel.db, cloudhaus(panel)), [])
  t.same(panel.db.select().from(planLimits).all(), [])
  const of = { accountId: cloudhaus(panel) }
  t.same(recorded(panel, 'limit.plan-created'), [
    { ...of, change: { 'plan name': [null, 'M'], projects: [null, 5], cores: [null, 8], ram: [null, 32768] } },
  ])
  t.same(recorded(panel, 'limit.plan-changed'), [
    { ...of, change: { 'plan name': ['M', 'Medium'], instances: [null, 0], cores: [8, null] } },
  ])
  t.same(recorded(panel, 'limit.plan-removed'), [{ ...of, change: { 'plan name': ['Medium', null] } }])
  const told = (await petra.get('/customer/history')).text
  t.match(told, /created the plan M Projects: no limit → 5 · Cores: no limit → 8 · RAM: no limit → 32 GB/)
  t.match(told, /renamed the plan M to Medium Instances: no limit → 0 · Cores: 8 → no limit/)
  t.match(told, 'deleted the plan Medium')
  t.notMatch(told, 'cannot be shown')
})

t.test('what is wrong with a plan stands at its field, and what was typed stays', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await plan(petra, 'Größe M', { cores: '8' })
  const before = lasting(panel)
  const unnamed = await petra.submit(made, 'Create plan', { planName: ' ', cores: 'many', ram: '64 GB' })
  t.equal(unnamed.status, 422)
  t.match(unnamed.error('planName'), 'Enter the plan’s name')
  t.match(unnamed.error('cores'), 'Enter a whole number')
  t.equal(unnamed.value('ram'), '64 GB')
  const same = await petra.submit(made, 'Create plan', { planName: 'GRÖSSE M'.replace('SS', 'ß') })
  t.equal(same.status, 422)
  t.match(same.error('planName'), 'You have a plan of this name')
  t.strictSame(lasting(panel), before)
  // Another partner may use the name.
  const riva = await panel.signIn('riva')
  await plan(riva, 'Größe M')
  await plan(petra, 'L')
  const renamed = await petra.submit(`/partner/plans/${idOf(panel, 'L')}`, 'Save plan', { planName: 'größe m' })
  t.match(renamed.error('planName'), 'You have a plan of this name')
})

t.test('a change of a plan that somebody else has changed is shown before it replaces theirs', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await plan(petra, 'M', { cores: '8' })
  const path = `/partner/plans/${idOf(panel, 'M')}`
  const [one, other] = [await petra.open(path), await petra.open(path)]
  await petra.press(one, 'Save plan', { cores: '10' })
  const stale = await petra.press(other, 'Save plan', { cores: '12' })
  t.equal(stale.status, 409)
  t.equal(stale.value('cores'), '12')
  t.match(stale.problem, 'Somebody else has changed this plan')
  t.equal((await petra.press(stale, 'Save plan')).status, 303)
  t.match((await petra.get('/partner/plans')).row('M'), 'Cores 12')
})

t.test(`a partner has at most ${mostPlans} plans`, async (t) => {
  const panel = await startApp(t)
  const by = petraOf(panel)
  for (let n = 0; n < mostPlans; n++)
    t.type(createPlan(panel.db, by, cloudhaus(panel), { name: `P${n}`, isDefault: false, amounts: new Map() }), Object)
  const petra = await panel.signIn('petra')
  const full = await petra.submit(made, 'Create plan', { planName: 'One more' })
  t.match(full.error('planName'), 'You have 100 plans, and cannot have more')
  t.equal(listPlans(panel.db, cloudhaus(panel)).length, mostPlans)
})

t.test('Partner Users read the plans and change none', async (t) => {
  const panel = await startApp(t)
  await plan(await panel.signIn('petra'), 'M', { cores: '8' })
  const max = await panel.signIn('max')
  const list = await max.get('/partner/plans')
  t.match(list.row('M'), 'Cores 8')
  t.notMatch(list.text, /New plan|Change|Delete/)
  t.equal((await max.get(made)).status, 403)
  t.notMatch((await max.get(page)).text, 'Apply a plan')
})

t.test('new customers get the default plan, another one, or none, in the act that creates them', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  t.notMatch((await petra.get('/partner/customers')).body, 'name=plan')
  await plan(petra, 'M', { projects: '5', cores: '8', newCustomers: 'yes' })
  await plan(petra, 'L', { projects: '20' })
  const create = (identifier: string, fields: Fields = {}) =>
    petra.submit('/partner/customers', 'Create customer', { name: identifier, identifier, ...fields })
  await create('as-default')
  t.same(limitsOf(panel, 'as-default'), { projects: 5, cores: 8 })
  await create('larger', { plan: String(idOf(panel, 'L')) })
  t.same(limitsOf(panel, 'larger'), { projects: 20 })
  await create('without', { plan: 'none' })
  t.same(limitsOf(panel, 'without'), {})
  const changed = recorded(panel, 'limit.changed')
  t.same(
    changed.map(({ change }) => change),
    [{ projects: [null, 5], cores: [null, 8] }, { projects: [null, 20] }],
  )
  t.match((await petra.get('/partner/customers/as-default/history')).text, 'Plan M')
  t.match((await petra.get('/partner/customers/as-default/quotas')).row('Cores'), 'Plan M')

  // A plan that is gone creates nobody; nor does one of another partner.
  const riva = await panel.signIn('riva')
  await plan(riva, 'Secret')
  const foreign = there(findPlanByName(panel.db, accountId(panel, 'rival'), 'Secret')).id
  const before = lasting(panel)
  for (const id of [999, foreign]) {
    const gone = await petra.post('/partner/customers', { name: 'X', identifier: 'x-1', plan: String(id) })
    t.equal(gone.status, 422)
    t.match(gone.error('plan'), 'This plan was deleted')
  }
  t.strictSame(lasting(panel), before)
})

t.test('at most one plan is the default, and the history says which was', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await plan(petra, 'M', { newCustomers: 'yes' })
  t.match((await petra.get(made)).text, 'New customers get the plan M now')
  await plan(petra, 'L', { newCustomers: 'yes' })
  const defaults = () => listPlans(panel.db, cloudhaus(panel)).filter(({ isDefault }) => isDefault)
  t.same(
    defaults().map(({ name }) => name),
    ['L'],
  )
  t.same(recorded(panel, 'limit.plan-created').at(-1)?.change['default for new customers'], ['M', 'L'])
  t.match((await petra.get('/customer/history')).text, 'Plan of new customers: L (was M)')
  t.throws(
    () => panel.db.update(plans).set({ isDefault: true }).where(eq(plans.name, 'M')).run(),
    /UNIQUE/,
    'the schema holds it, too',
  )
  await petra.submit(`/partner/plans/${idOf(panel, 'L')}`, 'Save plan', { newCustomers: [] })
  t.same(defaults(), [])
  await petra.submit('/partner/customers', 'Create customer', { name: 'Free', identifier: 'free' })
  t.same(limitsOf(panel, 'free'), {})
})

t.test('a pool that does not have enough for the plan creates no customer', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const olga = await panel.signIn('olga')
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '4' })
  await plan(petra, 'M', { cores: '8', newCustomers: 'yes' })
  const before = lasting(panel)
  const answer = await petra.submit('/partner/customers', 'Create customer', { name: 'New', identifier: 'new' })
  t.equal(answer.status, 422)
  t.match(answer.error('plan'), 'Cores: the pool has 4 available, and the plan takes 8')
  t.equal(answer.value('name'), 'New')
  t.strictSame(lasting(panel), before)
})

t.test('a plan is applied after a page that shows what changes, and its admins are told', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit(page, 'Save quotas', { projects: '5', cores: '16', volumes: '10' })
  await plan(petra, 'S', { projects: '1', cores: '4', ram: '8 GB' })
  const before = lasting(panel)
  const chosen = await petra.open(page)
  t.match(
    chosen.root.querySelector('main label:has([name="plan"])')?.text.replaceAll(/\s+/g, ' '),
    /S Projects 1 ?Cores 4 ?RAM 8 GB/,
  )
  t.notOk(chosen.root.querySelector('[name="plan"][checked]'), 'no plan has these limits')
  const without = await petra.get(`${page}/plan`)
  t.equal(without.status, 422, 'sent by a program, which no browser stops')
  t.match(without.text, 'Choose a plan.')
  const preview = await petra.open(`${page}/plan?plan=${idOf(panel, 'S')}`)
  t.match(preview.row('Projects'), /5 1 below 2 in use/)
  t.match(preview.row('Cores'), /16 4/)
  t.match(preview.row('RAM'), /no limit 8 GB/)
  t.match(preview.row('Volumes'), /10 no limit/)
  t.equal(preview.tableRows.length, 4, 'what stays is left out')
  t.match(preview.text, 'No change: 4 other resources')
  t.match(preview.text, 'Lowering a limit never removes anything already in use')
  t.strictSame(lasting(panel), before, 'looking changes nothing')

  const applied = await petra.press(preview, 'Apply plan')
  t.match((await petra.open(applied.location ?? '')).notice, 'Acme has the limits of the plan S now')
  t.ok((await petra.open(page)).root.querySelector('[name="plan"][checked]'), 'the plan whose limits hold is marked')
  t.same(limitsOf(panel), { projects: 1, cores: 4, ram: 8192 })
  const letter = panel.db.select().from(letters).orderBy(letters.id).all().at(-1)
  t.match(letter?.subject, 'The limits of Acme changed')
  const olga = await panel.signIn('olga')
  t.match((await olga.get(`/support/mail/${letter?.id}`)).text, /Cores.*16 → 4.*Plan S/)
  const again = await petra.open(`${page}/plan?plan=${idOf(panel, 'S')}`)
  t.match(again.text, 'There is nothing to change')

  for (let n = 0; n < 8; n++) await plan(petra, `More ${n}`, { cores: '1' })
  t.ok((await petra.open(page)).root.querySelector('select[name="plan"]'), 'many plans are a list to choose from')

  // The limits are a copy.
  await petra.submit(`/partner/plans/${idOf(panel, 'S')}`, 'Save plan', { cores: '64' })
  await petra.submit(`/partner/plans/${idOf(panel, 'S')}/removal`, 'Delete plan')
  t.same(limitsOf(panel), { projects: 1, cores: 4, ram: 8192 })
})

t.test('what has changed since the preview is shown first', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await plan(petra, 'S', { cores: '4' })
  const path = `${page}/plan?plan=${idOf(panel, 'S')}`
  const preview = await petra.open(path)
  await petra.submit(`/partner/plans/${idOf(panel, 'S')}`, 'Save plan', { cores: '6' })
  const stale = await petra.press(preview, 'Apply plan')
  t.equal(stale.status, 409)
  t.match(stale.row('Cores'), /no limit 6/)
  t.same(limitsOf(panel), {})
  await petra.submit(page, 'Save quotas', { ram: '1' })
  const limitsChanged = await petra.press(stale, 'Apply plan')
  t.equal(limitsChanged.status, 409)
  t.match(limitsChanged.row('RAM'), /1 MiB no limit/)
  t.equal((await petra.press(limitsChanged, 'Apply plan')).status, 303)
  t.same(limitsOf(panel), { cores: 6 })
})

t.test(
  'the limits of another customer of the same partner are copied, and the customer learns nothing of it',
  async (t) => {
    const panel = await startApp(t)
    const petra = await panel.signIn('petra')
    await petra.submit('/partner/customers/initech/quotas', 'Save quotas', {
      cores: '12',
      ram: '64 GB',
      remark: 'Initech only',
    })
    await petra.submit(page, 'Save quotas', { volumes: '3' })
    const preview = await petra.open(`${page}/copy?from=+Initech+`)
    t.match(preview.text, 'Copy the limits of Initech to Acme?')
    t.match(preview.row('Volumes'), /3 no limit/)
    const applied = await petra.press(preview, 'Copy limits')
    t.match((await petra.open(applied.location ?? '')).notice, 'Acme has the limits of Initech now')
    t.same(limitsOf(panel), { cores: 12, ram: 65536 })
    const stella = await panel.signIn('stella')
    for (const path of ['/customer/quotas', '/customer/history']) t.notMatch((await stella.get(path)).body, /initech/i)
    const olga = await panel.signIn('olga')
    const told = panel.db
      .select()
      .from(letters)
      .where(eq(letters.accountId, accountId(panel, 'acme')))
      .all()
      .at(-1)
    const letter = await olga.get(`/support/mail/${told?.id}`)
    t.match(letter.text, 'The limits of Acme changed')
    t.notMatch(letter.body, /initech/i)

    for (const [from, words] of [
      ['umbrella', 'You have no customer “umbrella”'],
      ['nobody', 'You have no customer “nobody”'],
      ['acme', 'This is Acme itself'],
      ['', 'Enter the identifier'],
    ] as const) {
      const wrong = await petra.get(`${page}/copy?from=${from}`)
      t.equal(wrong.status, 422)
      t.match(wrong.error('from'), words)
    }
    const before = lasting(panel)
    const foreign = await petra.post(`${page}/copy`, { from: 'umbrella', version: '1', limitsVersion: '1' })
    t.equal(foreign.status, 404)
    t.strictSame(lasting(panel), before)
  },
)

t.test('a plan that the pool cannot give is not applied at all, and the page says what lacks', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const olga = await panel.signIn('olga')
  await plan(petra, 'L', { cores: '32', ram: '8 GB' })
  const preview = await petra.open(`${page}/plan?plan=${idOf(panel, 'L')}`)
  await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '20' })
  const late = await petra.press(preview, 'Apply plan')
  t.equal(late.status, 422)
  t.match(late.row('Cores'), 'The pool of Cloudhaus has 20 available, and this takes 32 more')
  t.same(limitsOf(panel), {}, 'RAM would fit, and is not set either')
  const now = await petra.open(`${page}/plan?plan=${idOf(panel, 'L')}`)
  t.notMatch(now.body, '>Apply plan<')
})

t.test('a partner’s export holds its plans, and a customer’s has none', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await plan(petra, 'M', { cores: '8', ram: '32 GB', newCustomers: 'yes' })
  await plan(petra, 'Open')
  await plan(await panel.signIn('riva'), 'Secret', { cores: '1' })
  const filesOf = async (identifier: string) =>
    unpack(await buffer(there(exportAccount(panel.db, accountId(panel, identifier), panel.app.now()))))
  t.same(jsonLines((await filesOf('cloudhaus')).get('plans.jsonl')), [
    { plan: 'M', 'for new customers': 'yes', resource: 'cores', unit: '', amount: 8 },
    { plan: 'M', 'for new customers': 'yes', resource: 'ram', unit: 'MiB', amount: 32768 },
    { plan: 'Open', 'for new customers': 'no', resource: null, unit: null, amount: null },
  ])
  t.notOk((await filesOf('acme')).has('plans.jsonl'))
})

t.test('a partner account that becomes a customer account loses its plans', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const fields = { name: 'Solo', identifier: 'solo', kind: 'partner' }
  await olga.submit('/support/accounts', 'Create account', { ...fields, adminName: 'A', adminEmail: 'a@solo.example' })
  const solo = accountId(panel, 'solo')
  const wanted = { name: 'M', isDefault: true, amounts: new Map([[1, 5]]) }
  createPlan(panel.db, { ...petraOf(panel), accountId: solo }, solo, wanted)
  await plan(await panel.signIn('petra'), 'Kept', { cores: '8' })
  await olga.submit('/support/accounts', 'Make customer', {}, 'solo')
  t.same(listPlans(panel.db, solo), [])
  t.same(panel.db.select({ amount: planLimits.amount }).from(planLimits).all(), [{ amount: 8 }], 'others keep theirs')
  t.same(recorded(panel, 'limit.plan-removed'), [{ accountId: solo, change: { 'plan name': ['M', null] } }])
})

t.test('a resource that a plan limits stays in the catalogue', async (t) => {
  const panel = await startApp(t)
  await plan(await panel.signIn('petra'), 'M', { snapshots: '3' })
  const olga = await panel.signIn('olga')
  const answer = await olga.submit('/support/resources', 'Remove', {}, 'snapshots')
  t.match(answer.problem, 'Snapshots stays: limits, requests or plans name it')
})
