/** What a list page is asked for in its address. */
export type ListQuery = { q: string; page: number }

/** A page of a list: never the whole, always with how many there are. */
export type List<Row> = ListQuery & { rows: Row[]; total: number; pages: number }

export const pageSize = 25

/** Reads `?q=&page=`. What makes no sense there is the first page. */
export function readList(query: unknown): ListQuery {
  const { q, page } = query as Record<string, unknown>
  const number = typeof page === 'string' && /^[1-9][0-9]{0,6}$/.test(page) ? Number(page) : 1
  return { q: typeof q === 'string' ? q.trim().slice(0, 200) : '', page: number }
}

/** Cuts the page out of a list: `rows` is asked for what lies on it, after the page is known to exist. */
export function paged<Row>(
  query: ListQuery,
  total: number,
  rows: (limit: number, offset: number) => Row[],
  size = pageSize,
): List<Row> {
  const pages = Math.max(1, Math.ceil(total / size))
  const page = Math.min(query.page, pages)
  return { q: query.q, page, rows: rows(size, (page - 1) * size), total, pages }
}
