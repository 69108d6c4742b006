import { and, eq, isNotNull } from 'drizzle-orm'
import { countRows } from '../db/counting.ts'
import { betweenDays, isoTime, type List, type ListQuery, type ListSpec, readPage } from '../db/list.ts'
import type { Db } from '../db/open.ts'
import { letters } from '../db/schema.ts'
import { matches } from '../db/search.ts'
import type { LetterRow } from './outbox.ts'

export const letterList = {
  name: 'letters',
  id: letters.id,
  idOf: (letter) => letter.id,
  sorts: {
    written: { words: 'Newest first', column: letters.createdAt, order: 'desc', value: (letter) => letter.createdAt },
  },
  columns: {
    name: { file: ({ name }) => name },
    'e-mail': { file: ({ email }) => email },
    subject: { head: 'Subject', look: 'main', file: ({ subject }) => subject },
    to: { head: 'To', look: 'trim' },
    state: { head: 'State', look: 'trim', file: ({ state }) => state },
    error: { file: ({ error }) => error },
    written: { head: 'Written', look: 'wide muted', file: ({ createdAt }) => isoTime(createdAt) },
    done: { file: ({ doneAt }) => isoTime(doneAt) },
  },
  filters: {
    state: { waiting: 'Waiting', sent: 'Sent', kept: 'Kept', failed: 'Failed', withdrawn: 'Withdrawn' },
    from: 'day',
    until: 'day',
  },
} as const satisfies ListSpec<LetterRow>

export type LetterFilter = keyof typeof letterList.filters

/** All, or those to one address. */
export function listLetters(db: Db, query: ListQuery<LetterFilter>, email?: string): List<LetterRow> {
  const { state, from, until } = query.filters
  const condition = and(
    email === undefined ? undefined : eq(letters.email, email),
    matches(db, { table: 'letters', id: letters.id, text: letters.search }, query.q),
    state ? eq(letters.state, state as LetterRow['state']) : undefined,
    betweenDays(letters.createdAt, from, until),
  )
  return readPage(db, letterList, query, {
    values: {},
    narrowed: condition,
    rows: ({ where, orderBy, limit }) =>
      db
        .select()
        .from(letters)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) => db.select({ one: letters.id }).from(letters).where(where).limit(limit),
    seen: (rows) => rows,
  })
}

/** How many e-mails have failed and can still be sent: at most a hundred thousand are counted. */
export function countFailed(db: Db): number {
  return countRows(db, db.select({ one: letters.id }).from(letters).where(canGoAgain).limit(100_000))
}

export function findLetter(db: Db, id: number): LetterRow | undefined {
  return db.select().from(letters).where(eq(letters.id, id)).get()
}

export const canGoAgain = and(eq(letters.state, 'failed'), isNotNull(letters.body))
