import { and, count, eq, gt, isNull, lt, or } from 'drizzle-orm'
import type { UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { recoveryCodes, sessions, users } from '../../db/schema.ts'
import { type Actor, type Person, record } from '../../records/record.ts'
import { hashToken, type Secrets, unsealed } from '../../secrets.ts'
import type { User } from '../data/users.ts'
import { lastStep, stepOf } from './codes.ts'

/** Switches two-factor login on. The session that does it has proved it; others are asked for a code. */
export function switchOn(
  db: Db,
  actor: Person,
  {
    sealedSecret,
    step,
    codes,
    sessionHash,
  }: { sealedSecret: string; step: number; codes: string[]; sessionHash: string },
  tell: (tx: Db) => void,
): void {
  write(db, actor, (tx) => {
    tx.update(users).set({ totpSecret: sealedSecret, totpStep: step }).where(eq(users.id, actor.userId)).run()
    tx.update(sessions)
      .set({ secondFactor: true })
      .where(and(eq(sessions.hash, sessionHash), eq(sessions.userId, actor.userId)))
      .run()
    putCodes(tx, actor.userId, codes)
    record(tx, actor, { kind: 'user.two-factor-on', userId: actor.userId })
    tell(tx)
  })
}

/** A user switches their own two-factor login off. False where it is off. */
export function switchOff(db: Db, actor: Actor, userId: UserId, tell: (tx: Db) => void): boolean {
  return write(db, actor, (tx) => {
    if (!dropTwoFactor(tx, userId)) return false
    record(tx, actor, { kind: 'user.two-factor-off', userId })
    tell(tx)
    return true
  })
}

/** Drops a user’s second factor, and the sessions that wait for it. False where there is none. */
export function dropTwoFactor(tx: Db, userId: UserId): boolean {
  const user = tx.select().from(users).where(eq(users.id, userId)).get()
  if (!user?.totpSecret) return false
  tx.update(users).set({ totpSecret: null, totpStep: null }).where(eq(users.id, userId)).run()
  tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId)).run()
  tx.delete(sessions)
    .where(and(eq(sessions.userId, userId), eq(sessions.secondFactor, false)))
    .run()
  return true
}

export function renewCodes(db: Db, actor: Person, codes: string[]): void {
  write(db, actor, (tx) => {
    putCodes(tx, actor.userId, codes)
    record(tx, actor, { kind: 'user.recovery-codes-made', userId: actor.userId })
  })
}

function putCodes(tx: Db, userId: UserId, codes: string[]): void {
  tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId)).run()
  for (const code of codes)
    tx.insert(recoveryCodes)
      .values({ userId, hash: hashToken(code) })
      .run()
}

export function countCodes(db: Db, userId: UserId): number {
  return db.select({ n: count() }).from(recoveryCodes).where(eq(recoveryCodes.userId, userId)).get()?.n ?? 0
}

/**
 * Takes a code of the app, or one of the recovery codes. Each works once: the guarded UPDATE and the
 * DELETE say who was first.
 */
export function takeCode(
  db: Db,
  secrets: Secrets,
  actor: Actor,
  { user, typed }: { user: User; typed: string },
): boolean {
  if (!user.totpSecret) return false
  const code = typed.replaceAll(/[\s-]/g, '').toLowerCase()
  // A damaged one leaves the recovery codes.
  const secret = unsealed(secrets, user.totpSecret)
  const step = secret === undefined ? undefined : stepOf(secret, code, actor.at)
  return write(db, actor, (tx) => {
    if (step !== undefined) {
      // A clock that was ahead used it up: right codes would be refused until it is that time.
      const fromTheFuture = gt(users.totpStep, lastStep(actor.at))
      const unused = and(eq(users.id, user.id), or(isNull(users.totpStep), lt(users.totpStep, step), fromTheFuture))
      return tx.update(users).set({ totpStep: step }).where(unused).run().changes === 1
    }
    const where = and(eq(recoveryCodes.userId, user.id), eq(recoveryCodes.hash, hashToken(code)))
    if (tx.delete(recoveryCodes).where(where).run().changes === 0) return false
    record(tx, { ...actor, userId: user.id }, { kind: 'user.recovery-code-used', userId: user.id })
    return true
  })
}
