import { and, or } from 'drizzle-orm'
import { createAccount, type NewAccount } from '../../../accounts/data/account.ts'
import type { AccountId } from '../../../db/ids.ts'
import { allOrNothing, type Db, write } from '../../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../../db/prepared.ts'
import { accounts } from '../../../db/schema.ts'
import { countTaken, mayTryIdentifier } from '../../../mail/allowance.ts'
import type { Amounts } from '../../../quotas/arithmetic.ts'
import { changeLimits } from '../../../quotas/data/limits.ts'
import { findDefaultPlan, findPlan, planNote } from '../../../quotas/plans/data/plans.ts'
import { type Actor, record } from '../../../records/record.ts'
import type { Customer } from '../../data.ts'

/**
 * Creates a customer without any member. 'taken' when the identifier was ever given out, to any account: that is
 * recorded and counted, since it tells what others have. Throws a TooMany for a partner that has met many.
 * It gets the limits of a plan: of `plan`, of none if that is null, and by default of the partner's plan for new customers;
 * `limits` win over those.
 * Throws a NoSuchPlan, or a NotEnough where the pool cannot give them.
 */
export function createCustomer(
  db: Db,
  actor: Actor,
  partnerId: AccountId,
  { name, identifier, plan: choice, limits = new Map() }: NewAccount & { plan?: PlanChoice; limits?: Amounts },
): Customer | 'taken' {
  return write(db, actor, (tx) => {
    mayTryIdentifier(tx, actor)
    const plan =
      choice === undefined
        ? findDefaultPlan(tx, partnerId)
        : choice === null
          ? undefined
          : findPlan(tx, partnerId, choice)
    if (typeof choice === 'number' && !plan) throw new NoSuchPlan()
    const all = [...new Map([...(plan?.amounts ?? []), ...limits])]
    const amounts = new Map(all.filter(([, amount]) => amount !== null))
    const note = plan ? planNote(plan.name) : ''
    const create = (inner: Db) => {
      const created = createAccount(inner, actor, { name, identifier, kind: 'customer', partnerId })
      if (created === 'taken') noteTaken(inner, actor, partnerId, identifier)
      else if (amounts.size > 0)
        changeLimits(inner, actor, { level: 'account', accountId: created.id }, { amounts, remark: note })
      return created
    }
    // In the transaction of its caller, the pool may lack something when the account is made already.
    return amounts.size > 0 ? allOrNothing(tx, create) : create(tx)
  })
}

/** The id of a plan; null for none, undefined for the one that new customers get. */
type PlanChoice = number | null | undefined

/** The chosen plan was deleted a moment ago, or never was the partner's. */
export class NoSuchPlan extends Error {}

/** Records and counts that a partner was told of an identifier that it is taken. */
export function noteTaken(tx: Db, actor: Actor, partnerId: AccountId, identifier: string): void {
  countTaken(tx, actor)
  record(tx, actor, {
    kind: 'account.identifier-taken',
    accountId: partnerId,
    change: { identifier: [null, identifier] },
  })
}

const knownIdentifier = prepared(
  (db, { identifier, partnerId }: Placeholders<{ identifier: string; partnerId: AccountId }>) =>
    db
      .select({ id: accounts.id })
      .from(accounts)
      .where(
        and(
          equals(accounts.identifier, identifier),
          or(equals(accounts.id, partnerId), equals(accounts.partnerId, partnerId)),
        ),
      )
      .prepare(),
)

/** Whether an identifier is one that a partner knows: its own, or that of a customer it has or can still restore. */
export function isOwnIdentifier(db: Db, partnerId: AccountId, identifier: string): boolean {
  return knownIdentifier(db).get({ partnerId, identifier }) !== undefined
}
