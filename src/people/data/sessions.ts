import { and, eq, ne } from 'drizzle-orm'
import type { UserId } from '../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, placeholdersOf } from '../../db/prepared.ts'
import { sessions } from '../../db/schema.ts'
import { type Actor, type Person, record } from '../../records/record.ts'

export type OwnSession = {
  id: number
  current: boolean
  createdAt: number
  lastSeenAt: number
  ip: string
  browser: string
  newBrowser: boolean
}

export const sessionList = {
  name: 'sessions',
  id: sessions.id,
  idOf: (session) => session.id,
  sorts: { begun: { words: 'Newest first', column: sessions.id, order: 'desc', value: (session) => session.id } },
  columns: {
    browser: { head: 'Browser', look: 'main', file: ({ browser }) => browser },
    address: { file: ({ ip }) => ip },
    'last used': { head: 'Last used', look: 'muted', label: true, file: ({ lastSeenAt }) => isoTime(lastSeenAt) },
    began: { head: 'Began', look: 'wide muted', file: ({ createdAt }) => isoTime(createdAt) },
  },
  filters: {},
} as const satisfies ListSpec<OwnSession>

/** A user’s sessions, the newest first; `current` is the one with this hash. */
export function listSessions(db: Db, userId: UserId, currentHash: string, query: ListQuery): List<OwnSession> {
  const values = { userId }
  const condition = equals(sessions.userId, placeholdersOf(values).userId)
  return readPage(db, sessionList, query, {
    values,
    narrowed: undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select()
        .from(sessions)
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: sessions.id }).from(sessions).where(and(condition, where)).limit(limit),
    seen: (rows) =>
      rows.map(({ hash, userId, activeAccountId, ...session }) => ({ ...session, current: hash === currentHash })),
  })
}

/** Ends one of the actor’s own sessions. False when it is none of theirs. */
export function endSession(db: Db, actor: Person, id: number): boolean {
  return write(db, actor, (tx) => {
    const ended = tx
      .delete(sessions)
      .where(and(eq(sessions.id, id), eq(sessions.userId, actor.userId)))
      .run().changes
    if (ended)
      record(tx, actor, { kind: 'user.sessions-ended', userId: actor.userId, change: { sessions: [ended, 0] } })
    return ended === 1
  })
}

/** Ends the actor’s own sessions except the current one; returns how many. */
export function endOtherSessions(db: Db, actor: Person, currentHash: string): number {
  return write(db, actor, (tx) => {
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
export function endSessions(db: Db, actor: Actor, userId: UserId): number {
  return write(db, actor, (tx) => {
    const ended = tx.delete(sessions).where(eq(sessions.userId, userId)).run().changes
    if (ended) record(tx, actor, { kind: 'user.sessions-ended', userId, change: { sessions: [ended, 0] } })
    return ended
  })
}
