import { and, asc, eq, gt, isNull, lt, or } from 'drizzle-orm'
import { countWhere } from '../../db/counting.ts'
import type { UserId } from '../../db/ids.ts'
import { type Db, write, writeUnchecked } from '../../db/open.ts'
import { passkeys, sessions, usedChallenges, users } from '../../db/schema.ts'
import { type Actor, type Person, record } from '../../records/record.ts'
import { hashToken } from '../../secrets.ts'
import { hasWayIn, type SignOn } from '../ways-in/data.ts'

export type Passkey = typeof passkeys.$inferSelect

/** What a new authenticator says about itself. */
export type NewPasskey = Pick<
  Passkey,
  'credentialId' | 'publicKey' | 'counter' | 'transports' | 'deviceType' | 'backedUp' | 'verifies'
>

/** What it says each time it is used. */
export type PasskeyUse = Pick<Passkey, 'counter' | 'backedUp'>

export const mostPasskeys = 20

/** A user’s passkeys, the oldest first; also those of an earlier host, which end with its address. */
export function listPasskeys(db: Db, userId: UserId): Passkey[] {
  return db.select().from(passkeys).where(eq(passkeys.userId, userId)).orderBy(asc(passkeys.id)).all()
}

/** One of a user’s own. */
export function findPasskey(db: Db, userId: UserId, id: number): Passkey | undefined {
  return db
    .select()
    .from(passkeys)
    .where(and(eq(passkeys.id, id), eq(passkeys.userId, userId)))
    .get()
}

/** The one that an authenticator names, and whose it is. Undefined where it was added at another host. */
export function findCredential(db: Db, credentialId: string, host: string) {
  return db
    .select({ passkey: passkeys, user: users })
    .from(passkeys)
    .innerJoin(users, eq(users.id, passkeys.userId))
    .where(and(eq(passkeys.credentialId, credentialId), eq(passkeys.host, host)))
    .get()
}

export function hasPasskey(db: Db, userId: UserId, host: string): boolean {
  const usable = and(eq(passkeys.userId, userId), eq(passkeys.host, host))
  return db.select({ id: passkeys.id }).from(passkeys).where(usable).limit(1).get() !== undefined
}

/** Passkeys that a changed PUBLIC_URL has ended. */
export function countEndedPasskeys(db: Db, host: string): number {
  return countWhere(db, passkeys, or(lt(passkeys.host, host), gt(passkeys.host, host)))
}

/** Uses a challenge up. False where it was answered before. */
export function useUpChallenge(db: Db, challenge: string, { at, expiresAt }: { at: number; expiresAt: number }) {
  return writeUnchecked(db, (tx) => {
    tx.delete(usedChallenges).where(lt(usedChallenges.expiresAt, at)).run()
    return tx
      .insert(usedChallenges)
      .values({ hash: hashToken(challenge), expiresAt })
      .onConflictDoNothing()
      .run().changes
  })
}

export type Adding = {
  passkey: NewPasskey
  name: string
  host: string
  /** What the authenticator was told to know the user by. */
  handle: string
  sessionHash: string
}

/** Adds a passkey of the actor’s own. The session that does it has proved it. */
export function addPasskey(
  db: Db,
  actor: Person,
  { passkey, name, host, handle, sessionHash }: Adding,
  tell: (tx: Db) => void,
): 'saved' | 'taken' | 'too-many' | 'stale' {
  return write(db, actor, (tx) => {
    const { userId } = actor
    const sameHandle = or(isNull(users.passkeyHandle), eq(users.passkeyHandle, handle))
    const user = and(eq(users.id, userId), sameHandle)
    if (tx.update(users).set({ passkeyHandle: handle }).where(user).run().changes === 0) return 'stale'
    if (countWhere(tx, passkeys, eq(passkeys.userId, userId)) >= mostPasskeys) return 'too-many'
    const [added] = tx
      .insert(passkeys)
      .values({ ...passkey, name, host, userId, createdAt: actor.at })
      .onConflictDoNothing()
      .returning({ id: passkeys.id })
      .all()
    if (!added) return 'taken'
    tx.update(sessions)
      .set({ secondFactor: true })
      .where(and(eq(sessions.hash, sessionHash), eq(sessions.userId, userId)))
      .run()
    record(tx, actor, { kind: 'user.passkey-added', userId })
    tell(tx)
    return 'saved'
  })
}

/** Names one of the actor’s own. Undefined when it is none of theirs. */
export function renamePasskey(db: Db, actor: Person, id: number, name: string): 'saved' | 'unchanged' | undefined {
  return write(db, actor, (tx) => {
    const before = findPasskey(tx, actor.userId, id)
    if (!before) return undefined
    if (before.name === name) return 'unchanged'
    tx.update(passkeys).set({ name }).where(eq(passkeys.id, id)).run()
    return 'saved'
  })
}

/** Removes one of the actor’s own; returns it. 'last-way-in' where nothing else would log them in. */
export function removePasskey(
  db: Db,
  actor: Person,
  { id, sso }: { id: number; sso: SignOn },
  tell: (tx: Db, passkey: Passkey) => void,
): Passkey | 'last-way-in' | undefined {
  return write(db, actor, (tx) => {
    const passkey = findPasskey(tx, actor.userId, id)
    if (!passkey) return undefined
    if (!hasWayIn(tx, actor.userId, sso, { passkey: id })) return 'last-way-in'
    tx.delete(passkeys).where(eq(passkeys.id, id)).run()
    record(tx, actor, { kind: 'user.passkey-removed', userId: actor.userId })
    tell(tx, passkey)
    return passkey
  })
}

/** Removes all of a user; returns how many there were. In the caller’s transaction. */
export function dropPasskeys(tx: Db, userId: UserId): number {
  return tx.delete(passkeys).where(eq(passkeys.userId, userId)).run().changes
}

/**
 * Notes a use that was proved right. 'counter-fell' where the authenticator counts and did not count on: two have the same key.
 * Undefined where it was removed since, or its user disabled.
 */
export function notePasskeyUse(
  db: Db,
  actor: Actor,
  { passkey: { id, credentialId, host }, use: { counter, backedUp } }: { passkey: Passkey; use: PasskeyUse },
  tellFallen: (tx: Db) => void,
): 'saved' | 'counter-fell' | undefined {
  return write(db, actor, (tx) => {
    const { passkey, user } = findCredential(tx, credentialId, host) ?? {}
    if (!passkey || user?.disabledAt !== null) return undefined
    if (counter <= passkey.counter && !(counter === 0 && passkey.counter === 0)) {
      tellFallen(tx)
      return 'counter-fell'
    }
    tx.update(passkeys).set({ counter, backedUp, lastUsedAt: actor.at }).where(eq(passkeys.id, id)).run()
    return 'saved'
  })
}
