import type { FastifyRequest } from 'fastify'
import { type Cursor, dayAt, firstPage, type ListQuery, type ListSpec, pageSizes } from '../../db/list.ts'
import { badAddress, Refusal } from '../answer/errors.ts'
import { withoutBase } from '../base.ts'
import { isReadAhead } from '../request/reading-ahead.ts'

/**
 * Reads what the address asks of a list: `q`, the filters by their names, `sort`, `size` and `at` (a
 * cursor). A second list of a page has names of its own, which begin with `prefix`. Throws a 400 for
 * filters, sorts, sizes and cursors that the list does not have.
 */
export function readList<Filters extends string>(
  request: FastifyRequest,
  spec: ListSpec<never, Filters>,
  prefix = '',
): ListQuery<Filters> {
  if (request.method === 'GET') return readListFields(request.query as Record<string, unknown>, spec, prefix)
  // A form that is shown again is on the page that it was sent from, which may be another one.
  try {
    return readListFields(refererQuery(request), spec, prefix)
  } catch (error) {
    if (error instanceof Refusal) return firstPage(spec)
    throw error
  }
}

/**
 * The list that a form was opened from: the query of its address. What is no query of the list’s becomes its first page: it
 * only says where to return to, or what to read.
 */
export function readListText<Filters extends string>(
  text: string,
  spec: ListSpec<never, Filters>,
  prefix = '',
): ListQuery<Filters> {
  try {
    return readListFields(Object.fromEntries(new URLSearchParams(text)), spec, prefix)
  } catch (error) {
    if (error instanceof Refusal) return firstPage(spec)
    throw error
  }
}

/** The list that an address’s query asks for. Throws a 400 where the list does not have what it names. */
export function readListFields<Filters extends string>(
  given: Record<string, unknown>,
  spec: ListSpec<never, Filters>,
  prefix = '',
): ListQuery<Filters> {
  const text = (name: string) => {
    const value = given[prefix + name]
    return typeof value === 'string' ? value.trim().slice(0, 200) : ''
  }
  const query = firstPage(spec)
  query.q = text('q')
  for (const [name, filter] of Object.entries(spec.filters) as [Filters, ListSpec<never>['filters'][string]][]) {
    const value = text(name)
    if (typeof filter === 'object' && value && !Object.hasOwn(filter, value)) throw unknown(name, value)
    if (filter === 'day' && value && dayAt(value) === undefined) query.errors[name] = 'Enter a day such as 2026-11-24.'
    query.filters[name] = value
  }
  query.sort = text('sort') || query.sort
  if (!Object.hasOwn(spec.sorts, query.sort)) throw unknown('sort', query.sort)
  const size = text('size')
  if (size && !(/^[1-9]\d{1,2}$/.test(size) && Number(size) >= pageSizes[0] && Number(size) <= 200))
    throw unknown('size', size)
  query.size = Number(size || query.size)
  const at = text('at')
  query.cursor = at ? readCursor(at, spec.name, query.sort) : undefined
  if (at && !query.cursor) throw badAddress('This page belongs to another list, or its address is damaged.')
  return query
}

const unknown = (name: string, value: string) => badAddress(`This list knows no ${name} “${value}”.`)

/** The words of filters. */
export const listFilterNames: Record<string, string> = {
  status: 'Status',
  limits: 'Limits',
  admin: 'Admins',
  invitations: 'Invitations',
  used: 'Use',
  tag: 'Tag',
  role: 'Role',
  factor: 'Second factor',
  kind: 'Kind',
  state: 'State',
  person: 'Person',
  family: 'Kind',
  from: 'From',
  until: 'Until',
}

/**
 * The address of a page of a list as it is filtered and sorted: the first one, or the one at a cursor.
 * A cursor names its list and sort, and is no secret: it shows nothing that the list does not.
 */
export function listAddress(
  path: string,
  list: ListQuery & { spec: ListSpec<never> },
  prefix = '',
  cursor?: Cursor,
): string {
  const { q, filters, sort, size, spec } = list
  const first = firstPage(spec)
  const asked = {
    q,
    ...filters,
    sort: sort === first.sort ? '' : sort,
    size: size === first.size ? '' : String(size),
    at: cursor ? cursorText(list, cursor) : '',
  }
  const given = Object.entries(asked).flatMap(([name, value]) => (value ? [[prefix + name, value]] : []))
  // The path alone would show the list as it was chosen last (remembered.ts).
  if (given.length === 0 && list.remembered && prefix === '') given.push(['sort', first.sort])
  return given.length > 0 ? `${path}?${new URLSearchParams(given)}` : path
}

/** A cursor as it stands in an address. */
export function cursorText({ spec, sort }: ListQuery & { spec: ListSpec<never> }, cursor: Cursor): string {
  const at = [spec.name, sort, cursor.direction, cursor.value, cursor.id, cursor.from ?? null]
  return Buffer.from(JSON.stringify(at)).toString('base64url')
}

/** Undefined for a text that is no cursor of this list and sort. */
export function readCursor(text: string, name: string, sort: string): Cursor | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    // Addresses from before 0.3.0 have five parts and do not say how many rows come before the page.
    if (!Array.isArray(parts) || parts.length < 5 || parts.length > 6) return undefined
    const [ofList, ofSort, direction, value, id, from] = parts
    const known = ofList === name && ofSort === sort && (direction === 'after' || direction === 'before')
    if (!known || !['string', 'number'].includes(typeof value) || !Number.isSafeInteger(id)) return undefined
    return { direction, value, id, from: Number.isSafeInteger(from) && from >= 0 ? from : undefined }
  } catch {
    return undefined
  }
}

/** The query of the page of ours that a form was sent from; empty where the browser does not say. */
export function refererQuery(request: FastifyRequest, path?: string): Record<string, string> {
  const referer = refererOf(request)
  return referer && (path === undefined || referer.path === path) ? Object.fromEntries(referer.url.searchParams) : {}
}

/** The page of ours that a link or form was on. */
export const pathBefore = (request: FastifyRequest): string | undefined => refererOf(request)?.path

function refererOf({ headers: { referer }, server }: FastifyRequest): { url: URL; path: string } | undefined {
  if (!referer || !URL.canParse(referer)) return undefined
  const url = new URL(referer)
  const { origin, base } = server.config
  return url.origin === origin ? { url, path: withoutBase(base, url.pathname) } : undefined
}

/** Whether somebody opened a page by a link or form on itself. Other sites cannot pretend that, and reading ahead is not it. */
export function isFromSamePage(request: FastifyRequest): boolean {
  const { method, url, headers } = request
  return (
    method === 'GET' &&
    headers['sec-fetch-site'] === 'same-origin' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    !isReadAhead(request) &&
    refererOf(request)?.path === url.split('?', 1)[0]
  )
}

/** Longer queries are forgotten: no list has one. */
const longestQuery = 2_000

/**
 * The list that a page was opened from, as it was searched, filtered, sorted and paged: its path and query. A page with a
 * form passes it on (`_back`), so that the act leads back there. Empty where there is none.
 */
export function listBefore(request: FastifyRequest): string {
  if (request.formMeta?.back) return request.formMeta.back
  const referer = refererOf(request)
  if (!referer?.url.search || referer.url.search.length > longestQuery) return ''
  const ofItself = request.method === 'GET' && referer.path === request.url.split('?', 1)[0]
  return ofItself ? '' : referer.path + referer.url.search
}

/** A path of ours, with the query that it had where it is the list that `before` names. */
export function backTo(path: string, before: string): string {
  const query = before.startsWith(`${path}?`) ? new URLSearchParams(before.slice(path.length + 1)).toString() : ''
  return query ? `${path}?${query}` : path
}
