import { and, eq, inArray, isNull } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import {
  accounts,
  invitations,
  invitationTokens,
  keptAccess,
  memberships,
  projectAccess,
  savedViews,
  ties,
  tieTags,
} from '../../../db/schema.ts'
import { withdrawLettersTo } from '../../../mail/outbox.ts'
import { forgetNotificationsAbout, forgetNotificationsIn } from '../../../records/data/forgetting.ts'
import { type Actor, type Change, type Person, record } from '../../../records/record.ts'
import { cancelInvitations, endActsOf, type Seat } from './acts.ts'
import { customersOf, listProjectsOf, sentTo, sentToCustomers } from './affected.ts'
import { endProgramsFromPartner, endUnwatchedPrograms } from './programs.ts'

// Everything that depends on a person, a role or a tie ends with it, in the same transaction. Every exit
// goes through these functions: removing, leaving, demoting, disabling and deleting somebody, and everything that
// separates a customer from its partner.

/** How a membership ended. */
export type Exit = 'member.removed' | 'member.removed-by-sso' | 'member.left' | 'member.removed-self' | 'member.deleted'

/** Ends pending invitations to somebody into an account: to their address, or one they had before. */
export function endInvitationsTo(tx: Db, actor: Actor, accountId: AccountId, userId: UserId): void {
  cancelInvitations(tx, actor, sentTo(tx, accountId, userId))
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
  const where = and(eq(memberships.accountId, accountId), eq(memberships.userId, userId))
  const member = tx.select({ role: memberships.role }).from(memberships).where(where).get()
  if (!member) return false
  const lost = listProjectsOf(tx, accountId, userId)
  tx.delete(projectAccess)
    .where(and(eq(projectAccess.accountId, accountId), eq(projectAccess.userId, userId)))
    .run()
  tx.delete(keptAccess)
    .where(and(eq(keptAccess.accountId, accountId), eq(keptAccess.userId, userId)))
    .run()
  tx.delete(savedViews)
    .where(and(eq(savedViews.accountId, accountId), eq(savedViews.userId, userId)))
    .run()
  tx.delete(memberships).where(where).run()
  const change: Change = { role: [member.role, null] }
  if (lost.length > 0) change.projects = [lost.map(({ identifier }) => identifier).join(', '), null]
  forgetNotificationsIn(tx, { accountId, userId }, actor.at)
  record(tx, actor, { kind: exit, accountId, userId, change, quiet })

  endInvitationsTo(tx, actor, accountId, userId)
  endActsOf(tx, actor, { accountId, userId }, { keptBy })
  endProgramsFromPartner(tx, actor, accountId, userId)
  cancelInvitations(tx, actor, sentToCustomers(tx, accountId, userId))
  const inCustomers = exit === 'member.deleted' ? exit : 'member.removed'
  for (const customer of customersOf(tx, accountId, userId))
    endMembership(tx, actor, { accountId: customer, userId }, { exit: inCustomers, quiet: true })
  endUnwatchedPrograms(tx, actor, accountId)
  return true
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
  endProgramsFromPartner(tx, actor, id)
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
