import { and, eq, inArray, isNotNull, isNull } from 'drizzle-orm'
import type { AccountId, UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { identities, sessions, users } from '../../db/schema.ts'
import { type Actor, type Person, record } from '../../records/record.ts'
import { hasWayIn, type SignOn } from '../ways-in/data.ts'

export type Identity = typeof identities.$inferSelect

/** Who somebody is at a provider: its number for them, never an e-mail. */
export type ProvidersUser = { issuer: string; subject: string }

/** A user’s own identity at this provider. */
export function findOwnIdentity(db: Db, userId: UserId, issuer: string): Identity | undefined {
  return db
    .select()
    .from(identities)
    .where(and(eq(identities.userId, userId), eq(identities.issuer, issuer)))
    .get()
}

/** All of a user, those at an earlier provider among them. */
export function listIdentities(db: Db, userId: UserId): Identity[] {
  return db.select().from(identities).where(eq(identities.userId, userId)).all()
}

/** A known identity, and whose it is. */
export function findIdentity(db: Db, { issuer, subject }: ProvidersUser) {
  return db
    .select({ identity: identities, user: users })
    .from(identities)
    .innerJoin(users, eq(users.id, identities.userId))
    .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject)))
    .get()
}

/** Connects a user with an identity, in the caller’s transaction. Undefined where either is connected already. */
export function putIdentity(tx: Db, actor: Person, { issuer, subject }: ProvidersUser): Identity | undefined {
  const { userId, at } = actor
  const [added] = tx
    .insert(identities)
    .values({ issuer, subject, userId, createdAt: at })
    .onConflictDoNothing()
    .returning()
    .all()
  if (added) record(tx, actor, { kind: 'user.sso-connected', userId })
  return added
}

/** Connects the actor with an identity. 'taken' where it is another user’s, 'too-many' where the actor has another one there. */
export function connectIdentity(
  db: Db,
  actor: Person,
  who: ProvidersUser,
  tell: (tx: Db) => void,
): 'saved' | 'unchanged' | 'taken' | 'too-many' {
  return write(db, actor, (tx) => {
    const known = findIdentity(tx, who)
    if (known) return known.user.id === actor.userId ? 'unchanged' : 'taken'
    if (!putIdentity(tx, actor, who)) return 'too-many'
    tell(tx)
    return 'saved'
  })
}

/**
 * Removes the actor’s identity at this provider, and ends the sessions that it began, except the one that asks. Undefined
 * where there is none.
 */
export function disconnectIdentity(
  db: Db,
  actor: Person,
  { sso, sessionHash }: { sso: NonNullable<SignOn>; sessionHash: string },
  tell: (tx: Db) => void,
): 'deleted' | 'last-way-in' | undefined {
  return write(db, actor, (tx) => {
    const identity = findOwnIdentity(tx, actor.userId, sso.issuer)
    if (!identity) return undefined
    if (!hasWayIn(tx, actor.userId, sso, { identity: identity.id })) return 'last-way-in'
    tx.update(sessions)
      .set({ identityId: null, ssoSid: null, ssoFactors: false })
      .where(and(eq(sessions.hash, sessionHash), eq(sessions.identityId, identity.id)))
      .run()
    dropRows(tx, [identity])
    record(tx, actor, { kind: 'user.sso-disconnected', userId: actor.userId })
    tell(tx)
    return 'deleted'
  })
}

/** Removes all identities of a user, and the sessions that they began; returns how many there were. In the caller’s transaction. */
export function dropIdentities(tx: Db, userId: UserId): number {
  return dropRows(tx, listIdentities(tx, userId))
}

function dropRows(tx: Db, rows: Identity[]): number {
  const ids = rows.map(({ id }) => id)
  tx.delete(sessions).where(inArray(sessions.identityId, ids)).run()
  return tx.delete(identities).where(inArray(identities.id, ids)).run().changes
}

/** By whose provider a session was begun: an account’s, or (null) the installation’s. Undefined where by neither. */
export function beganBySso(db: Db, sessionHash: string): { accountId: AccountId | null } | undefined {
  const begun = and(eq(sessions.hash, sessionHash), isNotNull(sessions.identityId))
  return db.select({ accountId: sessions.ssoAccountId }).from(sessions).where(begun).get()
}

/** What a provider says has ended: of the account’s people where it is an account’s, else (null) of the installation’s. */
export type ProvidersEnd = {
  issuer: string
  subject: string | undefined
  sid: string | undefined
  accountId: AccountId | null
}

/**
 * Ends the sessions that belong to a session of the provider, or to one of its users: what its log-out names. Returns how
 * many there were.
 */
export function endSsoSessions(db: Db, actor: Actor, { issuer, subject, sid, accountId }: ProvidersEnd): number {
  return write(db, actor, (tx) => {
    const rows = tx
      .select({ id: sessions.id, userId: sessions.userId })
      .from(sessions)
      .innerJoin(identities, eq(identities.id, sessions.identityId))
      .where(
        and(
          eq(identities.issuer, issuer),
          accountId === null ? isNull(sessions.ssoAccountId) : eq(sessions.ssoAccountId, accountId),
          subject === undefined ? undefined : eq(identities.subject, subject),
          sid === undefined ? undefined : eq(sessions.ssoSid, sid),
        ),
      )
      .all()
    for (const userId of new Set(rows.map((row) => row.userId))) {
      const ended = rows.filter((row) => row.userId === userId).map(({ id }) => id)
      tx.delete(sessions).where(inArray(sessions.id, ended)).run()
      record(tx, actor, { kind: 'user.sessions-ended', userId, change: { sessions: [ended.length, 0] } })
    }
    return rows.length
  })
}
