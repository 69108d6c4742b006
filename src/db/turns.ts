import { setImmediate as turn } from 'node:timers/promises'
import { and, asc, desc, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Cursor, List, ListQuery } from './list.ts'
import type { Db } from './open.ts'

// Where a search or a filter leaves few rows of a large list, and no index knows which, many rows are looked at to find
// a page of them. That is done a part of the list at a time, and other requests have their turn between the parts.

/** Milliseconds until others have their turn, and of a part. */
const longestTurn = 5
const longestPart = 3
/** Rows that are looked at first, and at least and at most in a part. */
const firstPart = 2_000
const [smallestPart, largestPart] = [250, 100_000]

/** What is left to do of a page. */
export type StepsLeft = { steps?: Generator<void, List<unknown>> }

/** The order of a list: a column and the id, or the id alone. */
export type Order = { columns: SQLiteColumn[]; descending: boolean }

/** Reads a page of a list, with turns for other requests in between. After each, `stillMay` throws if the reader may no longer see it. */
export async function inTurns<Row, Filters extends string>(
  list: (query: ListQuery<Filters>) => List<Row>,
  query: ListQuery<Filters>,
  stillMay: () => void,
): Promise<List<Row>> {
  const later: StepsLeft = {}
  let page: List<Row> | undefined = list({ ...query, later })
  const { steps } = later
  if (!steps) return page
  do {
    await turn()
    stillMay()
    page = stepOn(steps as Generator<void, List<Row>>, {})
  } while (!page)
  return page
}

/** Does some steps: all of them, if none can be done later. Undefined if some are left. */
export function stepOn<Row>(steps: Generator<void, List<Row>>, later: StepsLeft | undefined): List<Row> | undefined {
  const until = performance.now() + longestTurn
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    if (later && performance.now() > until) {
      later.steps = steps
      return undefined
    }
  }
}

type Place = Pick<Cursor, 'value' | 'id'>

type Parts = Order & {
  table: SQLiteTable
  own: SQL | undefined
  values: Record<string, number | string>
  start: Place | undefined
  most: number
}

/**
 * Looks for at most so many rows, a part of the list after the other: `read` is told which, and how many are left to
 * find, and says how many it found. Returned is how many there are. Many rows may share a value, such as a name: they
 * are parts of their own, since SQLite goes to a value in an index, but not to a pair of value and id.
 */
export function* readInParts(
  db: Db,
  { table, own, columns, descending, values, start, most }: Parts,
  read: (part: SQL | undefined, left: number) => number,
): Generator<void, number> {
  const [column, id] = columns
  if (!column) throw new Error('A list has an order.')
  const behind = (which: SQLiteColumn, value: number | string) => sql`${which} ${descending ? sql`<` : sql`>`} ${value}`
  const before = (which: SQLiteColumn, value: number | string) => sql`${which} ${descending ? sql`>` : sql`<`} ${value}`
  const upTo = (which: SQLiteColumn, value: number | string) => sql`${which} ${descending ? sql`>=` : sql`<=`} ${value}`
  const orderBy = columns.map((each) => (descending ? desc(each) : asc(each)))
  const ofAll = descending ? Number.MAX_SAFE_INTEGER : -1
  let size = firstPart
  let count = 0
  let from = start
  // Among the rows that share the value of the row before.
  let isShared = start !== undefined && id !== undefined
  for (;;) {
    const began = performance.now()
    const rest =
      isShared && from && id
        ? and(sql`${column} = ${from.value}`, behind(id, from.id))
        : from && behind(column, from.value)
    const last = db
      .select({ value: sql<number | string>`${column}`, id: sql<number>`${id ?? column}` })
      .from(table)
      .where(and(own, rest))
      .orderBy(...orderBy)
      .limit(1)
      .offset(size - 1)
      .prepare()
      .get(values)
    const end =
      last && (isShared && id ? upTo(id, last.id) : id ? before(column, last.value) : upTo(column, last.value))
    count += read(and(rest, end), most - count)
    if (count >= most || (!last && !isShared)) return count
    from = last && !isShared ? { value: last.value, id: ofAll } : (last ?? from)
    isShared = id !== undefined && (last !== undefined || !isShared)
    const took = performance.now() - began
    size = Math.round(Math.min(Math.max((size * longestPart) / took, smallestPart), size * 2, largestPart))
    yield
  }
}

/** Behind a row in this order, which is said by its values. */
export function beyond(columns: SQLiteColumn[], place: SQL[], descending: boolean): SQL {
  return sql`(${sql.join(columns, sql`, `)}) ${descending ? sql`<` : sql`>`} (${sql.join(place.slice(-columns.length), sql`, `)})`
}

/** Every row of a filtered list, some at a time and in turns: for a file, whose reader's right is checked before each part. */
export async function* everyPart<Row, Filters extends string>(
  list: (query: ListQuery<Filters>) => List<Row>,
  query: ListQuery<Filters>,
): AsyncGenerator<Row[]> {
  const read = (cursor: Cursor | undefined) => inTurns(list, { ...query, size: 500, cursor }, () => {})
  let page = await read(undefined)
  yield page.rows
  while (page.next) {
    page = await read(page.next)
    // The rows behind the last page went while it was written: what stands in for them is in the file.
    if (!page.cursor) return
    yield page.rows
  }
}

/** The same at once, row by row. */
export function* everyRow<Row, Filters extends string>(
  list: (query: ListQuery<Filters>) => List<Row>,
  query: ListQuery<Filters>,
): Generator<Row> {
  let page = list({ ...query, size: 500, cursor: undefined })
  yield* page.rows
  while (page.next) {
    page = list({ ...query, size: 500, cursor: page.next })
    // The rows behind the last page went while it was written: what stands in for them is in the file.
    if (!page.cursor) return
    yield* page.rows
  }
}
