import fc from 'fast-check'
import t from 'tap'
import type { AccountId } from '../../src/db/ids.ts'
import { openFile } from '../../src/db/open.ts'
import { overviewOf } from '../../src/partners/customers/data/overview.ts'
import { Shares } from '../../src/partners/customers/data/shares.ts'
import { accountId, startApp, userId } from '../harness.ts'
import { sqlite } from '../plans.ts'
import { until } from '../smtp.ts'

const silent = { error: (what: object) => t.fail(JSON.stringify(what)) }

t.test('shares that change one after the other add up to what a new count says', (t) => {
  const share = fc.record({
    id: fc.integer({ min: 1, max: 300 }).map((id) => id as AccountId),
    here: fc.boolean(),
    needs: fc.integer({ min: 0, max: 255 }),
    users: fc.nat(9),
    projects: fc.nat(9),
  })
  const times = [100, 200]
  fc.assert(
    fc.property(fc.array(share, { maxLength: 600 }), (changes) => {
      // A customer keeps the time of its creation.
      const all = changes.map((change) => ({ ...change, createdAt: change.id }))
      const kept = new Shares(times, 8)
      for (const change of all) kept.put(change)
      const now = [...new Map(all.map((change) => [change.id, change])).values()].filter(({ here }) => here)
      const sum = (of: (one: (typeof now)[number]) => number) => now.reduce((total, one) => total + of(one), 0)
      t.same(kept.sums, {
        customers: now.length,
        users: sum(({ users }) => users),
        projects: sum((one) => one.projects),
      })
      t.same(
        kept.growth,
        times.map((at) => ({ at, n: now.filter(({ createdAt }) => createdAt <= at).length })),
      )
      for (let need = 0; need < 8; need++) {
        const needy = now.filter(({ needs }) => (needs >> need) & 1).map(({ id }) => id)
        t.equal(kept.needs[need], needy.length)
        t.same(kept.newest(need, 4), needy.sort((one, other) => other - one).slice(0, 4))
      }
    }),
    { numRuns: 60 },
  )
  t.end()
})

t.test('after each act of a partner its figures are what a new count says', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const petra = await panel.signIn('petra')
  const side = { partnerId: accountId(panel, 'cloudhaus'), userId: userId(panel, 'petra') }
  let before = overviewOf(db, side, Date.now(), silent)
  const now = before?.at ?? 0
  const countAnew = () => {
    const file = openFile(sqlite(panel).name)
    const overview = overviewOf(file.db, side, now, silent)
    file.close()
    return overview
  }
  t.same(before, countAnew())
  let looks = 0
  const prepare = sqlite(panel).prepare.bind(sqlite(panel))
  sqlite(panel).prepare = ((source: string) => {
    if (/"id" > \+\?\) order by "accounts"\."id" asc limit/.test(source)) looks++
    return prepare(source)
  }) as typeof prepare
  const customers = '/partner/customers'
  const acts: [string, () => Promise<unknown>][] = [
    ['create', () => petra.submit(customers, 'Create customer', { name: 'Neu', identifier: 'neu' })],
    ['invite', () => petra.submit(`${customers}/neu/users`, 'Invite', { name: 'Eve', email: 'eve@neu.example' })],
    ['limit', () => petra.submit(`${customers}/acme/quotas`, 'Save quotas', { projects: '1' })],
    ['suspend', () => petra.submit(`${customers}/acme/suspension`, 'Suspend', { reason: 'X' })],
    [
      'project',
      async () => {
        await petra.submit(`${customers}/initech/users`, 'Add Myself')
        await petra.submit('/projects?account=initech', 'Create project', { name: 'P', identifier: 'p-1' })
      },
    ],
    [
      'delete',
      () => petra.submit(`${customers}/neu/removal?account=cloudhaus`, 'Delete customer', { identifier: 'neu' }),
    ],
    ['restore', () => petra.submit('/partner/deleted-customers', 'Restore')],
  ]
  for (const [name, act] of acts) {
    await act()
    const after = overviewOf(db, side, now, silent)
    t.same(after, countAnew(), name)
    t.notSame(after, before, `${name} shows`)
    before = after
  }
  t.equal(looks, 0, 'and nothing was counted anew')
})

t.test('Home waits for no count of many customers, and says how old its figures are', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  sqlite(panel)
    .prepare(
      `WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 20000)
       INSERT INTO accounts (kind, name, identifier, search, partner_id, created_at)
       SELECT 'customer', 'Many ' || n, 'many-' || n, 'many ' || n, ?, 1 FROM i`,
    )
    .run(accountId(panel, 'cloudhaus'))
  const first = await petra.open('/')
  t.match(first.text, 'Customers – being counted')
  t.match(first.text, 'Needs attention – being counted')
  t.match(first.text, 'What the customers need is being counted.')
  t.notMatch(first.text, /nothing is waiting|all caught up/)
  await until('they are counted', async () => (await petra.open('/')).text.includes('20,002'))
  t.notMatch((await petra.open('/')).text, 'These figures are')
  panel.pass(3_600_000)
  t.match((await petra.open('/')).text, 'These figures are 60 minutes old')
  await until('they are counted again', async () => !(await petra.open('/')).text.includes('These figures are'))
})
