import { Readable } from 'node:stream'
import { type Options, stringify } from 'csv-stringify/sync'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { fileColumns, type List, type ListQuery, type ListSpec } from '../../db/list.ts'
import { everyPart } from '../../db/turns.ts'
import { sendFile } from '../answer/downloads.ts'
import { readList } from './list.ts'

export type Cell = string | number | null

/** A line break is quoted whatever it is made of. */
const format: Options = { record_delimiter: 'windows', quoted_match: /[\r\n]/ }
/** So many rows are written at once: other requests come between. */
const rowsAtOnce = 500

/**
 * What makes a spreadsheet read a cell as a formula, even after marks that should prevent it (OWASP: CSV Injection).
 */
const formula = /^'*[=+\-@\t\r\n＝＋－＠]/
const neutralised = /^'+[=+\-@\t\r\n＝＋－＠]/

const neutralise = (cell: Cell) => (typeof cell === 'string' && formula.test(cell) ? `'${cell}` : cell)

/** What a cell was before a download neutralised it. */
export function asTyped(cell: string): string {
  return neutralised.test(cell) ? cell.slice(1) : cell
}

const csvType = 'text/csv; charset=utf-8'

/** Sends rows as a CSV file, as they come. */
export function csvDownload(reply: FastifyReply, name: string, columns: string[], rows: Iterable<Cell[]>) {
  return sendFile(reply, name, csvType, () => Readable.from(csvParts(columns, rows), { objectMode: false }))
}

/**
 * A CSV file, a few rows at a time, with its columns' names on top: UTF-8 with a BOM, because spreadsheets guess another
 * encoding without one. Cells that would start a formula begin with an apostrophe.
 */
export function* csvParts(columns: string[], rows: Iterable<Cell[]>): Generator<string> {
  const written = newPart(columns)
  let part: Cell[][] = []
  for (const row of rows) {
    part.push(row)
    if (part.length < rowsAtOnce) continue
    yield written(part)
    part = []
  }
  const last = written(part)
  if (last) yield last
}

async function* listParts<Row>(spec: ListSpec<Row>, pages: AsyncIterable<Row[]>): AsyncGenerator<string> {
  const [names] = listRows(spec, [])
  const written = newPart(names)
  for await (const rows of pages) {
    const text = written([...rowsOf(spec, rows)])
    if (text) yield text
  }
}

/** Writes rows; above the first, the names of the columns. */
function newPart(columns: string[]): (rows: Cell[][]) => string {
  let isFirst = true
  return (rows) => {
    const part = rows.map((row) => row.map(neutralise))
    const text = stringify(isFirst ? [columns, ...part] : part, { ...format, bom: isFirst })
    isFirst = false
    return text
  }
}

/**
 * Answers `?download=csv` of a list's page with the list as it is filtered and sorted. Undefined when the
 * page itself is asked for.
 */
export function listDownload<Row, Filters extends string>(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    spec,
    list,
    prefix = '',
  }: { spec: ListSpec<Row, Filters>; list: (query: ListQuery<Filters>) => List<Row>; prefix?: string },
): FastifyReply | undefined {
  const wanted = (request.query as Record<string, unknown>)[`${prefix}download`]
  if (request.method !== 'GET' || wanted !== 'csv') return undefined
  const query = readList(request, spec, prefix)
  return sendFile(reply, `${spec.name}.csv`, csvType, () =>
    Readable.from(listParts(spec, everyPart(list, query)), { objectMode: false }),
  )
}

/** The columns of a list’s file, and its rows. */
export function listRows<Row>(spec: ListSpec<Row>, rows: Iterable<Row>): [string[], Generator<Cell[]>] {
  return [fileColumns(spec).map(({ name }) => name), rowsOf(spec, rows)]
}

function* rowsOf<Row>(spec: ListSpec<Row>, rows: Iterable<Row>): Generator<Cell[]> {
  const columns = fileColumns(spec)
  for (const row of rows) yield columns.map(({ cell }) => cell(row))
}
