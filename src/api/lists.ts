import * as z from 'zod'
import { dayAt, type Filter, firstPage, type List, type ListQuery, type ListSpec } from '../db/list.ts'
import { cursorText, readCursor } from '../web/lists/list.ts'
import { Problem } from './contract/problems.ts'

const mostRows = 200
const usualRows = 50

/** Reads what an address asks of a list. Throws the problem of anything that the list does not know. */
export function readListQuery<Filters extends string>(
  given: Record<string, unknown>,
  spec: ListSpec<never, Filters>,
): ListQuery<Filters> {
  const query = firstPage(spec, usualRows)
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string') throw unreadable(`The query holds ${name} twice.`)
    if (name === 'q') query.q = value.trim().slice(0, 200)
    else if (name === 'limit') query.size = readLimit(value)
    else if (name === 'sort') query.sort = known(value, spec.sorts, 'sort')
    else if (name === 'cursor') continue
    else if (Object.hasOwn(spec.filters, name))
      query.filters[name as Filters] = readFilter(name, value, spec.filters[name as Filters])
    else throw unreadable(`This list has no parameter ${name}.`)
  }
  const { cursor } = given
  if (typeof cursor === 'string') {
    query.cursor = readCursor(cursor, spec.name, query.sort)
    if (!query.cursor) throw unreadable('The cursor belongs to another list or sort, or is damaged.')
  }
  return query
}

function readLimit(text: string): number {
  const limit = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > mostRows) throw unreadable(`limit must be a whole number from 1 to ${mostRows}.`)
  return limit
}

function known(value: string, all: object, name: string): string {
  if (!Object.hasOwn(all, value)) throw unreadable(`${name} must be one of ${Object.keys(all).join(', ')}.`)
  return value
}

function readFilter(name: string, value: string, filter: Filter): string {
  if (filter === 'text') return value
  if (filter !== 'day') return known(value, filter, name)
  if (dayAt(value) === undefined) throw unreadable(`${name} must be a day such as 2026-11-24.`)
  return value
}

const unreadable = (detail: string) => new Problem('unreadable', detail)

/** The parameters of a list, for the document. */
export function listParameters({
  sorts,
  filters,
}: ListSpec<never>): Record<string, { schema: z.ZodType; words: string }> {
  const [usual = ''] = Object.keys(sorts)
  return {
    limit: { schema: z.int().min(1).max(mostRows).default(usualRows), words: 'How many rows to return.' },
    cursor: { schema: z.string().max(1_000), words: 'Where the page begins: the `next` of the page before it.' },
    q: { schema: z.string().max(200), words: 'Words to search for.' },
    sort: {
      schema: z.enum(Object.keys(sorts)).default(usual),
      words: 'The order of the rows.',
    },
    ...Object.fromEntries(
      Object.entries(filters).map(([name, filter]) => [
        name,
        typeof filter === 'object'
          ? { schema: z.enum(Object.keys(filter)), words: `Only rows of this ${name}.` }
          : filter === 'day'
            ? { schema: z.iso.date(), words: `Only rows ${name} this day (UTC).` }
            : { schema: z.string().max(200), words: `Only rows with this ${name}.` },
      ]),
    ),
  }
}

/** The body of a page of a list. */
export const pageOf = (row: z.ZodType) =>
  z.strictObject({
    data: z.array(row),
    total: z.int().min(0).meta({ description: 'How many rows there are, as far as they are counted.' }),
    total_is_exact: z.boolean().meta({ description: 'False if there are more than `total`.' }),
    next: z.string().nullable().meta({ description: 'The cursor of the next page; null on the last one.' }),
  })

export function showPage<Row>(list: List<Row>, show: (row: Row) => object) {
  return {
    data: list.rows.map(show),
    total: list.total,
    total_is_exact: !list.more,
    next: list.next ? cursorText(list, list.next) : null,
  }
}
