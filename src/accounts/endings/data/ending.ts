import { and, eq, inArray, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import {
  accounts,
  invitations,
  invitationTokens,
  keptAccess,
  memberships,
  openQuotaRequest,
  partnerRequests,
  pendingInvitation,
  pendingPartnerRequest,
  personalChanges,
  projectAccess,
  quotaRequests,
  ties,
  tieTags,
  users,
} from '../../../db/schema.ts'
import { withdrawLetters, withdrawLettersOfAct, withdrawLettersTo } from '../../../mail/outbox.ts'
import { endTokensOf } from '../../../people/tokens/data.ts'
import { forgetNotificationsAbout, forgetNotificationsIn } from '../../../records/data/forgetting.ts'
import { type Actor, type Change, type Person, record } from '../../../records/record.ts'
import { emailKey } from '../../../web/fields.ts'
import { listProjectsOf } from './foreseeing.ts'

// Everything that depends on a person, a role or a tie ends with it, in the same transaction. Every exit
// goes through these functions: removing, leaving, demoting, disabling and deleting somebody, and everything that
// separates a customer from its partner.

type Seat = { accountId: AccountId; userId: UserId }

/** How a membership ended. */
export type Exit = 'member.removed' | 'member.left' | 'member.removed-self' | 'member.deleted'

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
  const own = sentBy(userId, from)
  if (keptBy) {
    tx.update(invitations)
      .set({ invitedBy: keptBy.userId, invitedFrom: keptBy.accountId })
      .where(and(own, pendingInvitation))
      .run()
  }
  const ended = keptBy ? 0 : cancelInvitations(tx, actor, own)
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

/** Pending invitations to somebody into an account: to their address, or one they had before. */
export function sentTo(db: Db, accountId: AccountId, userId: UserId): SQL | undefined {
  return and(eq(invitations.accountId, accountId), isTo(db, userId))
}

function isTo(db: Db, userId: UserId): SQL {
  const user = db.select({ emailKey: users.emailKey }).from(users).where(eq(users.id, userId)).get()
  const earlier = db
    .select({ email: personalChanges.before })
    .from(personalChanges)
    .where(and(eq(personalChanges.userId, userId), eq(personalChanges.field, 'email')))
    .all()
  const addresses = [user?.emailKey ?? '', ...earlier.map(({ email }) => emailKey(email))]
  return inArray(invitations.emailKey, addresses)
}

/** Pending invitations to one of a partner’s people into its customers, sent by it or by another of its people there. */
export function sentToCustomers(db: Db, partnerId: AccountId, userId: UserId): SQL | undefined {
  const customers = db.select({ id: accounts.id }).from(accounts).where(eq(accounts.partnerId, partnerId))
  // An update writes its columns without their table, so the names are written out here.
  const byPeople = sql`exists (select 1 from memberships as theirs where theirs.account_id = invitations.account_id
    and theirs.user_id = invitations.invited_by and theirs.from_partner)`
  const byPartner = or(eq(invitations.invitedFrom, partnerId), byPeople)
  return and(inArray(invitations.accountId, customers), byPartner, isTo(db, userId))
}

/** Ends pending invitations to somebody into an account: to their address, or one they had before. */
export function endInvitationsTo(tx: Db, actor: Actor, accountId: AccountId, userId: UserId): void {
  cancelInvitations(tx, actor, sentTo(tx, accountId, userId))
}

/** Requests that somebody made for an account and that nobody has decided: they end with the membership. */
function endRequestsOf(tx: Db, actor: Actor, accountId: AccountId, userId: UserId): void {
  const ended = [
    ...tx
      .update(quotaRequests)
      .set({ state: 'cancelled', comment: 'Its sender left the account.', endedAt: actor.at, endedBy: actor.userId })
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

/**
 * Ends a membership with everything that depends on it: project access, requests, invitations to the person and those they
 * sent, and, in a partner account, their membership of its customers and its invitations of them there. `keptBy` takes
 * over what they sent from this account; what they sent inside customers ends. False when there is none.
 */
export function endMembership(
  tx: Db,
  actor: Actor,
  { accountId, userId }: Seat,
  { exit, keptBy, quiet = false }: { exit: Exit; keptBy?: Person | undefined; quiet?: boolean },
): boolean {
  const own = and(eq(memberships.accountId, accountId), eq(memberships.userId, userId))
  const member = tx.select({ role: memberships.role }).from(memberships).where(own).get()
  if (!member) return false
  const lost = listProjectsOf(tx, accountId, userId)
  tx.delete(projectAccess)
    .where(and(eq(projectAccess.accountId, accountId), eq(projectAccess.userId, userId)))
    .run()
  tx.delete(keptAccess)
    .where(and(eq(keptAccess.accountId, accountId), eq(keptAccess.userId, userId)))
    .run()
  tx.delete(memberships).where(own).run()
  const change: Change = { role: [member.role, null] }
  if (lost.length > 0) change.projects = [lost.map(({ identifier }) => identifier).join(', '), null]
  forgetNotificationsIn(tx, { accountId, userId }, actor.at)
  record(tx, actor, { kind: exit, accountId, userId, change, quiet })

  endInvitationsTo(tx, actor, accountId, userId)
  endActsOf(tx, actor, { accountId, userId }, keptBy)
  cancelInvitations(tx, actor, sentToCustomers(tx, accountId, userId))
  const inCustomers = exit === 'member.deleted' ? exit : 'member.removed'
  for (const customer of customersOf(tx, accountId, userId))
    endMembership(tx, actor, { accountId: customer, userId }, { exit: inCustomers, quiet: true })
  return true
}

/** Ends what somebody has sent and asked for from an account, and their tokens for it. */
export function endActsOf(tx: Db, actor: Actor, { accountId, userId }: Seat, keptBy?: Person): void {
  endSent(tx, actor, userId, { from: accountId, keptBy })
  endRequestsOf(tx, actor, accountId, userId)
  endTokensOf(tx, actor, accountId, userId)
}

/** The customers of a partner account in which one of its people is. */
export function customersOf(tx: Db, partnerId: AccountId, userId: UserId): AccountId[] {
  return tx
    .select({ id: memberships.accountId })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(and(eq(memberships.userId, userId), eq(memberships.fromPartner, true), eq(accounts.partnerId, partnerId)))
    .all()
    .map(({ id }) => id)
}

/**
 * Parts a customer from its partner: the partner’s people, its invitations and links, e-mails to its people, and
 * what it keeps about the customer end. The customer’s partner itself is for the caller to set.
 */
export function endTie(tx: Db, actor: Actor, { id, partnerId }: { id: AccountId; partnerId: AccountId | null }): void {
  if (partnerId === null) return
  const people = tx
    .select({ userId: memberships.userId })
    .from(memberships)
    .where(and(eq(memberships.accountId, id), eq(memberships.fromPartner, true)))
    .all()
  for (const { userId } of people) endMembership(tx, actor, { accountId: id, userId }, { exit: 'member.removed' })
  cancelInvitations(tx, actor, and(eq(invitations.accountId, id), eq(invitations.invitedFrom, partnerId)))
  tx.update(invitationTokens)
    .set({ supersededAt: actor.at })
    .where(
      and(
        eq(invitationTokens.madeFrom, partnerId),
        isNull(invitationTokens.supersededAt),
        inArray(
          invitationTokens.invitationId,
          tx.select({ id: invitations.id }).from(invitations).where(eq(invitations.accountId, id)),
        ),
      ),
    )
    .run()
  const tie = tx.select({ id: ties.id }).from(ties).where(eq(ties.accountId, id))
  tx.delete(tieTags).where(inArray(tieTags.tieId, tie)).run()
  tx.delete(ties).where(eq(ties.accountId, id)).run()
  withdrawLettersTo(tx, id, partnerId, actor.at)
  forgetNotificationsAbout(tx, { accountId: id, readerOf: partnerId }, actor.at)
}

/** A partner that looks after the customer no longer has nothing suspended. A deleted customer stays as it was. */
export function endSuspensionByPartner(tx: Db, actor: Actor, id: AccountId): void {
  const [before] = tx.select().from(accounts).where(eq(accounts.id, id)).all()
  if (before && before.suspendedAt !== null) {
    tx.update(accounts).set({ suspendedAt: null, suspendedReason: null }).where(eq(accounts.id, id)).run()
    record(tx, actor, {
      kind: 'account.resumed',
      accountId: id,
      change: { reason: [before.suspendedReason, null] },
    })
  }
}
