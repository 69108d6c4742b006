import { and, count, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Source } from './list.ts'
import type { Db } from './open.ts'
import { preparedAs } from './prepared.ts'
import { type Order, readInParts } from './turns.ts'
import { untilWritten } from './unchanged.ts'

/** Counts the rows of a query, which ends after as many as have to be counted. */
export function countRows(db: Db, rows: SQLWrapper): number {
  return db.get<{ n: number }>(sql`select count(*) as n from ${rows}`).n
}

/** An earlier count, if nothing has been written since, by this process or another. */
export const keptCount = untilWritten<number>()

/** So many rows are counted for the tab of a list. */
const mostOfTab = 10_000

/** How many rows a tab shows, and whether there are more. `key` names the count; nothing is counted anew until something is written. */
export function countForTab(db: Db, key: string, rows: () => { limit: (most: number) => SQLWrapper }) {
  const n = keptCount(db, key, () => countRows(db, rows().limit(mostOfTab + 1)))
  return { n: Math.min(n, mostOfTab), more: n > mostOfTab }
}

/** So few rows are read one by one and then sorted, instead of being looked for in the list's order among all others. */
export const isFew = ({ n }: { n: number }) => n <= 500

/** Counts the rows of a table that meet a condition, all of them. */
export function countWhere(db: Db, table: SQLiteTable, where: SQL | undefined): number {
  return db.select({ n: count() }).from(table).where(where).get()?.n ?? 0
}

/** How many rows a list has, counted up to a limit; in memory until something is written, where nothing narrows it. */
export function* countList<Raw, Row>(
  ...[db, named, source, most, order]: [Db, string, Source<Raw, Row>, number, Order]
): Generator<void, number> {
  const { values, narrowed, among } = source
  const counting = (part?: SQL) =>
    db
      .select({ n: count() })
      .from(sql`${source.counted({ where: and(part, narrowed), limit: sql.placeholder('limit') })}`)
      .prepare()
  const given = { ...values, limit: most }
  if (narrowed && among)
    return yield* readInParts(
      db,
      { ...among, ...order, values, start: undefined, most },
      (part, left) => counting(part).get({ ...values, limit: left })?.n ?? 0,
    )
  if (narrowed) return counting().get(given)?.n ?? 0
  return keptCount(db, `${named} ${Object.values(values)}`, () => preparedAs(db, named, counting).get(given)?.n ?? 0)
}
