import { and, eq, not } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'
import {
  accounts,
  emailChanges,
  invitations,
  invitationTokens,
  memberships,
  notifications,
  passwordResets,
  personalChanges,
  records,
  users,
} from '../db/schema.ts'
import { senderAsleep, suspensionOf } from '../db/suspension.ts'
import { isEntitled } from '../records/data/entitled.ts'
import type { LetterRow } from './outbox.ts'

/** Why somebody gets an e-mail. It goes out only while this is still so (M-04). */
export type Reason =
  /** It carries the link of an invitation. */
  | { because: 'invitation'; invitationId: number; tokenHash: string }
  /** It carries another link that acts for its reader: of a password reset or a change of e-mail. */
  | { because: 'token'; userId: UserId; tokenHash: string }
  /** Its reader is a member of this account. */
  | { because: 'member'; userId: UserId; readerOf: AccountId }
  /** Its reader is an admin of this account, which it tells about, or which is the partner of that one. */
  | { because: 'admin'; userId: UserId; readerOf: AccountId }
  /** It tells its reader about their own login, or about an act on them: that they are no longer in an account. */
  | { because: 'user'; userId: UserId; readerOf?: AccountId }
  /** It goes to Support's own address, or to one of its operators. */
  | { because: 'support'; userId?: UserId }

/**
 * Whether an e-mail goes to proved addresses alone: somebody may have given an address that is not theirs, and its
 * owner must get no more in our name than invitations and links to prove it.
 */
export function needsProof(reason: Reason): reason is ToProved {
  const { because } = reason
  if (because === 'support') return reason.userId !== undefined
  return because === 'member' || because === 'admin' || because === 'user'
}

type ToProved = Extract<Reason, { because: 'member' | 'admin' | 'user' }> | { because: 'support'; userId: UserId }

/** A reason as the columns of a row. */
export function reasonColumns({ because, ...of }: Reason) {
  return { reason: because, invitationId: null, userId: null, readerOf: null, tokenHash: null, ...of }
}

type Check = (db: Db, letter: LetterRow, at: number) => string | undefined

/**
 * Why an e-mail must not be sent at this time: the end of a sentence, without names. Undefined while its reason
 * holds. Asked right before it is sent, and at *Send again*.
 */
export function whyNotSent(db: Db, letter: LetterRow, at: number): string | undefined {
  return whyNotAbout(db, letter) ?? checks[letter.reason](db, letter, at)
}

/** How Support reads it in the list of e-mails. */
export function notSent(why: string): string {
  return `Not sent: ${why}.`
}

/** About a deleted account, only e-mails that the deletion itself wrote are sent. */
function whyNotAbout(db: Db, { accountId, createdAt }: LetterRow): string | undefined {
  if (accountId === null) return undefined
  const account = db.select().from(accounts).where(eq(accounts.id, accountId)).get()
  const deletedAt = account?.deletedAt ?? null
  return deletedAt !== null && createdAt !== deletedAt ? 'the account was deleted' : undefined
}

const checks: Record<LetterRow['reason'], Check> = {
  // Written before e-mails had reasons.
  none: () => undefined,
  support: whyNotSupport,
  invitation: whyNotInvitation,
  token: whyNotToken,
  member: whyNotMember,
  admin: whyNotMember,
  user: whyNotUser,
}

export const expired = 'its link expired before it could be sent'

function whyNotInvitation(db: Db, { invitationId, tokenHash, email }: LetterRow, at: number): string | undefined {
  const row = db
    .select({ invitation: invitations, account: accounts, senderAsleep })
    .from(invitations)
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .where(eq(invitations.id, invitationId ?? 0))
    .get()
  if (!row) return 'the invitation was cancelled'
  const { invitation, account } = row
  if (invitation.state === 'cancelled') return 'the invitation was cancelled'
  if (invitation.state === 'accepted') return 'the invitation was already accepted'
  if (invitation.state === 'expired' || invitation.expiresAt <= at) return expired
  if (!isSame(invitation.email, email)) return 'the invitation now goes to another address'
  if (suspensionOf(account)) return 'the account is suspended'
  if (row.senderAsleep !== null) return 'the partner that sent it is suspended'
  // Rows from versions before 0.3.0 do not know their link.
  if (tokenHash === null) return undefined
  const token = db.select().from(invitationTokens).where(eq(invitationTokens.hash, tokenHash)).get()
  return token?.supersededAt === null ? undefined : 'a newer link replaced the one in it'
}

function whyNotToken(db: Db, letter: LetterRow, at: number): string | undefined {
  const hash = letter.tokenHash ?? ''
  const reset = db.select().from(passwordResets).where(eq(passwordResets.hash, hash)).get()
  if (reset)
    return whyNotReader(db, letter) ?? (reset.usedAt !== null ? 'its link was already used' : within(reset, at))
  const change = db.select().from(emailChanges).where(eq(emailChanges.hash, hash)).get()
  // It goes to the new address, which is not the user's yet.
  if (change) return whyNoLogin(findReader(db, letter)) ?? within(change, at)
  return 'its link was used, or a newer one replaced it'
}

const within = ({ expiresAt }: { expiresAt: number }, at: number) => (expiresAt <= at ? expired : undefined)

type Reader = typeof users.$inferSelect | undefined

function findReader(db: Db, { userId }: LetterRow): Reader {
  return userId === null ? undefined : db.select().from(users).where(eq(users.id, userId)).get()
}

function whyNoLogin(user: Reader): string | undefined {
  // A deletion withdraws the e-mails of its user itself.
  return user?.disabledAt === null && user.deletedAt === null ? undefined : 'its reader’s login is disabled'
}

function whyNotUser(db: Db, letter: LetterRow): string | undefined {
  const user = findReader(db, letter)
  if (user && user.deletedAt === null && tellsFormerAddress(db, letter)) return undefined
  const wrong = whyNotReader(db, letter, user)
  if (wrong) return wrong
  if (user?.emailProvedAt == null) return 'its address is not confirmed'
  if (letter.reason !== 'user') return undefined
  if (letter.readerOf === null) return whyNotLines(db, letter)
  return findMembership(db, letter) ? 'its reader is a user of the account again' : undefined
}

/** It tells of notifications, all of which its reader must still be allowed to read. */
function whyNotLines(db: Db, { id }: LetterRow): string | undefined {
  const lost = db
    .select({ id: notifications.id })
    .from(notifications)
    .where(and(eq(notifications.letterId, id), not(isEntitled)))
    .limit(1)
    .get()
  return lost ? 'its reader may no longer read all of it' : undefined
}

function whyNotSupport(db: Db, letter: LetterRow): string | undefined {
  if (letter.userId === null) return undefined
  return (
    whyNotUser(db, letter) ?? (findReader(db, letter)?.operator ? undefined : 'its reader no longer belongs to Support')
  )
}

function whyNotReader(db: Db, letter: LetterRow, user = findReader(db, letter)): string | undefined {
  return (
    whyNoLogin(user) ??
    (user && isSame(user.email, letter.email) ? undefined : 'its reader’s e-mail address has changed')
  )
}

function findMembership(db: Db, { userId, readerOf }: LetterRow) {
  if (userId === null || readerOf === null) return undefined
  const where = and(eq(memberships.userId, userId), eq(memberships.accountId, readerOf))
  return db.select().from(memberships).where(where).get()
}

/**
 * Whether it tells an address that it is no longer the user's: it was written by the act that changed it. That
 * goes out whatever happened since, because it is how a stolen login comes to light.
 */
function tellsFormerAddress(db: Db, { userId, email, createdAt }: LetterRow): boolean {
  if (userId === null) return false
  const change = and(
    eq(personalChanges.userId, userId),
    eq(personalChanges.field, 'email'),
    eq(personalChanges.before, email),
    eq(records.at, createdAt),
  )
  const told = db
    .select({ id: records.id })
    .from(personalChanges)
    .innerJoin(records, eq(records.id, personalChanges.recordId))
    .where(change)
    .get()
  return told !== undefined
}

const partner = alias(accounts, 'partner')

function whyNotMember(db: Db, letter: LetterRow): string | undefined {
  const { userId, readerOf, accountId, reason } = letter
  const wrong = whyNotUser(db, letter)
  if (wrong) return wrong
  const row =
    userId === null || readerOf === null
      ? undefined
      : db
          .select({ membership: memberships, account: accounts, partner })
          .from(memberships)
          .innerJoin(accounts, eq(accounts.id, memberships.accountId))
          .leftJoin(partner, eq(partner.id, accounts.partnerId))
          .where(and(eq(memberships.userId, userId), eq(memberships.accountId, readerOf)))
          .get()
  if (!row) return 'its reader is no longer a user of the account'
  const { membership, account } = row
  if (reason === 'admin' && membership.role !== reason) return 'its reader is no longer an admin of the account'
  const sleeps = 'its reader’s partner account is suspended'
  if (membership.fromPartner && row.partner && suspensionOf(row.partner)) return sleeps
  if (accountId === null || accountId === readerOf) return undefined

  if (account.deletedAt !== null) return 'its reader’s account was deleted'
  if (reason === 'member') return undefined
  const customer = db.select().from(accounts).where(eq(accounts.id, accountId)).get()
  if (customer?.partnerId !== readerOf) return 'its reader’s account no longer looks after this customer'
  return suspensionOf(account) ? sleeps : undefined
}

/** Upper and lower case do not make another mailbox. */
function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
