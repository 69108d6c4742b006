import { and, asc, count, desc, gte, lt, type Placeholder, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Db } from './open.ts'
import { preparedAs } from './prepared.ts'
import { whileUnwritten } from './totals.ts'

// Lists page by keys: a page begins after the last row of the one before it (or ends before its first),
// wherever that is in the list, so that page 4,000 costs what page 1 costs, and a row that is added or
// removed moves no other row to another page.

/** For a download: a time in UTC (ISO 8601), or nothing. */
export const isoTime = (at: number | null) => (at === null ? null : new Date(at).toISOString())

/** A column that a list can be sorted by. An index has to begin with the list’s tenant and go on with it. */
export type Sort<Row> = {
  words: string
  column: SQLiteColumn
  order: 'asc' | 'desc'
  value: (row: Row) => string | number
}

/** A filter’s values with their words, or the kind of value that it takes. */
export type Filter = Record<string, string> | 'day' | 'text'

/** The heading of a column of a page’s table: its words, and the style sheet's classes for all its cells. */
export type Heading = {
  head: string
  look?: string
  /** Phones show no headings: each cell says it. */
  label?: boolean
  /** The sorts that the heading leads to: the first, and from there the second. */
  sorts?: readonly [string, string?]
}

/** A column of a page’s table, of the list’s file, or of both. In files, times are in UTC (ISO 8601). */
export type Column<Row> = Partial<Heading> & { file?: (row: Row) => string | number | null }

/** What a list is: its name (a cursor names it), its sorts (the first is the default) and its filters. */
export type ListSpec<Row, Filters extends string = string> = {
  name: string
  id: SQLiteColumn
  idOf: (row: Row) => number
  sorts: Record<string, Sort<Row>>
  columns: Record<string, Column<Row>>
  filters: Record<Filters, Filter>
}

/** `from` is how many rows come before its page, if known: it is only shown, and decides nothing. */
export type Cursor = { direction: 'after' | 'before'; value: string | number; id: number; from?: number | undefined }

/** The columns of a list’s file: their names, and how their cells are made. */
export function fileColumns<Row>({ columns }: Pick<ListSpec<Row>, 'columns'>) {
  return Object.entries(columns).flatMap(([name, { file }]) => (file ? [{ name, cell: file }] : []))
}

/** What a list is asked for. Filters that are not used are empty. */
export type ListQuery<Filters extends string = string> = {
  q: string
  filters: Record<Filters, string>
  /** What is wrong with a filter that somebody typed; it is left out then. */
  errors: Record<string, string>
  sort: string
  size: number
  cursor: Cursor | undefined
  remembered?: boolean // An address that says nothing shows it otherwise than at first.
  /** The reader's saved views, where the list can have any: the address's query of each, if the list still knows all in it. */
  saved?: { id: number; name: string; query: string | undefined }[]
}

/**
 * A page of a list: never the whole, always with how many there are, as far as they are counted. `cursor` is
 * where the page really begins: undefined if the requested page is empty now, and the last page replaces it.
 */
export type List<Row> = ListQuery & {
  spec: ListSpec<never>
  rows: Row[]
  total: number
  /** There are more than `total`: counting all of them would cost more than the page. */
  more: boolean
  /** How many rows come before this page; undefined if unknown. */
  from: number | undefined
  previous: Cursor | undefined
  next: Cursor | undefined
}

/** The beginning of a day such as 2026-11-24 (UTC) in milliseconds; undefined for any other text. */
export function dayAt(text: string): number | undefined {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

/** A time between these days, the last one included. */
export function betweenDays(column: SQLiteColumn, from: string, until: string): SQL | undefined {
  const [first, last] = [dayAt(from), dayAt(until)]
  return and(
    first === undefined ? undefined : gte(column, first),
    last === undefined ? undefined : lt(column, last + 24 * 3_600_000),
  )
}

/** How a page is read: the condition of its place in the list and of what narrows it, its order, and how many rows. */
export type PageOf = { where: SQL | undefined; orderBy: SQL[]; limit: Placeholder<'limit'> }

type Runs<Raw> = { prepare: () => { all: (values?: Record<string, unknown>) => Raw[] } }

/** How a list is read. Its queries hold its tenant as placeholders: they are built once, and again only for what narrows it. */
export type Source<Raw, Row> = {
  /** The placeholders' values. */
  values: Record<string, number | string>
  /** Distinguishes different queries under the list's name. */
  shape?: string
  /** The condition of a search and of filters; undefined when nothing narrows the list. */
  narrowed: SQL | undefined
  rows: (page: PageOf) => Runs<Raw>
  /** One column of the rows, to count them. */
  counted: (page: Pick<PageOf, 'where' | 'limit'>) => SQLWrapper
  /** What becomes of the rows that were read. */
  seen: (rows: Raw[]) => Row[]
}

export const pageSizes = [25, 50, 100] as const

/** So many rows are counted, and of those that a search or filter has to find. */
const counted = 10_000
const countedOfFound = 1_000

/** The first rows of a list in its default order. */
export function firstPage<Filters extends string>(
  spec: ListSpec<never, Filters>,
  size: number = pageSizes[0],
): ListQuery<Filters> {
  const filters = Object.fromEntries(Object.keys(spec.filters).map((name) => [name, ''])) as Record<Filters, string>
  return { q: '', filters, errors: {}, sort: Object.keys(spec.sorts)[0] ?? '', size, cursor: undefined }
}

/** Reads a page of a list, and counts the list. */
export function readPage<Raw, Row>(db: Db, spec: ListSpec<Row>, query: ListQuery, source: Source<Raw, Row>): List<Row> {
  const sort = spec.sorts[query.sort]
  if (!sort) throw new Error(`${spec.name} cannot be sorted by ${query.sort}`)
  const { size } = query
  const { values, narrowed, shape = '' } = source
  const columns = sort.column === spec.id ? [spec.id] : [sort.column, spec.id]
  const limit = sql.placeholder('limit')

  const rowsFrom = (cursor: Cursor | undefined, backwards: boolean): Row[] => {
    const descending = (sort.order === 'desc') !== backwards
    const read = () =>
      source
        .rows({
          where: and(cursor && beyond(columns, descending), narrowed),
          orderBy: columns.map((column) => (descending ? desc(column) : asc(column))),
          limit,
        })
        .prepare()
    const kind = [spec.name, shape, query.sort, cursor ? 'from a row' : 'from the end', backwards].join(' ')
    return source.seen(
      (narrowed ? read() : preparedAs(db, `rows of ${kind}`, read)).all({
        ...values,
        limit: size + 1,
        ...(cursor ? { at: cursor.value, after: cursor.id } : {}),
      }),
    )
  }
  let { cursor } = query
  let backwards = cursor?.direction === 'before'
  let found = rowsFrom(cursor, backwards)
  // All rows of this page are gone: the page at that end of the list replaces it.
  if (cursor && found.length === 0) {
    cursor = undefined
    backwards = !backwards
    found = rowsFrom(cursor, backwards)
  }
  const rows = found.slice(0, size)
  if (backwards) rows.reverse()
  const more = found.length > size
  const [first, last] = [rows[0], rows.at(-1)]
  const cursorAt = (row: Row, direction: Cursor['direction'], from: number | undefined): Cursor => ({
    direction,
    value: sort.value(row),
    id: spec.idOf(row),
    from,
  })

  const most = narrowed ? countedOfFound : counted
  const total = !cursor && !more ? rows.length : countList(db, `count of ${spec.name} ${shape}`, source, most + 1)
  // A page that reaches the start of the list begins there, whatever its cursor says: rows come and go.
  const atStart = backwards ? !more : cursor === undefined
  const from = atStart ? 0 : cursor ? cursor.from : total > most ? undefined : total - rows.length
  const beforeIt = from === undefined ? undefined : Math.max(0, from - size)
  const behindIt = from === undefined ? undefined : from + rows.length
  return {
    ...query,
    cursor,
    spec,
    rows,
    total: Math.min(total, most),
    more: total > most,
    from,
    previous: first && (backwards ? more : cursor !== undefined) ? cursorAt(first, 'before', beforeIt) : undefined,
    next: last && (backwards ? cursor !== undefined : more) ? cursorAt(last, 'after', behindIt) : undefined,
  }
}

/** How many rows a list has, counted up to a limit; in memory until something is written, where nothing narrows it. */
function countList<Raw, Row>(db: Db, named: string, source: Source<Raw, Row>, limit: number): number {
  const { values, narrowed } = source
  const counting = () =>
    db
      .select({ n: count() })
      .from(sql`${source.counted({ where: narrowed, limit: sql.placeholder('limit') })}`)
      .prepare()
  const given = { ...values, limit }
  if (narrowed) return counting().get(given)?.n ?? 0
  return whileUnwritten(
    db,
    `${named} ${Object.values(values)}`,
    () => preparedAs(db, named, counting).get(given)?.n ?? 0,
  )
}

/** Behind the row that a cursor names, in this order. */
function beyond(columns: SQLiteColumn[], descending: boolean): SQL {
  const left = sql.join(columns, sql`, `)
  const [at, after] = [sql.placeholder('at'), sql.placeholder('after')]
  const right = columns.length === 1 ? sql`${after}` : sql`${at}, ${after}`
  return descending ? sql`(${left}) < (${right})` : sql`(${left}) > (${right})`
}

/** Every row of a list as it is filtered, read page by page: for a file. */
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
