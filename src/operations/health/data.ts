import { and, eq, gt, max, min } from 'drizzle-orm'
import { countRows } from '../../db/counting.ts'
import type { Db } from '../../db/open.ts'
import { letters, sessions } from '../../db/schema.ts'

/** Counts end there, so that a look costs the same at any size: this number means as many or more. */
export const mostCounted = 100_000

const { enumValues: letterStates } = letters.state

export type LetterCounts = { state: string; letters: number }[]

export function countLetters(db: Db): LetterCounts {
  return letterStates.map((state) => ({
    state,
    letters: countRows(
      db,
      db.select({ one: letters.id }).from(letters).where(eq(letters.state, state)).limit(mostCounted),
    ),
  }))
}

/** When the letter was written that has waited longest, in milliseconds since 1970. */
export function oldestWaitingLetter(db: Db): number | undefined {
  const oldest = db
    .select({ at: min(letters.createdAt) })
    .from(letters)
    .where(eq(letters.state, 'waiting'))
    .get()
  return oldest?.at ?? undefined
}

/** When the first e-mail was written that was not sent, and none after it was; undefined where e-mails are sent. */
export function mailFailsSince(db: Db): number | undefined {
  const ofState = (state: 'sent' | 'waiting' | 'failed') => eq(letters.state, state)
  const last = db
    .select({ at: max(letters.createdAt) })
    .from(letters)
    .where(ofState('sent'))
    .get()
  const firsts = (['waiting', 'failed'] as const).map(
    (state) =>
      db
        .select({ at: min(letters.createdAt) })
        .from(letters)
        .where(and(ofState(state), gt(letters.createdAt, last?.at ?? 0)))
        .get()?.at ?? Number.POSITIVE_INFINITY,
  )
  const first = Math.min(...firsts)
  return Number.isFinite(first) ? first : undefined
}

/** Sessions used since then. */
export function countSessions(db: Db, since: number): number {
  return countRows(
    db,
    db.select({ one: sessions.id }).from(sessions).where(gt(sessions.lastSeenAt, since)).limit(mostCounted),
  )
}

/** Throws when the database cannot be read. */
export function readAnything(db: Db): void {
  db.select({ one: sessions.id }).from(sessions).limit(1).get()
}
