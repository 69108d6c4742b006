import { count, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Db } from './open.ts'
import { whileUnwritten } from './totals.ts'

/** Counts the rows of a query, which ends after as many as have to be counted. */
export function countRows(db: Db, rows: SQLWrapper): number {
  return db.get<{ n: number }>(sql`select count(*) as n from ${rows}`).n
}

/** So many rows are counted for the tab of a list. */
const mostOfTab = 10_000

/** How many rows a tab shows, and whether there are more. `key` names the count; nothing is counted anew until something is written. */
export function countForTab(db: Db, key: string, rows: { limit: (most: number) => SQLWrapper }) {
  const n = whileUnwritten(db, key, () => countRows(db, rows.limit(mostOfTab + 1)))
  return { n: Math.min(n, mostOfTab), more: n > mostOfTab }
}

/** So few rows are read one by one and then sorted, instead of being looked for in the list's order among all others. */
export const isFew = ({ n }: { n: number }) => n <= 500

/** Counts the rows of a table that meet a condition, all of them. */
export function countWhere(db: Db, table: SQLiteTable, where: SQL | undefined): number {
  return db.select({ n: count() }).from(table).where(where).get()?.n ?? 0
}
