import { and, eq, isNull, type SQL } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import {
  invitations,
  invitationTokens,
  openQuotaRequest,
  partnerRequests,
  pendingInvitation,
  pendingPartnerRequest,
  quotaRequests,
} from '../../../db/schema.ts'
import { withdrawLetters, withdrawLettersOfAct } from '../../../mail/outbox.ts'
import { endTokensOf } from '../../../people/tokens/data.ts'
import { type Actor, type Person, record } from '../../../records/record.ts'

// What a person or a program has sent and asked for: it ends with their right to do so.

/** Somebody in an account. */
export type Seat = { accountId: AccountId; userId: UserId }

/** Ends pending invitations: their links and e-mails end with them. Returns how many there were. */
export function cancelInvitations(tx: Db, actor: Actor, which: SQL | undefined): number {
  const ended = tx
    .update(invitations)
    .set({ state: 'cancelled', endedAt: actor.at })
    .where(and(pendingInvitation, which))
    .returning({ id: invitations.id, accountId: invitations.accountId })
    .all()
  for (const { id, accountId } of ended) {
    withdrawLetters(tx, id, actor.at)
    record(tx, actor, { kind: 'invitation.cancelled', accountId, invitationId: id })
  }
  return ended.length
}

/** Made from this account (null: as Support); from any where none is given. */
function isFrom(column: SQLiteColumn, from: AccountId | null | undefined): SQL | undefined {
  if (from === undefined) return undefined
  return from === null ? isNull(column) : eq(column, from)
}

export function sentBy(userId: UserId, from: AccountId | null | undefined): SQL | undefined {
  return and(eq(invitations.invitedBy, userId), isFrom(invitations.invitedFrom, from))
}

/**
 * Ends what somebody has sent from an account, having lost the right to send it: pending invitations, and every link
 * they copied. `keptBy` takes the invitations over instead. Returns how many invitations ended.
 */
export function endSent(
  tx: Db,
  actor: Actor,
  userId: UserId,
  { from, keptBy }: { from?: AccountId | null | undefined; keptBy?: Person | undefined } = {},
): number {
  const sent = sentBy(userId, from)
  if (keptBy) {
    tx.update(invitations)
      .set({ invitedBy: keptBy.userId, invitedFrom: keptBy.accountId })
      .where(and(sent, pendingInvitation))
      .run()
  }
  const ended = keptBy ? 0 : cancelInvitations(tx, actor, sent)
  tx.update(invitationTokens)
    .set({ supersededAt: actor.at })
    .where(
      and(
        eq(invitationTokens.madeBy, userId),
        isFrom(invitationTokens.madeFrom, from),
        isNull(invitationTokens.supersededAt),
        keptBy ? eq(invitationTokens.kind, 'copied') : undefined,
      ),
    )
    .run()
  return ended
}

/** Requests that somebody made for an account and that nobody has decided: they end with the membership. */
function endRequestsOf(tx: Db, actor: Actor, { accountId, userId }: Seat, why: string): void {
  const ended = [
    ...tx
      .update(quotaRequests)
      .set({ state: 'cancelled', comment: why, endedAt: actor.at, endedBy: actor.userId })
      .where(and(eq(quotaRequests.accountId, accountId), eq(quotaRequests.requestedBy, userId), openQuotaRequest))
      .returning({ at: quotaRequests.createdAt, projectId: quotaRequests.projectId })
      .all()
      .map((request) => ({ ...request, kind: 'limit.cancelled' as const })),
    ...tx
      .update(partnerRequests)
      .set({ state: 'declined', decidedAt: actor.at })
      .where(
        and(eq(partnerRequests.accountId, accountId), eq(partnerRequests.requestedBy, userId), pendingPartnerRequest),
      )
      .returning({ at: partnerRequests.createdAt })
      .all()
      .map((request) => ({ ...request, projectId: null, kind: 'partner.cancelled' as const })),
  ]
  for (const { at, kind, projectId } of ended) {
    withdrawLettersOfAct(tx, { accountId, actAt: at }, 'the request has ended', actor.at)
    record(tx, actor, { kind, accountId, ...(projectId === null ? {} : { projectId }) })
  }
}

/** Ends what somebody has sent and asked for from an account, and their tokens for it. */
export function endActsOf(
  tx: Db,
  actor: Actor,
  seat: Seat,
  { keptBy, why = 'Its sender left the account.' }: { keptBy?: Person | undefined; why?: string } = {},
): void {
  const { accountId, userId } = seat
  endSent(tx, actor, userId, { from: accountId, keptBy })
  endRequestsOf(tx, actor, seat, why)
  endTokensOf(tx, actor, accountId, userId)
}
