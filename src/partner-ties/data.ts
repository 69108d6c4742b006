import { and, eq, exists, isNull, sql } from 'drizzle-orm'
import type { Account } from '../accounts/data.ts'
import type { Db } from '../db/open.ts'
import { invitations, invitationTokens, memberships, pendingInvitation, users } from '../db/schema.ts'
import type { Actor } from '../history/record.ts'
import { cancelInvitation } from '../invitations/data.ts'
import { withdrawLetters, withdrawLettersTo } from '../mail/outbox.ts'
import {
  countAdmins,
  countMembers,
  isActiveAdmin,
  listMembersById,
  type Member,
  removeMember,
} from '../members/data.ts'

// What of its partner is in a customer, and goes when the two part. The history tells who brought whom: whom
// the customer itself invited stays, also where that is somebody of the partner.

type Customer = Pick<Account, 'id' | 'partnerId'>

/** People of the partner in the customer, and doors that the partner has opened to it. */
export type Ties = {
  members: Member[]
  /** Pending invitations that the partner sent to its own people. */
  invitations: { id: number; name: string; email: string }[]
  /** Other pending invitations with links that the partner has had. */
  links: { id: number; name: string; email: string }[]
}

/** How a member came into the account the last time; the names of tables are written out for Drizzle's sake. */
const cameLast = (accountId: number) =>
  sql`(select max(last.id) from records as last where last.user_id = memberships.user_id and last.account_id = ${accountId} and last.kind in ('member.added-self', 'member.joined'))`

/** Somebody is a user of the partner account now. */
const ofPartner = (partnerId: number, userId: ReturnType<typeof sql>) =>
  sql`exists (select 1 from memberships as theirs where theirs.account_id = ${partnerId} and theirs.user_id = ${userId})`

/** Who goes: those who added themselves from the partner, and those of its people whom it invited. */
export function listLeaving(db: Db, { id, partnerId }: Customer): Member[] {
  if (partnerId === null) return []
  const addedSelf = sql`exists (select 1 from records as came where came.id = ${cameLast(id)}
    and came.kind = 'member.added-self' and came.actor_account_id = ${partnerId})`
  const invited = sql`(${ofPartner(partnerId, sql`memberships.user_id`)} and exists (
    select 1 from records as came join records as sent on sent.invitation_id = came.invitation_id
    where came.user_id = memberships.user_id and came.account_id = ${id} and came.kind = 'invitation.accepted'
    and came.id > ${cameLast(id)} and sent.kind = 'invitation.sent' and sent.actor_account_id = ${partnerId}))`
  const leaving = db
    .select({ userId: memberships.userId })
    .from(memberships)
    .where(and(eq(memberships.accountId, id), sql`(${addedSelf} or ${invited})`))
    .all()
  return listMembersById(
    db,
    id,
    leaving.map(({ userId }) => userId),
  )
}

/** All that ties a customer to its partner, beside the partner's rights themselves. */
export function findTies(db: Db, customer: Customer): Ties {
  const { id, partnerId } = customer
  if (partnerId === null) return { members: [], invitations: [], links: [] }
  const fields = { id: invitations.id, name: invitations.name, email: invitations.email }
  const pending = and(eq(invitations.accountId, id), pendingInvitation)
  const invitee = db
    .select({ one: sql`1` })
    .from(users)
    .where(and(eq(users.emailKey, invitations.emailKey), ofPartner(partnerId, sql`users.id`)))
  const sent = sql`exists (select 1 from records as sent where sent.invitation_id = invitations.id
    and sent.kind = 'invitation.sent' and sent.actor_account_id = ${partnerId})`
  const had = exists(
    db
      .select({ one: sql`1` })
      .from(invitationTokens)
      .where(
        and(
          sql`invitation_tokens.invitation_id = invitations.id`,
          isNull(invitationTokens.supersededAt),
          madeBy(partnerId),
        ),
      ),
  )
  const own = db
    .select(fields)
    .from(invitations)
    .where(and(pending, exists(invitee), sent))
    .all()
  const links = db
    .select(fields)
    .from(invitations)
    .where(and(pending, had))
    .all()
    .filter((link) => !own.some((invitation) => invitation.id === link.id))
  return { members: listLeaving(db, customer), invitations: own, links }
}

/** A link to an invitation that was made by an act from this account: the act's record is of the same time. */
const madeBy = (partnerId: number) =>
  sql`exists (select 1 from records as made where made.invitation_id = invitation_tokens.invitation_id
    and made.at = invitation_tokens.created_at and made.actor_account_id = ${partnerId}
    and made.kind in ('invitation.sent', 'invitation.resent', 'invitation.link-copied'))`

/** Rule 7: whether the account would be left with members, but without an admin who is not disabled. */
export function leavesNoAdmin(tx: Db, accountId: number, leaving: Member[]): boolean {
  if (leaving.length === 0 || leaving.length === countMembers(tx, accountId)) return false
  const going = leaving.filter(isActiveAdmin).length
  return going > 0 && going === countAdmins(tx, accountId)
}

/** Ends what ties a customer to its partner. Whoever else was invited by the partner needs a new link. */
export function endTies(tx: Db, actor: Actor, { id, partnerId }: Customer, ties: Ties): void {
  if (partnerId === null) return
  for (const { userId } of adminsLast(ties.members))
    if (removeMember(tx, actor, id, userId, 'member.removed', true) === 'last-admin')
      throw new Error(`The last admin of account ${id} cannot go.`)
  for (const invitation of ties.invitations) cancelInvitation(tx, actor, id, invitation.id)
  for (const link of ties.links) {
    tx.update(invitationTokens)
      .set({ supersededAt: actor.at })
      .where(and(eq(invitationTokens.invitationId, link.id), isNull(invitationTokens.supersededAt), madeBy(partnerId)))
      .run()
    withdrawLetters(tx, link.id, actor.at)
  }
  withdrawLettersTo(tx, id, partnerId, actor.at)
}

/** Where all go, an admin who can act goes last. */
function adminsLast(leaving: Member[]): Member[] {
  return leaving.toSorted((one, other) => Number(isActiveAdmin(one)) - Number(isActiveAdmin(other)))
}
