import { and, eq, exists, gt, isNull, sql } from 'drizzle-orm'
import type { UserId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import {
  accounts,
  invitationProjects,
  invitations,
  keptAccess,
  pendingInvitation,
  projects,
  users,
} from '../../../db/schema.ts'
import { byPartnersProgram, isActive, senderAsleep } from '../../../db/suspension.ts'
import { withdrawLetters } from '../../../mail/outbox.ts'
import { createUser, findUserByEmail, renameUser, setPasswordByMail } from '../../../people/data/users.ts'
import type { Role } from '../../../policy.ts'
import { addAccess } from '../../../projects/access/data/giving.ts'
import { type Actor, record } from '../../../records/record.ts'
import type { Account } from '../../data/account.ts'
import { addMember, findMember, keepMember } from '../../members/data.ts'
import type { Invitation, LinkKind } from './invitation.ts'
import { pendingOf } from './invitation.ts'
import { findOffer } from './offer.ts'

/** How somebody came to accept: by a link, or by a button on Home, which shows invitations to the own, proved address. */
export type Way = LinkKind | 'home'

/**
 * Claims an invitation for a user: one guarded UPDATE, in the transaction that adds the membership
 * and the project access that the invitation names. Undefined when it is not open to this address, its account is
 * deleted or suspended, the partner that sent it is suspended, or the address is not proved: such a user can only use
 * a copied link, and a mailed one proves the address first (`joinWithPassword`).
 */
export function acceptInvitation(
  tx: Db,
  actor: Actor,
  { id, userId, way }: { id: number; userId: UserId; way: Way },
): Accepted | undefined {
  const user = tx
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.disabledAt)))
    .get()
  if (!user || (way !== 'copied' && user.emailProvedAt === null)) return undefined
  const active = tx
    .select({ id: accounts.id })
    .from(accounts)
    .where(and(eq(accounts.id, invitations.accountId), isNull(accounts.deletedAt), isActive))
  const [claimed] = tx
    .update(invitations)
    .set({ state: 'accepted', endedAt: actor.at, acceptedBy: user.id })
    .where(
      and(
        eq(invitations.id, id),
        pendingInvitation,
        gt(invitations.expiresAt, actor.at),
        eq(invitations.emailKey, user.emailKey),
        exists(active),
        isNull(senderAsleep),
      ),
    )
    .returning()
    .all()
  if (!claimed) return undefined

  const { accountId } = claimed
  const fromPartner = isForPartner(tx, claimed, user.id, actor.at)
  const joining = { accountId, userId: user.id, role: claimed.role, fromPartner }
  const joined = addMember(tx, actor, joining, 'member.joined')
  if (!joined) keepMember(tx, accountId, user.id)
  const role = joined ? claimed.role : (findMember(tx, accountId, user.id)?.role ?? claimed.role)
  record(tx, actor, {
    kind: 'invitation.accepted',
    accountId,
    invitationId: id,
    userId: user.id,
    // The history says that a member’s role stayed.
    change: joined ? {} : { role: [role, role] },
  })
  withdrawLetters(tx, id, actor.at)
  const chosen = tx
    .select({ projectId: invitationProjects.projectId, role: invitationProjects.role, deletedAt: projects.deletedAt })
    .from(invitationProjects)
    .innerJoin(projects, eq(projects.id, invitationProjects.projectId))
    .where(and(eq(invitationProjects.invitationId, id), isNull(projects.purgedAt)))
    .all()
  let gained = 0
  for (const { projectId, role, deletedAt } of chosen)
    if (deletedAt === null) gained += Number(addAccess(tx, actor, { accountId, projectId, userId: user.id }, role))
    // Should the project be restored, it has them.
    else tx.insert(keptAccess).values({ accountId, projectId, userId: user.id, role }).onConflictDoNothing().run()
  const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
  return account && { account, joined, role, gained }
}

/** What an accepted invitation did: who was a member before keeps the role, and gains access to `gained` projects alone. */
export type Accepted = { account: Account; joined: boolean; role: Role; gained: number }

/** The partner’s side invited one of the partner’s own people, or somebody it invites to become one. */
function isForPartner(
  tx: Db,
  { id, accountId, emailKey: key, invitedBy, invitedFrom }: Invitation,
  userId: UserId,
  at: number,
): boolean {
  const partnerId = tx.select({ id: accounts.partnerId }).from(accounts).where(eq(accounts.id, accountId)).get()?.id
  if (partnerId == null) return false
  const inviter = findMember(tx, accountId, invitedBy)
  const byProgram = and(eq(invitations.id, id), byPartnersProgram(sql`invitations.id`))
  const bySide =
    invitedFrom === partnerId ||
    inviter?.fromPartner === true ||
    tx.select({ id: invitations.id }).from(invitations).where(byProgram).get() !== undefined
  if (!bySide) return false
  // Which of two invitations is accepted first makes no difference.
  const pending = and(pendingOf(partnerId), eq(invitations.emailKey, key), gt(invitations.expiresAt, at))
  return (
    findMember(tx, partnerId, userId) !== undefined ||
    tx.select({ id: invitations.id }).from(invitations).where(pending).get() !== undefined
  )
}

/**
 * Accepts by a link, and chooses name and password: creates the user. Through a mailed link the mailbox's owner also
 * takes over a user of this address that somebody else may have set up and may be logged in as: everything set or
 * sent before ends. No `account` where this invitation was sent by that user, and so ended. 'log-in' where the address
 * has a log-in that the link does not open; undefined where the link is not open.
 */
export function joinWithPassword(
  db: Db,
  actor: Actor,
  token: string,
  { name, passwordHash }: { name: string; passwordHash: string },
): { userId: UserId; account: Account | undefined } | 'log-in' | undefined {
  return write(db, actor, (tx) => {
    const offer = findOffer(tx, token, actor.at)
    if (offer?.state !== 'open') return undefined
    const { link, invitation } = offer
    const there = findUserByEmail(tx, invitation.email)
    if (there && (link === 'copied' || there.emailProvedAt !== null || there.disabledAt !== null)) return 'log-in'
    const by = (userId: UserId) => ({ ...actor, userId })
    if (there) {
      setPasswordByMail(tx, by(there.id), there, passwordHash)
      renameUser(tx, by(there.id), there.id, { name, version: there.version })
    }
    const { email } = invitation
    const user = there ?? createUser(tx, actor, { email, name, passwordHash, emailProved: link === 'mailed' })
    if (user === 'taken') throw new Error('The address of an open invitation is taken.')
    const accepted = acceptInvitation(tx, by(user.id), { id: invitation.id, userId: user.id, way: link })
    if (!accepted && invitation.invitedBy !== user.id) throw new Error('An open invitation was not accepted.')
    return { userId: user.id, account: accepted?.account }
  })
}
