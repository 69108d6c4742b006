import { and, desc, eq, ne, sql } from 'drizzle-orm'
import type { User } from '../accounts/data.ts'
import { searchText } from '../db/fold.ts'
import { type Db, write } from '../db/open.ts'
import { emailChanges, sessions, users } from '../db/schema.ts'
import { type Actor, type Person, record } from '../history/record.ts'
import { emailKey } from '../web/fields.ts'

export function findUserByEmail(db: Db, email: string): User | undefined {
  return db
    .select()
    .from(users)
    .where(eq(users.emailKey, emailKey(email)))
    .get()
}

export type NewUser = { email: string; name: string; passwordHash: string; operator?: boolean }

/** Undefined when somebody has this e-mail already, in any spelling. */
export function createUser(
  tx: Db,
  actor: Actor,
  { email, name, passwordHash, operator = false }: NewUser,
): User | undefined {
  const [user] = tx
    .insert(users)
    .values({
      email,
      emailKey: emailKey(email),
      name,
      search: searchText(name, email),
      passwordHash,
      operator,
      createdAt: actor.at,
    })
    .onConflictDoNothing({ target: users.emailKey })
    .returning()
    .all()
  if (user) record(tx, { ...actor, userId: actor.userId ?? user.id }, { kind: 'user.created', userId: user.id })
  return user
}

/** Creates the installation's first operator. Undefined once there is one. */
export function createFirstOperator(db: Db, actor: Actor, user: NewUser): User | undefined {
  return write(db, (tx) => (hasOperator(tx) ? undefined : createUser(tx, actor, { ...user, operator: true })))
}

export function hasOperator(db: Db): boolean {
  return db.select({ id: users.id }).from(users).where(eq(users.operator, true)).limit(1).get() !== undefined
}

export function noteLogIn(db: Db, userId: number, at: number): void {
  db.update(users).set({ lastLogInAt: at }).where(eq(users.id, userId)).run()
}

/** Renames a user. Undefined when it is no longer at the version that the edit was made on. */
export function renameUser(
  db: Db,
  actor: Actor,
  userId: number,
  name: string,
  version: number,
): 'saved' | 'unchanged' | undefined {
  return write(db, (tx) => {
    const before = tx
      .select()
      .from(users)
      .where(and(eq(users.id, userId), eq(users.version, version)))
      .get()
    if (!before) return undefined
    if (before.name === name) return 'unchanged'
    tx.update(users)
      .set({ name, search: searchText(name, before.email), version: sql`${users.version} + 1` })
      .where(eq(users.id, userId))
      .run()
    const personal = { field: 'name', before: before.name, after: name } as const
    record(tx, actor, { kind: 'user.renamed', userId, personal })
    return 'saved'
  })
}

/** Sets the password, and ends all sessions of the user and what was asked for in them. In the caller’s transaction. */
export function setPassword(tx: Db, actor: Actor, userId: number, passwordHash: string): void {
  tx.update(users).set({ passwordHash }).where(eq(users.id, userId)).run()
  tx.delete(sessions).where(eq(sessions.userId, userId)).run()
  tx.delete(emailChanges).where(eq(emailChanges.userId, userId)).run()
  record(tx, actor, { kind: 'user.password-changed', userId })
}

/** Disables a user and ends all sessions, or enables one. False when nothing changed. */
export function setDisabled(db: Db, actor: Actor, userId: number, disabled: boolean): boolean {
  return write(db, (tx) => {
    const user = tx.select().from(users).where(eq(users.id, userId)).get()
    if (!user || (user.disabledAt !== null) === disabled) return false
    tx.update(users)
      .set({ disabledAt: disabled ? actor.at : null })
      .where(eq(users.id, userId))
      .run()
    if (disabled) tx.delete(sessions).where(eq(sessions.userId, userId)).run()
    record(tx, actor, { kind: disabled ? 'user.disabled' : 'user.enabled', userId })
    return true
  })
}

export type OwnSession = {
  id: number
  current: boolean
  createdAt: number
  lastSeenAt: number
  ip: string
  browser: string
}

/** A user’s sessions, the last used first; `current` is the one with this hash. */
export function listSessions(db: Db, userId: number, currentHash: string): OwnSession[] {
  return db
    .select()
    .from(sessions)
    .where(eq(sessions.userId, userId))
    .orderBy(desc(sessions.lastSeenAt))
    .limit(50)
    .all()
    .map(({ hash, userId, activeAccountId, ...session }) => ({ ...session, current: hash === currentHash }))
}

/** Ends one of the actor’s own sessions. False when it is none of theirs. */
export function endSession(db: Db, actor: Person, id: number): boolean {
  return write(db, (tx) => {
    const ended = tx
      .delete(sessions)
      .where(and(eq(sessions.id, id), eq(sessions.userId, actor.userId)))
      .run().changes
    if (ended)
      record(tx, actor, { kind: 'user.sessions-ended', userId: actor.userId, change: { sessions: [ended, 0] } })
    return ended === 1
  })
}

/** Ends the actor’s own sessions but for the current one; returns how many. */
export function endOtherSessions(db: Db, actor: Person, currentHash: string): number {
  return write(db, (tx) => {
    const ended = tx
      .delete(sessions)
      .where(and(eq(sessions.userId, actor.userId), ne(sessions.hash, currentHash)))
      .run().changes
    if (ended)
      record(tx, actor, { kind: 'user.sessions-ended', userId: actor.userId, change: { sessions: [ended, 0] } })
    return ended
  })
}

/** Ends all sessions of a user; returns how many there were. */
export function endSessions(db: Db, actor: Actor, userId: number): number {
  return write(db, (tx) => {
    const ended = tx.delete(sessions).where(eq(sessions.userId, userId)).run().changes
    if (ended) record(tx, actor, { kind: 'user.sessions-ended', userId, change: { sessions: [ended, 0] } })
    return ended
  })
}

export function findUser(db: Db, userId: number): User | undefined {
  return db.select().from(users).where(eq(users.id, userId)).get()
}
