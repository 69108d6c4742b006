import { and, eq, isNull } from 'drizzle-orm'
import { searchText } from '../../../db/fold.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { invitations, invitationTokens } from '../../../db/schema.ts'
import { allowResend } from '../../../mail/allowance.ts'
import { withdrawLetters } from '../../../mail/outbox.ts'
import { type Actor, type Person, record } from '../../../records/record.ts'
import { adminRole } from '../../../roles.ts'
import { emailKey } from '../../../web/fields.ts'
import { cancelInvitations } from '../../endings/data/acts.ts'
import { countAdmins } from '../../members/data.ts'
import { type Invitation, type Inviting, pendingOf } from './invitation.ts'
import { addToken, expireOld, invitationLifetime, isMember, type Sender, send } from './sending.ts'

/**
 * Who handles an account’s invitations: its own admins handle all of them. Its partner (null is Support) handles those
 * that it sent, and invitations of admins while the account has no admin who can log in.
 */
export type Handler = 'own' | { from: AccountId | null }

/** Whether a pending invitation is the handler’s to resend, correct and cancel. `admins` are those who can log in. */
export function mayHandle(handler: Handler, { invitedFrom, role }: Invitation, admins: number): boolean {
  return handler === 'own' || invitedFrom === handler.from || (role === adminRole && admins === 0)
}

/** A partner hands links over only until the customer has an admin, and only of invitations that it sent. */
export function mayCopyLink(handler: Handler, { invitedFrom }: Invitation, admins: number): boolean {
  return handler === 'own' || (invitedFrom === handler.from && admins === 0)
}

/** A pending invitation of the account that is the handler’s. */
export function findPending(
  tx: Db,
  { accountId, id, handler }: { accountId: AccountId; id: number; handler: Handler },
  may = mayHandle,
): Invitation | undefined {
  const invitation = tx
    .select()
    .from(invitations)
    .where(and(pendingOf(accountId), eq(invitations.id, id)))
    .get()
  return invitation && may(handler, invitation, countAdmins(tx, accountId)) ? invitation : undefined
}

/** Sends a pending invitation again: a new link for another seven days; all earlier ones end. Throws a TooMany. */
export function resend(
  db: Db,
  actor: Person,
  sender: Sender,
  { account, id, handler }: { account: Inviting; id: number; handler: Handler },
): Invitation | undefined {
  return write(db, actor, (tx) => {
    const before = findPending(tx, { accountId: account.id, id, handler })
    if (!before) return undefined
    allowResend(before.sentAt, actor.at)
    const invitation = sendAnew(tx, actor, sender, { account, before })
    record(tx, actor, { kind: 'invitation.resent', accountId: account.id, invitationId: id })
    return invitation
  })
}

/**
 * Corrects the name or address of a pending invitation and sends it there; all earlier links end. 'member' and
 * 'pending' as `invite` says it; undefined when there is no such invitation. Throws a TooMany.
 */
export function correctInvitation(
  db: Db,
  actor: Person,
  sender: Sender,
  {
    account,
    id,
    handler,
    person: { name, email },
  }: { account: Inviting; id: number; handler: Handler; person: { name: string; email: string } },
): Invitation | 'member' | 'pending' | undefined {
  return write(db, actor, (tx) => {
    const before = findPending(tx, { accountId: account.id, id, handler })
    if (!before) return undefined
    if (emailKey(email) === before.emailKey) allowResend(before.sentAt, actor.at)
    else {
      if (isMember(tx, account.id, email)) return 'member'
      expireOld(tx, account.id, email, actor.at)
      const other = and(pendingOf(account.id), eq(invitations.emailKey, emailKey(email)))
      if (tx.select({ id: invitations.id }).from(invitations).where(other).get()) return 'pending'
    }
    const person = { name, email, emailKey: emailKey(email), search: searchText(name, email) }
    tx.update(invitations).set(person).where(eq(invitations.id, id)).run()
    const invitation = sendAnew(tx, actor, sender, { account, before: { ...before, ...person } })
    record(tx, actor, { kind: 'invitation.corrected', accountId: account.id, invitationId: id })
    return invitation
  })
}

/** From now on the invitation belongs to the person who sent it last. */
function sendAnew(
  tx: Db,
  actor: Person,
  sender: Sender,
  { account, before }: { account: Inviting; before: Invitation },
): Invitation {
  const sent = {
    sentAt: actor.at,
    expiresAt: actor.at + invitationLifetime,
    invitedBy: actor.userId,
    invitedFrom: actor.accountId,
  }
  tx.update(invitations).set(sent).where(eq(invitations.id, before.id)).run()
  tx.update(invitationTokens)
    .set({ supersededAt: actor.at })
    .where(and(eq(invitationTokens.invitationId, before.id), isNull(invitationTokens.supersededAt)))
    .run()
  withdrawLetters(tx, before.id, actor.at)
  const invitation = { ...before, ...sent }
  send(tx, actor, sender, { account, invitation })
  return invitation
}

export function cancelInvitation(
  db: Db,
  actor: Actor,
  { accountId, id, handler }: { accountId: AccountId; id: number; handler: Handler },
): Invitation | undefined {
  return write(db, actor, (tx) => {
    const invitation = findPending(tx, { accountId, id, handler })
    if (!invitation) return undefined
    cancelInvitations(tx, actor, eq(invitations.id, id))
    return invitation
  })
}

/**
 * Makes one more link to a pending invitation, to be handed over by other means. It makes the one membership that it
 * was made for, and proves no address. The one in the letter stays valid.
 */
export function copyLink(
  db: Db,
  actor: Actor,
  { accountId, id, handler }: { accountId: AccountId; id: number; handler: Handler },
): { invitation: Invitation; token: string } | undefined {
  return write(db, actor, (tx) => {
    const invitation = findPending(tx, { accountId, id, handler }, mayCopyLink)
    if (!invitation || invitation.expiresAt <= actor.at) return undefined
    record(tx, actor, { kind: 'invitation.link-copied', accountId, invitationId: id })
    return { invitation, token: addToken(tx, actor, id, 'copied') }
  })
}
