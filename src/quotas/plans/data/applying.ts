import { tellLimits } from '../../../accounts/notices/data/notices.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import { findCustomerById } from '../../../partners/data.ts'
import type { Actor } from '../../../records/record.ts'
import { type Amounts, NotEnough, type Quotas, type Shortage } from '../../arithmetic.ts'
import { changeQuotas, findQuotas } from '../../data/limits.ts'
import { findPlan, type Plan, planNote } from './plans.ts'

/** What came of it: nothing was changed where it is not 'applied'. Undefined when there is no such customer, plan or source. */
export type Applied = 'applied' | 'unchanged' | 'stale' | { shortages: Shortage[] } | undefined

/** Where a customer’s new limits come from: a plan, or another customer of the same partner. */
export type LimitSource = { planId: number } | { fromId: AccountId }

/** The limits that a source gives, its version, and the note that stays beside them. */
export type LimitOffer = { amounts: Amounts; version: number; note: string }

/** All limits of a plan: a resource that it does not name is not limited. */
function amountsOfPlan({ amounts }: Pick<Plan, 'amounts'>, { quotas }: Quotas): Amounts {
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
  {
    partnerId,
    accountId,
    source,
    seen,
  }: { partnerId: AccountId; accountId: AccountId; source: LimitSource; seen: { source: number; limits?: number } },
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
      if (!changeQuotas(tx, actor, { holder, quotas: now.quotas }, { amounts: offer.amounts, remark: offer.note }))
        return 'unchanged'
      tellLimits(tx, actor, { ...holder, changed, note: offer.note }, mail)
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
