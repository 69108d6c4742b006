import { and, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { fold } from './fold.ts'

/** A condition on a `search` column: every word of the query is found in it, at any place. */
export function matches(column: SQLiteColumn, query: string): SQL | undefined {
  const words = fold(query).split(/\s+/).filter(Boolean)
  return and(...words.map((word) => sql`instr(${column}, ${word}) > 0`))
}
