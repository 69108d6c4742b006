import { and, asc, eq, gt, lte, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { equals, type Placeholders, prepared } from '../db/prepared.ts'
import { letters } from '../db/schema.ts'
import { findLetter } from './listing.ts'
import { type LetterRow, priorities } from './outbox.ts'
import { minute } from './pace.ts'

/** Between two tries of one e-mail, in milliseconds. */
export const longestPause = 6 * 60 * minute

// The literal lets SQLite use the index of those that wait; it holds each class in the order of being due.
const waits = sql`${letters.state} = 'waiting'`

const dueOf = prepared(
  (
    db,
    { priority, until, after, most }: Placeholders<{ priority: number; until: number; after: number; most: number }>,
  ) =>
    db
      .select({ id: letters.id })
      .from(letters)
      .where(and(waits, equals(letters.priority, priority), lte(letters.dueAt, until), gt(letters.dueAt, after)))
      .orderBy(asc(letters.dueAt), asc(letters.id))
      .limit(most)
      .prepare(),
)

const dueAtOf = prepared((db, { priority, most }: Placeholders<{ priority: number; most: number }>) =>
  db
    .select({ id: letters.id, at: letters.dueAt })
    .from(letters)
    .where(and(waits, equals(letters.priority, priority)))
    .orderBy(asc(letters.dueAt))
    .limit(most)
    .prepare(),
)

/** When the next but those is due: infinite without one. */
export function nextDueAt(db: Db, without: Set<number>): number {
  const most = without.size + 1
  const nextOf = (priority: number) =>
    dueAtOf(db)
      .all({ priority, most })
      .find(({ id }) => !without.has(id))
  return Math.min(...Object.values(priorities).map((priority) => nextOf(priority)?.at ?? Number.POSITIVE_INFINITY))
}

/** The first that is due but those: what somebody waits for goes ahead. */
export function nextDue(db: Db, now: number, without: Set<number>): LetterRow | undefined {
  const first = (priority: number, after: number, until: number) =>
    dueOf(db)
      .all({ priority, after, until, most: without.size + 1 })
      .find(({ id }) => !without.has(id))
  for (const priority of Object.values(priorities)) {
    // A clock that was ahead makes none wait longer than the longest pause.
    const next = first(priority, 0, now) ?? first(priority, now + longestPause, Number.MAX_SAFE_INTEGER)
    if (next) return findLetter(db, next.id)
  }
  return undefined
}

export function isWaiting(db: Db, { id }: LetterRow): boolean {
  return db.select({ state: letters.state }).from(letters).where(eq(letters.id, id)).get()?.state === 'waiting'
}
