import { and, asc, desc, gte, lt, type Placeholder, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { countList } from './counting.ts'
import type { Db } from './open.ts'
import { preparedAs } from './prepared.ts'
import { beyond, type Order, readInParts, type StepsLeft, stepOn } from './turns.ts'

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
  /** It is read in turns (turns.ts). */
  later?: StepsLeft
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
  /** Where the rows are looked for, unless they are known: without what narrows them. */
  among?: { table: SQLiteTable; own: SQL | undefined } | undefined
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
  const { later, ...asked } = query
  const unread = {
    ...asked,
    spec,
    rows: [],
    total: 0,
    more: true,
    from: undefined,
    previous: undefined,
    next: undefined,
  }
  return stepOn(stepsOf(db, spec, asked, later ? source : { ...source, among: undefined }), later) ?? unread
}

/** The steps in which a page is read. */
function* stepsOf<Raw, Row>(
  ...[db, spec, query, source]: [Db, ListSpec<Row>, ListQuery, Source<Raw, Row>]
): Generator<void, List<Row>> {
  const sort = spec.sorts[query.sort]
  if (!sort) throw new Error(`${spec.name} cannot be sorted by ${query.sort}`)
  const { size } = query
  const { narrowed, shape = '' } = source
  const columns = sort.column === spec.id ? [spec.id] : [sort.column, spec.id]
  const orderOf = (backwards: boolean): Order => ({ columns, descending: (sort.order === 'desc') !== backwards })

  const rowsFrom = (cursor: Cursor | undefined, backwards: boolean) =>
    readRows(db, source, {
      named: `${spec.name} ${shape} ${query.sort}`,
      order: orderOf(backwards),
      cursor,
      size,
      backwards,
    })
  let { cursor } = query
  let backwards = cursor?.direction === 'before'
  let loaded = yield* rowsFrom(cursor, backwards)
  // All rows of this page are gone: the page at that end of the list replaces it.
  if (cursor && loaded.length === 0) {
    cursor = undefined
    backwards = !backwards
    loaded = yield* rowsFrom(cursor, backwards)
  }
  const rows = loaded.slice(0, size)
  if (backwards) rows.reverse()
  const more = loaded.length > size
  const [first, last] = [rows[0], rows.at(-1)]
  const cursorAt = (row: Row, direction: Cursor['direction'], from: number | undefined): Cursor => ({
    direction,
    value: sort.value(row),
    id: spec.idOf(row),
    from,
  })

  const most = narrowed ? countedOfFound : counted
  const total =
    !cursor && !more
      ? rows.length
      : yield* countList(db, `count of ${spec.name} ${shape}`, source, most + 1, orderOf(false))
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

type Stretch = { named: string; order: Order; cursor: Cursor | undefined; size: number; backwards: boolean }

/** Reads the rows of a page, and one more if there is one. */
function* readRows<Raw, Row>(
  db: Db,
  { values, narrowed, among, rows, seen }: Source<Raw, Row>,
  { named, order, cursor, size, backwards }: Stretch,
): Generator<void, Row[]> {
  const { columns, descending } = order
  const orderBy = columns.map((column) => (descending ? desc(column) : asc(column)))
  const read = (place: SQL | undefined) =>
    rows({ where: and(place, narrowed), orderBy, limit: sql.placeholder('limit') }).prepare()
  if (narrowed && among) {
    const raw: Raw[] = []
    yield* readInParts(db, { ...among, ...order, values, start: cursor, most: size + 1 }, (part, left) => {
      const more = read(part).all({ ...values, limit: left })
      raw.push(...more)
      return more.length
    })
    return seen(raw)
  }
  const place = cursor && beyond(columns, [sql`${sql.placeholder('at')}`, sql`${sql.placeholder('after')}`], descending)
  const kind = [named, cursor ? 'from a row' : 'from the end', backwards].join(' ')
  return seen(
    (narrowed ? read(place) : preparedAs(db, `rows of ${kind}`, () => read(place))).all({
      ...values,
      limit: size + 1,
      ...(cursor ? { at: cursor.value, after: cursor.id } : {}),
    }),
  )
}
