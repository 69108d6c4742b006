import { and, eq, gt, isNull } from 'drizzle-orm'
import type { UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { passwordResets, users } from '../../db/schema.ts'
import type { Post } from '../../mail/outbox.ts'
import { type Actor, record } from '../../records/record.ts'
import { hashToken, newToken } from '../../secrets.ts'
import { dateTime } from '../../web/format.ts'
import { forReader } from '../../web/reader.ts'
import { findActiveUser, setPasswordByMail, type User } from '../data/users.ts'
import { forgive, logInCounter, resetCounter } from '../log-in/throttle/data.ts'

/** ASVS 5.0 §6.4: short, single use, hashed at rest. */
/** How long a link works, in milliseconds. */
export const resetLifetime = 30 * 60_000

/**
 * Writes a letter with a link to choose a new password. Only the newest link works. None goes to a user who was
 * disabled, deleted or has another e-mail since it was asked for.
 */
export function requestReset(db: Db, actor: Actor, user: User, mail: { post: Post; publicUrl: string }): void {
  write(db, actor, (tx) => {
    // Written after the answer: the user may be gone or disabled by now, or have another address.
    if (findActiveUser(tx, user.id)?.email !== user.email) return
    writeResetLink(tx, user, { at: actor.at }, mail)
    record(tx, { ...actor, userId: user.id }, { kind: 'user.reset-requested', userId: user.id })
  })
}

/** Writes an e-mail to a user with a link to choose a new password; the links before it end. `helper`: who sends it for them. */
export function writeResetLink(
  tx: Db,
  user: User,
  { at, helper }: { at: number; helper?: { userId: UserId | null; words: string } },
  { post, publicUrl }: { post: Post; publicUrl: string },
): void {
  const { id, email, name } = user
  const token = newToken()
  const expiresAt = at + resetLifetime
  tx.delete(passwordResets).where(eq(passwordResets.userId, id)).run()
  tx.insert(passwordResets)
    .values({ hash: hashToken(token), userId: id, expiresAt })
    .run()
  post(tx, at, {
    kind: 'password-reset',
    email,
    name,
    reason: { because: 'token', userId: id, tokenHash: hashToken(token) },
    names: [helper?.userId ?? null],
    data: {
      link: `${publicUrl}/password-reset/${token}`,
      expires: forReader(user, () => dateTime(expiresAt)),
      sentBy: helper?.words ?? '',
    },
  })
}

/** Whose password a link may set. Undefined when it is unknown, used or too old, or its user is disabled. */
export function findReset(db: Db, token: string, at: number): User | undefined {
  return db
    .select({ user: users })
    .from(passwordResets)
    .innerJoin(users, eq(users.id, passwordResets.userId))
    .where(and(open(token, at), isNull(users.disabledAt)))
    .get()?.user
}

/**
 * Claims the link, sets the password, ends all sessions, and forgets what strangers had tried. False if the link was
 * already claimed, or the user disabled.
 */
export function resetPassword(
  db: Db,
  actor: Actor,
  { token, user, passwordHash }: { token: string; user: User; passwordHash: string },
  tell: (tx: Db) => void,
): boolean {
  return write(db, actor, (tx) => {
    const now = findActiveUser(tx, user.id)
    if (!now) return false
    const claimed = tx.update(passwordResets).set({ usedAt: actor.at }).where(open(token, actor.at)).run().changes
    if (!claimed) return false
    setPasswordByMail(tx, { ...actor, userId: user.id }, now, passwordHash)
    for (const account of [logInCounter(user.email), resetCounter(user.email)])
      forgive(tx, { account, address: undefined })
    tell(tx)
    return true
  })
}

function open(token: string, at: number) {
  return and(eq(passwordResets.hash, hashToken(token)), isNull(passwordResets.usedAt), gt(passwordResets.expiresAt, at))
}
