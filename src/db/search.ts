import { and, type Placeholder, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { fold } from './fold.ts'
import type { Db } from './open.ts'

// A search finds every word of it at any place of a row’s `search` text. Rare words are looked up in an
// index of trigrams (FTS5), frequent and short ones are found fast by reading rows in the list’s order.

/** The tables with an index of their `search` texts, kept by triggers. */
export type Searched = 'accounts' | 'users' | 'projects' | 'invitations' | 'letters'

/** A search with so many candidates in the whole installation is frequent. */
const frequent = 500
/** So many trigrams narrow a search down; the words themselves are compared anyway. */
const mostTrigrams = 24
/** A trigram of more rows narrows little down, and takes long to read: it is left out where others narrow more. */
const wide = 20_000

/** A condition on a row of this table, by its id and its `search` column. Undefined for an empty search. */
export function matches(db: Db, table: Searched, id: SQLiteColumn, text: SQLiteColumn, q: string): SQL | undefined {
  const words = wordsOf(q)
  if (words.length === 0) return undefined
  const ids = candidates(db, table, words)
  return and(ids && isOneOf(id, ids), ...words.map((word) => sql`instr(${text}, ${word}) > 0`))
}

/** The ids of all rows that match, in the whole installation; undefined where these may be many. */
export function findMatches(db: Db, table: Searched, q: string): number[] | undefined {
  const words = wordsOf(q)
  const ids = candidates(db, table, words)
  if (!ids) return undefined
  const found = and(isOneOf(sql`id`, ids), ...words.map((word) => sql`instr(search, ${word}) > 0`))
  return db.all<{ id: number }>(sql`select id from ${sql.identifier(table)} where ${found}`).map(({ id }) => id)
}

/** Whether a column holds one of these ids, however many they are: a placeholder stands for them as JSON. */
export function isOneOf(column: SQLWrapper, ids: number[] | Placeholder): SQL {
  return sql`${column} in (select value from json_each(${Array.isArray(ids) ? JSON.stringify(ids) : ids}))`
}

function wordsOf(q: string): string[] {
  return fold(q)
    .replaceAll(/\p{Cc}/gu, ' ')
    .split(/\s+/)
    .filter(Boolean)
}

/** The ids of the rows with all trigrams of these words; undefined where these are many, or the words too short. */
function candidates(db: Db, table: Searched, words: string[]): number[] | undefined {
  const trigrams = words.flatMap((word) => {
    const letters = [...word]
    return letters.slice(2).map(
      (_, n) =>
        `"${letters
          .slice(n, n + 3)
          .join('')
          .replaceAll('"', '""')}"`,
    )
  })
  if (trigrams.length === 0) return undefined
  const index = sql.identifier(`${table}_index`)
  const matching = (wanted: string, most: number) =>
    sql`select rowid as id from ${index} where ${index} match ${wanted} limit ${most}`
  const wanted = [...new Set(trigrams)].slice(0, mostTrigrams)
  const narrow = wanted.filter((trigram) => {
    const found = db.get<{ n: number }>(sql`select count(*) as n from (${matching(trigram, wide)})`).n
    return found < wide
  })
  const rows = db.all<{ id: number }>(matching((narrow.length > 0 ? narrow : wanted).join(' AND '), frequent + 1))
  return rows.length > frequent ? undefined : rows.map(({ id }) => id)
}
