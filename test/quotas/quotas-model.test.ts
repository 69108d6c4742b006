// node test/quotas/quotas-model.test.ts [RUNS=100] [SEED=1]
// Random sequences of all that changes quotas, against a plain model that is written down here once
// more: after each act the answer, every number and what each level has allocated must be the same. Asking for more
// never gives less: after each request and approval no limit is lower than before, none is there that was not, and
// nothing that fitted is over its limit.

import { eq } from 'drizzle-orm'
import fc from 'fast-check'
import t from 'tap'
import { createAccount } from '../../src/accounts/data/account.ts'
import { addMember } from '../../src/accounts/members/data.ts'
import { type AccountId, asProjectId, type ProjectId } from '../../src/db/ids.ts'
import { users } from '../../src/db/schema.ts'
import { createProject } from '../../src/projects/data.ts'
import { deleteProject } from '../../src/projects/deletion/data.ts'
import type { Holder } from '../../src/quotas/arithmetic.ts'
import { findQuotas, setLimits } from '../../src/quotas/data/limits.ts'
import { askForMore, cancelRequest, setAutomaticShare } from '../../src/quotas/requests/data/asking.ts'
import { approveRequest, declineRequest } from '../../src/quotas/requests/data/deciding.ts'
import { findOpenRequest } from '../../src/quotas/requests/data/reading.ts'
import { listResources } from '../../src/quotas/resources/data.ts'
import type { Person } from '../../src/records/record.ts'
import { startApp, there, userId } from '../harness.ts'

t.setTimeout(600_000)

const day = 24 * 3_600_000
const kinds = ['projects', 'cores', 'ram'] as const
type Kind = (typeof kinds)[number]
type Numbers = Partial<Record<Kind, number | null>>

type ModelProject = { id: ProjectId; limits: Numbers }
type Asked = { project: ModelProject | undefined; amounts: Partial<Record<Kind, number>> }
type ModelCustomer = {
  id: AccountId
  limits: Numbers
  projects: ModelProject[]
  asked: Asked | undefined
  askedOn: number[]
  automaticAt: number
}

/** The rules in their plainest words: nothing is kept but the numbers themselves. */
class Model {
  pool: Numbers = {}
  share: number | null = null
  /** The partner can act: else Support decides, and the partner’s rule rests. */
  acts = true
  now = 0
  readonly customers: ModelCustomer[]

  constructor(ids: AccountId[]) {
    this.customers = ids.map((id) => ({
      id,
      limits: {},
      projects: [],
      asked: undefined,
      askedOn: [],
      automaticAt: Number.NEGATIVE_INFINITY,
    }))
  }

  allocated(customer: ModelCustomer, kind: Kind): number {
    if (kind === 'projects') return customer.projects.length
    return customer.projects.reduce((total, project) => total + (project.limits[kind] ?? 0), 0)
  }

  allocatedByPool(kind: Kind): number {
    return this.customers.reduce(
      (total, customer) => total + Math.max(customer.limits[kind] ?? 0, this.allocated(customer, kind)),
      0,
    )
  }

  /** Whether an act that allocates more leaves no level with more allocated than its limit. */
  allows(act: () => void): boolean {
    const before = this.figures()
    const undo = this.snapshot()
    act()
    const fits = this.figures().every(({ allocated, number }, n) => {
      const earlier = before[n]?.allocated ?? 0
      return number === null || allocated <= earlier || allocated <= number
    })
    if (!fits) undo()
    return fits
  }

  /** How much of each kind each level has allocated, and its limit. */
  figures() {
    return kinds.flatMap((kind) => [
      { allocated: this.allocatedByPool(kind), number: this.pool[kind] ?? null },
      ...this.customers.map((customer) => ({
        allocated: this.allocated(customer, kind),
        number: customer.limits[kind] ?? null,
      })),
    ])
  }

  snapshot(): () => void {
    const pool = { ...this.pool }
    const saved = this.customers.map((customer) => ({
      customer,
      limits: { ...customer.limits },
      projects: customer.projects.map((project) => ({ project, limits: { ...project.limits } })),
    }))
    return () => {
      this.pool = pool
      for (const { customer, limits, projects } of saved) {
        customer.limits = limits
        customer.projects = projects.map(({ project, limits }) => Object.assign(project, { limits }))
      }
    }
  }

  /** Whether there is a limit to raise, and the new one is higher and not below what is allocated. */
  raises(customer: ModelCustomer, { project }: Asked, kind: Kind, amount: number): boolean {
    const limit = (project ?? customer).limits[kind] ?? null
    return limit !== null && amount > limit && amount >= (project ? 0 : this.allocated(customer, kind))
  }

  /** Whether the partner’s rule lets this pass: its share of the limit, and of the account’s where that must rise. */
  isSmall(customer: ModelCustomer, { project }: Asked, kind: Kind, amount: number): boolean {
    const { share } = this
    if (share === null || !this.acts) return false
    const within = (more: number, limit: number) => more * 100 <= limit * share
    const limit = (project ?? customer).limits[kind] ?? 0
    const ofAccount = customer.limits[kind] ?? null
    const rise = project && ofAccount !== null ? this.allocated(customer, kind) + amount - limit - ofAccount : 0
    return within(amount - limit, limit) && (rise <= 0 || within(rise, ofAccount ?? 0))
  }

  /** An approval sets the numbers; for a project its account rises where it has not enough. */
  approve(customer: ModelCustomer, { project }: Asked, amounts: Partial<Record<Kind, number>>): boolean {
    return this.allows(() => {
      Object.assign((project ?? customer).limits, amounts)
      if (!project) return
      for (const kind of Object.keys(amounts) as Kind[]) {
        const number = customer.limits[kind] ?? null
        if (number !== null) customer.limits[kind] = Math.max(number, this.allocated(customer, kind))
      }
    })
  }
}

const amount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }) },
  { weight: 1, arbitrary: fc.constant(null) },
)
const numbers = fc.record({ projects: amount, cores: amount, ram: amount }, { requiredKeys: [] })
const wishes = fc.record(
  { cores: fc.integer({ min: 0, max: 20 }), ram: fc.integer({ min: 0, max: 20 }) },
  { requiredKeys: [] },
)
const which = fc.nat({ max: 5 })

const often = <One>(arbitrary: fc.Arbitrary<One>, weight: number) => ({ arbitrary, weight })
const act = fc.oneof(
  fc.record({ act: fc.constant('pool' as const), numbers }),
  often(fc.record({ act: fc.constant('customer' as const), which, numbers }), 2),
  often(fc.record({ act: fc.constant('project' as const), which, project: which, numbers }), 2),
  often(fc.record({ act: fc.constant('create' as const), which }), 2),
  fc.record({ act: fc.constant('delete' as const), which, project: which }),
  often(fc.record({ act: fc.constant('ask' as const), which, project: fc.option(which), wishes }), 6),
  often(
    fc.record({ act: fc.constant('approve' as const), which, other: fc.option(wishes), leaveOut: fc.boolean() }),
    4,
  ),
  fc.record({ act: fc.constant('sleep' as const) }),
  fc.record({ act: fc.constant('decline' as const), which }),
  fc.record({ act: fc.constant('cancel' as const), which }),
  fc.record({ act: fc.constant('share' as const), share: fc.option(fc.integer({ min: 20, max: 100 })) }),
  fc.record({ act: fc.constant('wait' as const), days: fc.integer({ min: 1, max: 20 }) }),
)
type Act = typeof act extends fc.Arbitrary<infer One> ? One : never

t.test('random sequences of all quota acts come out as in a plain model', async (t) => {
  const [runs = '100', seed = '1'] = process.argv.slice(2)
  const panel = await startApp(t)
  const { db } = panel
  const resources = new Map(listResources(db).map(({ key, id }) => [key, id]))
  const idOf = (kind: Kind) => resources.get(kind) ?? 0
  const [member, partnerAdmin] = [userId(panel, 'olga'), userId(panel, 'petra')]
  const tell = { post: () => undefined, publicUrl: '', supportEmail: undefined, panelName: '' }
  let made = 0
  let acts = 0
  const answers = new Set<string>()

  function setUp() {
    const actor: Person = {
      userId: member,
      accountId: null,
      bySupport: false,
      at: 0,
      ip: null,
      requestId: null,
      stillMay: null,
    }
    const account = (kind: 'partner' | 'customer', partnerId: AccountId | null) =>
      there(createAccount(db, actor, { kind, partnerId, name: 'X', identifier: `model-${++made}` })).id
    const partnerId = account('partner', null)
    const ids = [1, 2, 3].map(() => account('customer', partnerId))
    for (const id of ids) addMember(db, actor, { accountId: id, userId: member, role: 'admin' }, 'member.joined')
    addMember(db, actor, { accountId: partnerId, userId: partnerAdmin, role: 'admin' }, 'member.joined')
    db.update(users).set({ disabledAt: null }).where(eq(users.id, partnerAdmin)).run()
    return { actor, partnerId, ids }
  }

  const amountsOf = <Amount>(allocated: Partial<Record<Kind, Amount>>) =>
    new Map(Object.entries(allocated).map(([kind, value]) => [idOf(kind as Kind), value as Amount]))

  fc.assert(
    fc.property(fc.array(act, { minLength: 10, maxLength: 80, size: 'max' }), (sequence: Act[]) => {
      const { actor, partnerId, ids } = setUp()
      const model = new Model(ids)
      const set = (holder: Holder, numbers: Numbers) => {
        const version = findQuotas(db, holder)?.version ?? 0
        const result = setLimits(db, actor, holder, { amounts: amountsOf(numbers), remark: '', version })
        return result === 'saved' || result === 'unchanged'
      }
      const compare = (what: string, real: unknown, expected: unknown) => {
        answers.add(`${what}: ${JSON.stringify(real)}`)
        if (JSON.stringify(real) !== JSON.stringify(expected))
          throw new Error(`${what}: ${JSON.stringify(real)}, but the model says ${JSON.stringify(expected)}`)
      }

      /** Every limit with how much of it is allocated, by its place, as the panel has them. */
      const levels = (model: Model) => {
        const holders: Holder[] = [
          { level: 'pool', accountId: partnerId },
          ...model.customers.flatMap(({ id: accountId, projects }): Holder[] => [
            { level: 'account', accountId },
            ...projects.map(({ id: projectId }) => ({ level: 'project' as const, accountId, projectId })),
          ]),
        ]
        return new Map(
          holders.flatMap((holder) =>
            (findQuotas(db, holder)?.quotas ?? []).map(({ resource, own }) => [
              `${holder.level} ${holder.accountId} ${holder.projectId ?? ''} ${resource.key}`,
              own,
            ]),
          ),
        )
      }
      /** Looks at all limits now, and again when what it returns is called. */
      const neverLess = (model: Model) => {
        const before = levels(model)
        return () => {
          for (const [place, { limit, allocated }] of levels(model)) {
            const was = before.get(place)
            if (!was) throw new Error(`${place} is new`)
            if (was.limit === null ? limit !== null : limit === null || limit < was.limit)
              throw new Error(`${place}: the limit was ${was.limit} and is ${limit}`)
            if (limit !== null && allocated > limit && allocated !== was.allocated)
              throw new Error(`${place}: ${allocated} of ${limit} allocated, before ${was.allocated} of ${was.limit}`)
            if (limit !== null && allocated > limit && was.allocated <= (was.limit ?? Infinity))
              throw new Error(`${place} is over its limit by it`)
          }
        }
      }

      for (const one of sequence) {
        acts++
        actor.at = model.now
        const customer = model.customers['which' in one ? one.which % 3 : 0]
        if (!customer) throw new Error('there are three')
        const accountId = customer.id
        const chosen = (n: number) => customer.projects[n % Math.max(1, customer.projects.length)]
        if (one.act === 'pool') {
          compare('pool', set({ level: 'pool', accountId: partnerId }, one.numbers), true)
          Object.assign(model.pool, one.numbers)
        } else if (one.act === 'customer') {
          const may = model.allows(() => Object.assign(customer.limits, one.numbers))
          compare('customer', set({ level: 'account', accountId }, one.numbers), may)
        } else if (one.act === 'project') {
          const project = chosen(one.project)
          if (!project) continue
          const { projects: _, ...rest } = one.numbers
          const may = model.allows(() => Object.assign(project.limits, rest))
          compare('project', set({ level: 'project', accountId, projectId: project.id }, rest), may)
        } else if (one.act === 'create') {
          const made = createProject(db, actor, { accountId, userId: member }, { name: 'P', identifier: `p-${acts}` })
          const project = { id: typeof made === 'string' ? asProjectId(0) : made.id, limits: {} }
          // Without a number in the way at any level it is created; a level that is full, or over, refuses.
          compare(
            'create',
            typeof made !== 'string',
            model.allows(() => customer.projects.push(project)),
          )
        } else if (one.act === 'delete') {
          const project = chosen(one.project)
          if (!project) continue
          deleteProject(db, actor, accountId, project.id)
          customer.projects = customer.projects.filter((other) => other !== project)
          if (customer.asked?.project === project) customer.asked = undefined
        } else if (one.act === 'ask') {
          const project = one.project === null ? undefined : chosen(one.project)
          const asked: Asked = { project, amounts: one.wishes }
          const entries = Object.entries(one.wishes) as [Kind, number][]
          if (entries.length === 0) continue
          const check = neverLess(model)
          const made = askForMore(
            db,
            actor,
            { accountId, projectId: project?.id ?? null, amounts: amountsOf(one.wishes), reason: 'X' },
            tell,
          )
          const today = customer.askedOn.filter((at) => at > model.now - day).length
          let expected: string
          if (entries.some(([kind, wish]) => !model.raises(customer, asked, kind, wish))) expected = 'wrong'
          else if (customer.asked) expected = 'open-already'
          else if (today >= 10) expected = 'too-many'
          else {
            customer.askedOn.push(model.now)
            const within = entries.every(([kind, wish]) => model.isSmall(customer, asked, kind, wish))
            if (within && model.now - 30 * day >= customer.automaticAt && model.approve(customer, asked, one.wishes)) {
              customer.automaticAt = model.now
              expected = 'approved'
            } else {
              customer.asked = asked
              expected = 'open'
            }
          }
          const real =
            made && typeof made === 'object' && 'notMore' in made
              ? 'wrong'
              : typeof made === 'object'
                ? made.state
                : made
          compare('ask', real, expected)
          check()
        } else if (one.act === 'approve') {
          const id = findOpenRequest(db, accountId)?.id
          compare('is open', id !== undefined, customer.asked !== undefined)
          if (id === undefined || !customer.asked) continue
          const asked = customer.asked
          const limits = (asked.project ?? customer).limits
          const entries = Object.entries(asked.amounts)
            .map(([kind, wish]) => [kind as Kind, one.other?.[kind as 'cores' | 'ram'] ?? wish] as const)
            // As the form does for what has no limit any more.
            .filter(([kind]) => !one.leaveOut || (limits[kind] ?? null) !== null)
          const amounts = Object.fromEntries(entries) as Partial<Record<Kind, number>>
          const decide = (byPartner: boolean) => {
            const decided = { partnerId: byPartner ? partnerId : null, accountId, id }
            const result = approveRequest(db, actor, { ...decided, amounts: amountsOf(amounts), comment: '' }, tell)
            return typeof result === 'string' ? result : Object.keys(result)[0]
          }
          const check = neverLess(model)
          compare('approve in the other’s place', decide(!model.acts), 'ended')
          const raises = ([kind, amount]: readonly [Kind, number]) => model.raises(customer, asked, kind, amount)
          const unchanged = ([kind, amount]: readonly [Kind, number]) => amount === limits[kind]
          const sensible = entries.every((entry) => raises(entry) || unchanged(entry)) && entries.some(raises)
          const expected = !sensible ? 'notMore' : model.approve(customer, asked, amounts) ? 'approved' : 'shortages'
          if (expected === 'approved') customer.asked = undefined
          compare('approve', decide(model.acts), expected)
          check()
        } else if (one.act === 'decline' || one.act === 'cancel') {
          const id = findOpenRequest(db, accountId)?.id ?? 0
          const done =
            one.act === 'cancel'
              ? cancelRequest(db, actor, accountId, id)
              : declineRequest(
                  db,
                  actor,
                  { partnerId: model.acts ? partnerId : null, accountId, id, comment: 'No' },
                  tell,
                )
          compare(one.act, done, customer.asked !== undefined)
          customer.asked = undefined
        } else if (one.act === 'share') {
          setAutomaticShare(db, actor, partnerId, one.share)
          model.share = one.share
        } else if (one.act === 'sleep') {
          model.acts = !model.acts
          const disabledAt = model.acts ? null : model.now
          db.update(users).set({ disabledAt }).where(eq(users.id, partnerAdmin)).run()
        } else model.now += one.days * day

        const figure = (holder: Holder, kind: Kind) => {
          const quota = findQuotas(db, holder)?.quotas.find(({ resource }) => resource.key === kind)
          return { allocated: quota?.own.allocated, number: quota?.own.limit ?? null }
        }
        const real = kinds.flatMap((kind) => [
          figure({ level: 'pool', accountId: partnerId }, kind),
          ...ids.map((id) => figure({ level: 'account', accountId: id }, kind)),
        ])
        compare('figures', real, model.figures())
      }
    }),
    { numRuns: Number(runs), seed: Number(seed), interruptAfterTimeLimit: 240_000, markInterruptAsFailure: true },
  )
  const outcomes = [...answers].filter((answer) => !answer.startsWith('figures')).sort()
  t.comment(`${runs} sequences, ${acts} acts`)
  // Every answer that there is was seen: else the sequences would not try what they are for.
  t.same(outcomes, [
    'approve in the other’s place: "ended"',
    'approve: "approved"',
    'approve: "notMore"',
    'approve: "shortages"',
    'ask: "approved"',
    'ask: "open"',
    'ask: "open-already"',
    'ask: "wrong"',
    'cancel: false',
    'cancel: true',
    'create: false',
    'create: true',
    'customer: false',
    'customer: true',
    'decline: false',
    'decline: true',
    'is open: false',
    'is open: true',
    'pool: true',
    'project: false',
    'project: true',
  ])
})
