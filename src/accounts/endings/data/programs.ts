import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { invitations, memberships, serviceUsers, users } from '../../../db/schema.ts'
import { byPartnersProgram } from '../../../db/suspension.ts'
import { endTokensFromPartner } from '../../../people/tokens/data.ts'
import { type Actor, record } from '../../../records/record.ts'
import { adminRole } from '../../../roles.ts'
import { cancelInvitations, endActsOf } from './acts.ts'

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

/**
 * What the partner’s people made in a customer ends with the tie, and what one of them made with their membership of the
 * customer.
 */
export function endProgramsFromPartner(tx: Db, actor: Actor, accountId: AccountId, maker?: UserId): void {
  const made = maker === undefined ? undefined : eq(serviceUsers.madeBy, maker)
  endServiceUsers(tx, actor, and(eq(serviceUsers.accountId, accountId), eq(serviceUsers.fromPartner, true), made))
  const sent = byPartnersProgram(sql`invitations.id`, maker)
  cancelInvitations(tx, actor, and(eq(invitations.accountId, accountId), sent))
  endTokensFromPartner(tx, actor, accountId, maker)
}

/** Without an admin nobody sees an account’s service users or can end them: they end with the last one. */
export function endUnwatchedPrograms(tx: Db, actor: Actor, accountId: AccountId): void {
  const admin = and(eq(memberships.accountId, accountId), eq(memberships.role, adminRole))
  if (tx.select({ id: memberships.userId }).from(memberships).where(admin).limit(1).get()) return
  endServiceUsers(tx, actor, eq(serviceUsers.accountId, accountId))
}
