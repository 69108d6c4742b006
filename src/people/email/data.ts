import { and, eq, gt, ne } from 'drizzle-orm'
import { named } from '../../db/fold.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { emailChanges, passwordResets, sessions, users } from '../../db/schema.ts'
import { allowConfirmation, allowEmailChange } from '../../mail/allowance.ts'
import type { Post } from '../../mail/outbox.ts'
import { type Actor, type Person, record } from '../../records/record.ts'
import { hashToken, newToken } from '../../secrets.ts'
import { emailKey } from '../../web/fields.ts'
import { dateTime } from '../../web/format.ts'
import { forReader } from '../../web/reader.ts'
import { findActiveUser, findUserByEmail, setPasswordByMail, type User } from '../data/users.ts'

/** Long enough to look into another mailbox. */
const lifetime = 60 * 60_000
/** In milliseconds; no link to an address works longer. */
export const confirmationLifetime = 3 * 24 * 60 * 60_000

export type ConfirmationSender = { post: Post; publicUrl: string; supportEmail: string | undefined }

/**
 * Writes a letter with a link to the new address, and a notice to the old one. Only the newest link
 * works. Nothing goes to an address that another user has, and the actor is not told so. Throws a TooMany.
 */
export function requestEmailChange(
  db: Db,
  actor: Person,
  { user, email }: { user: User; email: string },
  sender: ConfirmationSender,
): void {
  const { post, publicUrl } = sender
  const token = newToken()
  const expiresAt = actor.at + lifetime
  write(db, actor, (tx) => {
    allowEmailChange(tx, actor, emailKey(email))
    tx.delete(emailChanges).where(eq(emailChanges.userId, user.id)).run()
    const owner = findUserByEmail(tx, email)
    if (!owner || owner.id === user.id) {
      tx.insert(emailChanges)
        .values({ hash: hashToken(token), userId: user.id, email, expiresAt })
        .run()
      const data = { link: `${publicUrl}/profile/email/${token}`, expires: forReader(user, () => dateTime(expiresAt)) }
      const reason = { because: 'token', userId: user.id, tokenHash: hashToken(token) } as const
      post(tx, actor.at, { kind: 'email-change', email, name: user.name, reason, data })
    }
    record(tx, actor, { kind: 'user.email-change-asked', userId: user.id })
    tellOldAddress(tx, actor, { user, made: false }, sender)
  })
}

/**
 * Writes an e-mail with a link that proves the user’s present address, when it is followed by somebody who is logged
 * in as that user, and chooses a new password. The user, or an admin of one of their accounts, asks for it. Undefined where the address is proved.
 * Throws a TooMany.
 */
export function requestConfirmation(
  db: Db,
  actor: Person,
  { userId, accountId }: { userId: UserId; accountId: AccountId | null },
  { post, publicUrl }: Pick<ConfirmationSender, 'post' | 'publicUrl'>,
): User | undefined {
  const token = newToken()
  const expiresAt = actor.at + confirmationLifetime
  return write(db, actor, (tx) => {
    const user = findActiveUser(tx, userId)
    if (!user || user.emailProvedAt !== null) return undefined
    allowConfirmation(tx, actor, user)
    tx.delete(emailChanges)
      .where(and(eq(emailChanges.userId, user.id), eq(emailChanges.email, user.email)))
      .run()
    tx.insert(emailChanges)
      .values({ hash: hashToken(token), userId: user.id, email: user.email, expiresAt })
      .run()
    post(tx, actor.at, {
      kind: 'email-confirmation',
      email: user.email,
      name: user.name,
      reason: { because: 'token', userId: user.id, tokenHash: hashToken(token) },
      data: {
        link: `${publicUrl}/profile/email/${token}`,
        resetLink: `${publicUrl}/password-reset`,
        expires: forReader(user, () => dateTime(expiresAt)),
      },
    })
    record(tx, actor, { kind: 'user.confirmation-sent', userId: user.id, accountId })
    return user
  })
}

function tellOldAddress(
  tx: Db,
  actor: Actor,
  { user, made }: { user: User; made: boolean },
  { post, publicUrl, supportEmail }: ConfirmationSender,
) {
  const data = {
    made,
    when: forReader(user, () => dateTime(actor.at)),
    link: `${publicUrl}/password-reset`,
    supportEmail: supportEmail ?? '',
  }
  const reason = { because: 'user', userId: user.id } as const
  post(tx, actor.at, { kind: 'email-changed', email: user.email, name: user.name, reason, data })
}

/**
 * What a user’s own link is for: to confirm the present address, while that is not proved, or to change to another.
 * Undefined when it is another’s, unknown, used or too old.
 */
export function findEmailChange(
  db: Db,
  user: Pick<User, 'id' | 'email'> & { emailProved: boolean },
  token: string,
  at: number,
): { email: string; confirms: boolean } | undefined {
  const change = db
    .select({ email: emailChanges.email })
    .from(emailChanges)
    .where(open(user.id, token, at))
    .get()
  if (!change) return undefined
  const confirms = change.email === user.email
  return confirms && user.emailProved ? undefined : { ...change, confirms }
}

/**
 * Claims the link and changes or confirms the e-mail. All sessions but this one end, and links that went to the old
 * address. A user whose address was not proved needs the hash of a new password: this session ends too, and all else
 * that was set up before. Undefined when the link does not work, or that hash is missing; 'taken' when somebody else
 * has the address by now.
 */
export function changeEmail(
  db: Db,
  actor: Person,
  {
    userId,
    token,
    sessionHash,
    passwordHash,
  }: { userId: UserId; token: string; sessionHash: string; passwordHash?: string | undefined },
  sender: ConfirmationSender,
): string | 'taken' | undefined {
  return write(db, actor, (tx) => {
    const user = findActiveUser(tx, userId)
    if (!user) return undefined
    const emailProved = user.emailProvedAt !== null
    const change = findEmailChange(tx, { ...user, emailProved }, token, actor.at)
    if (!change || (!emailProved && passwordHash === undefined)) return undefined
    const { email, confirms } = change
    const owner = findUserByEmail(tx, email)
    if (owner && owner.id !== user.id) {
      tx.delete(emailChanges)
        .where(open(user.id, token, actor.at))
        .run()
      return 'taken'
    }
    // Also a confirmation of the earlier address: it must not change the e-mail back.
    tx.delete(emailChanges).where(eq(emailChanges.userId, user.id)).run()
    if (!confirms) {
      tx.update(users)
        .set({ email, emailKey: emailKey(email), ...named(user.name, email), emailProvedAt: actor.at })
        .where(eq(users.id, user.id))
        .run()
      tx.delete(sessions)
        .where(and(eq(sessions.userId, user.id), ne(sessions.hash, sessionHash)))
        .run()
      tx.delete(passwordResets).where(eq(passwordResets.userId, user.id)).run()
      const personal = { field: 'email', before: user.email, after: email } as const
      record(tx, actor, { kind: 'user.email-changed', userId: user.id, personal })
      tellOldAddress(tx, actor, { user, made: true }, sender)
    }
    if (!emailProved && passwordHash !== undefined) setPasswordByMail(tx, actor, user, passwordHash)
    return email
  })
}

function open(userId: UserId, token: string, at: number) {
  return and(eq(emailChanges.hash, hashToken(token)), eq(emailChanges.userId, userId), gt(emailChanges.expiresAt, at))
}
