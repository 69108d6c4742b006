import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { invitations, memberships, serviceUsers, users } from '../../../db/schema.ts'
import { byPartnersProgram } from '../../../db/suspension.ts'
import { endTokensFromPartner } from '../../../people/tokens/data.ts'
import { adminRole } from '../../../policy.ts'
import { type Actor, record } from '../../../records/record.ts'
import { cancelInvitations, endActsOf, type Seat } from './acts.ts'

// Programs stay when their makers leave the account, except the partner’s, and those that no admin could end (I-08).

/** Removes service users, with their tokens, the invitations that they sent and what they asked for. */
export function endServiceUsers(tx: Db, actor: Actor, which: SQL | undefined): void {
  const theirs = tx
    .update(serviceUsers)
    .set({ removedAt: actor.at })
    .where(and(which, isNull(serviceUsers.removedAt)))
    .returning()
    .all()
  for (const { accountId, userId, role } of theirs) {
    tx.update(users).set({ disabledAt: actor.at, deletedAt: actor.at }).where(eq(users.id, userId)).run()
    record(tx, actor, { kind: 'service-user.removed', accountId, userId, change: { role: [role, null] } })
    endActsOf(tx, actor, { accountId, userId }, { why: 'The service user that sent it was removed.' })
  }
}

/** What somebody made in a customer as one of its partner’s people ends with their membership of it. */
export function endProgramsOf(tx: Db, actor: Actor, { accountId, userId }: Seat): void {
  const own = and(eq(serviceUsers.accountId, accountId), eq(serviceUsers.madeBy, userId))
  endServiceUsers(tx, actor, and(own, eq(serviceUsers.fromPartner, true)))
  const sent = byPartnersProgram(sql`invitations.id`, userId)
  cancelInvitations(tx, actor, and(eq(invitations.accountId, accountId), sent))
  endTokensFromPartner(tx, actor, accountId, userId)
}

/** What the partner’s people have made in a customer ends with the tie, whoever of them is still there. */
export function endProgramsOfPartner(tx: Db, actor: Actor, accountId: AccountId): void {
  endServiceUsers(tx, actor, and(eq(serviceUsers.accountId, accountId), eq(serviceUsers.fromPartner, true)))
  const sent = byPartnersProgram(sql`invitations.id`)
  cancelInvitations(tx, actor, and(eq(invitations.accountId, accountId), sent))
  endTokensFromPartner(tx, actor, accountId)
}

/** Without an admin nobody sees an account’s service users or can end them: they end with the last one. */
export function endUnwatchedPrograms(tx: Db, actor: Actor, accountId: AccountId): void {
  const admin = and(eq(memberships.accountId, accountId), eq(memberships.role, adminRole))
  if (tx.select({ id: memberships.userId }).from(memberships).where(admin).limit(1).get()) return
  endServiceUsers(tx, actor, eq(serviceUsers.accountId, accountId))
}
