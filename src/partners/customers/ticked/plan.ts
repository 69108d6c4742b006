import { apart } from '../../../db/apart.ts'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { isCounted, moreAllocated, type Use } from '../../../quotas/arithmetic.ts'
import { findQuotas } from '../../../quotas/data/limits.ts'
import { type Applied, applyLimits } from '../../../quotas/plans/data/applying.ts'
import type { Plan } from '../../../quotas/plans/data/plans.ts'
import { plural, withUnit } from '../../../web/format.ts'
import type { TickedAct } from './acts.ts'
import type { TickedCustomer } from './data.ts'

const customers = (n: number) => plural(n, 'customer')

/** What a plan gives of a resource; null is no limit. */
const limitIn = ({ amounts }: Plan, { resource }: Use) => amounts.get(resource.id) ?? null

/** Limits below what a customer has allocated or in use. */
function belowUse({ uses }: TickedCustomer, plan: Plan): string | undefined {
  const words = uses.flatMap((use) => {
    const limit = limitIn(plan, use)
    if (limit === null || limit >= use.allocated || limit === use.limit) return []
    const inUse = `${withUnit(use.allocated, use.resource)} ${isCounted(use) ? 'in use' : 'allocated'}`
    return [apart`${use.resource.name} ${withUnit(limit, use.resource)}, below ${inUse}`]
  })
  return words.length > 0 ? words.join('; ') : undefined
}

/** What the pool lacks if all of these customers get the plan; empty if it has enough. */
function lacksInPool(db: Db, partnerId: AccountId, changed: TickedCustomer[], plan: Plan): string {
  const pool = findQuotas(db, { level: 'pool', accountId: partnerId })?.quotas ?? []
  const lacks = pool.flatMap(({ resource, own: { available } }) => {
    if (available === null) return []
    const more = changed.reduce((sum, { uses }) => {
      const use = uses.find((one) => one.resource.id === resource.id)
      return use ? sum + moreAllocated(use, limitIn(plan, use)) : sum
    }, 0)
    const has = withUnit(Math.max(0, available), resource)
    return more > Math.max(0, available)
      ? [apart`${resource.name}: ${has} available, ${withUnit(more, resource)} more needed`]
      : []
  })
  if (lacks.length === 0) return ''
  return `Your pool does not have enough for all of them. ${lacks.join('. ')}. Customers that it cannot satisfy stay as they are.`
}

/** Why a customer was left as it is; undefined where it has the plan’s limits now. */
function whyNotApplied(result: Applied): string | undefined {
  if (result === 'applied') return undefined
  if (result === 'unchanged') return 'has these limits already'
  if (result === 'stale' || result === undefined) return 'the plan was changed or deleted'
  const lacks = result.shortages.map(
    ({ resource, available, more }) =>
      apart`${withUnit(available, resource)} of ${resource.name} available, ${withUnit(more, resource)} more needed`,
  )
  return `the pool does not have enough: ${lacks.join('; ')}`
}

/** Gives customers the limits of a plan. Those of one that the pool cannot satisfy stay, all of them. */
export const planAct: TickedAct = {
  can: 'customer.limit',
  button: 'Apply plan',
  asks: 'plan',
  label: (n) => `Apply plan to ${customers(n)}`,
  title: (n, { plan }) => apart`Apply the plan ${plan?.name ?? ''} to ${customers(n)}?`,
  lead: 'All their limits become those of the plan. The limits are copied: changing the plan later changes no customer. Lowering a limit never removes anything already in use. Their admins get an e-mail.',
  done: (n, { plan }) =>
    apart`${customers(n)} ${n === 1 ? 'has' : 'have'} the limits of the plan ${plan?.name ?? ''} now.`,
  why: ({ uses }, { plan }) =>
    plan && uses.every((use) => use.limit === limitIn(plan, use)) ? 'has these limits already' : undefined,
  remark: (customer, { plan }) => plan && belowUse(customer, plan),
  notice: (db, partnerId, changed, { plan }) => (plan ? lacksInPool(db, partnerId, changed, plan) : ''),
  change: (tx, { actor, partnerId, mail }, { id }, { plan }) => {
    if (!plan) throw new Error('No plan is given.')
    const which = { partnerId, accountId: id, source: { planId: plan.id } }
    return whyNotApplied(applyLimits(tx, actor, { ...which, seen: { source: plan.version } }, mail))
  },
}
