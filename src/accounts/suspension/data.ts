import { and, eq, isNull } from 'drizzle-orm'
import { countForTab } from '../../db/counting.ts'
import type { AccountId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { accounts } from '../../db/schema.ts'
import { isSuspended, type Suspension, suspensionOf } from '../../db/suspension.ts'
import { type MailContext, withdrawLettersOfAct } from '../../mail/outbox.ts'
import { type Actor, record } from '../../records/record.ts'
import { tellResumed, tellSuspended } from '../notices/data/notices.ts'

/** The two suspensions: a partner's and Support's. Each has columns of its own. */
const suspensions = {
  partner: {
    at: 'suspendedAt',
    set: (at: number | null, reason: string | null) => ({ suspendedAt: at, suspendedReason: reason }),
    reason: 'suspendedReason',
  },
  support: {
    at: 'supportSuspendedAt',
    set: (at: number | null, reason: string | null) => ({ supportSuspendedAt: at, supportSuspendedReason: reason }),
    reason: 'supportSuspendedReason',
  },
} as const

const suspensionBy = ({ bySupport }: Actor) => suspensions[bySupport ? 'support' : 'partner']

/**
 * Stops an account's members from working in it, with the reason that they are shown. Nothing is deleted. A partner
 * and Support each suspend for themselves. False when the actor's side had suspended it before.
 */
export function suspendAccount(
  db: Db,
  actor: Actor,
  { accountId, reason }: { accountId: AccountId; reason: string },
  mail: MailContext,
): boolean {
  return write(db, actor, (tx) => {
    const side = suspensionBy(actor)
    const before = tx
      .select()
      .from(accounts)
      .where(and(eq(accounts.id, accountId), isNull(accounts.deletedAt)))
      .get()
    if (!before || before[side.at] !== null) return false
    tx.update(accounts).set(side.set(actor.at, reason)).where(eq(accounts.id, accountId)).run()
    record(tx, actor, { kind: 'account.suspended', accountId, change: { reason: [null, reason] } })
    tellSuspended(tx, actor, { accountId, reason }, mail)
    return true
  })
}

/** How many accounts are suspended in the whole installation, counted as far as a tab shows it. */
export function countSuspended(db: Db) {
  const rows = () =>
    db
      .select({ one: accounts.id })
      .from(accounts)
      .where(and(isNull(accounts.deletedAt), isSuspended))
  return countForTab(db, 'all accounts: suspended', rows)
}

/** Lifts the suspension of the actor's own side. `nothing` where it had none; `other` is what still holds the account. */
export function resumeAccount(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  mail: MailContext,
): { done: 'resumed' | 'nothing'; other: Suspension | null } {
  return write(db, actor, (tx) => {
    const side = suspensionBy(actor)
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    const since = account?.[side.at] ?? null
    if (!account || since === null) return { done: 'nothing', other: account ? suspensionOf(account) : null }
    tx.update(accounts).set(side.set(null, null)).where(eq(accounts.id, accountId)).run()
    record(tx, actor, { kind: 'account.resumed', accountId, change: { reason: [account[side.reason], null] } })
    withdrawLettersOfAct(tx, { accountId, actAt: since }, 'the account was resumed', actor.at)
    const other = suspensionOf({ ...account, ...side.set(null, null) })
    if (!other) tellResumed(tx, actor, accountId, mail)
    return { done: 'resumed', other }
  })
}
