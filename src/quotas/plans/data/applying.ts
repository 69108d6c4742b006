import { setImmediate } from 'node:timers/promises'
import { tellLimits } from '../../../accounts/notices/data.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import { type Customer, findCustomerById } from '../../../partners/customers/data/customers.ts'
import type { Actor } from '../../../records/record.ts'
import { type Amounts, NotEnough, type Quotas, type Shortage } from '../../arithmetic.ts'
import { changeLimits, findQuotas } from '../../data/limits.ts'
import { findPlan, type Plan, planNote } from './plans.ts'

/** What came of it: nothing was changed where it is not 'applied'. Undefined when there is no such customer, plan or source. */
export type Applied = 'applied' | 'unchanged' | 'stale' | { shortages: Shortage[] } | undefined

/** Where a customer’s new limits come from: a plan, or another customer of the same partner. */
export type LimitSource = { planId: number } | { fromId: AccountId }

/** The limits that a source gives, its version, and the note that stays beside them. */
export type LimitOffer = { amounts: Amounts; version: number; note: string }

/** All limits of a plan: a resource that it does not name is not limited. */
export function amountsOfPlan({ amounts }: Pick<Plan, 'amounts'>, { quotas }: Quotas): Amounts {
  return new Map(quotas.map(({ resource }) => [resource.id, amounts.get(resource.id) ?? null]))
}

/** What a source gives to a customer with these quotas. Undefined when the partner has no such plan or customer. */
export function findLimitOffer(
  db: Db,
  partnerId: AccountId,
  source: LimitSource,
  quotas: Quotas,
): LimitOffer | undefined {
  if ('planId' in source) {
    const plan = findPlan(db, partnerId, source.planId)
    return plan && { amounts: amountsOfPlan(plan, quotas), version: plan.version, note: planNote(plan.name) }
  }
  const from = findCustomerById(db, partnerId, source.fromId)
  const limits = from && findQuotas(db, { level: 'account', accountId: from.id })
  // A customer must not learn of another one: no note says whose limits these were.
  return (
    limits && {
      amounts: new Map(limits.quotas.map(({ resource, own }) => [resource.id, own.limit])),
      version: limits.version,
      note: '',
    }
  )
}

/**
 * Gives a customer of the partner the limits of a plan or of another of its customers: all of them or, where the pool has
 * not enough, none. Its admins are told by e-mail. 'stale' when the source is no longer at this version, or the
 * customer’s quotas not at `seen.limits` (left out: whatever they are).
 */
export function applyLimits(
  db: Db,
  actor: Actor,
  { partnerId, accountId, source }: { partnerId: AccountId; accountId: AccountId; source: LimitSource },
  seen: { source: number; limits?: number },
  mail: MailContext,
): Applied {
  try {
    return write(db, actor, (tx) => {
      const customer = findCustomerById(tx, partnerId, accountId)
      const holder = { level: 'account', accountId } as const
      const now = customer && findQuotas(tx, holder)
      const offer = now && findLimitOffer(tx, partnerId, source, now)
      if (!offer) return undefined
      if (offer.version !== seen.source || (seen.limits !== undefined && now.version !== seen.limits)) return 'stale'
      const changed = differences(now, offer.amounts)
      if (!changeLimits(tx, actor, holder, offer.amounts, offer.note)) return 'unchanged'
      tellLimits(tx, actor, holder, changed, offer.note, mail)
      return 'applied'
    })
  } catch (error) {
    if (error instanceof NotEnough) return { shortages: error.shortages }
    throw error
  }
}

/** The limits that would change. */
export function differences({ quotas }: Quotas, amounts: Amounts) {
  return quotas.flatMap(({ resource, own }) => {
    const after = amounts.get(resource.id)
    return after === undefined || after === own.limit ? [] : [{ resource, before: own.limit, after }]
  })
}

/** What came of one of many customers. Undefined `customer` and `result`: the partner has no such customer any more. */
export type AppliedToOne = { accountId: AccountId; customer: Customer | undefined; result: Applied }

/** After so many milliseconds others get a turn. */
const slice = 10

/**
 * Applies a plan to many customers of a partner, each in a transaction of its own, so that one that the pool cannot
 * satisfy keeps its limits and the others get theirs.
 *
 * `customers` are ids, read one at a time: an array of those that were ticked, or a generator over a whole list
 * (`everyRow` of `listCustomers`, which stays right while its rows change). An id that is not the partner’s is answered
 * as one that does not exist. `version` is that of the plan as its preview showed it: once the plan has changed, every
 * further customer answers 'stale', and once it is deleted, undefined with its `customer`.
 *
 * Yields what came of each customer, in order, and lets other work run between them. The actor’s right is asked for in
 * each transaction; when it has gone, the answer that this deserves is thrown, and what was applied before stays.
 */
export async function* applyPlanToMany(
  db: Db,
  actor: Actor,
  {
    partnerId,
    planId,
    version,
    customers,
  }: {
    partnerId: AccountId
    planId: number
    version: number
    customers: Iterable<AccountId>
  },
  mail: MailContext,
): AsyncGenerator<AppliedToOne> {
  let since = performance.now()
  for (const accountId of customers) {
    const customer = findCustomerById(db, partnerId, accountId)
    const which = { partnerId, accountId, source: { planId } }
    yield { accountId, customer, result: customer && applyLimits(db, actor, which, { source: version }, mail) }
    if (performance.now() - since < slice) continue
    await setImmediate()
    since = performance.now()
  }
}
