/** What a list page is asked for in its address; `filters` are the fields of its own that narrow it down. */
export type ListQuery = { q: string; page: number; filters: Record<string, string> }

/** A page of a list: never the whole, always with how many there are. */
export type List<Row> = ListQuery & { rows: Row[]; total: number; pages: number }

export const pageSize = 25

/** Reads `?q=&page=` and the filters of these names. What makes no sense there is the first page. */
export function readList(query: unknown, filterNames: readonly string[] = []): ListQuery {
  const given = query as Record<string, unknown>
  const text = (name: string) => {
    const value = given[name]
    return typeof value === 'string' ? value.trim().slice(0, 200) : ''
  }
  const { page } = given
  return {
    q: text('q'),
    page: typeof page === 'string' && /^[1-9][0-9]{0,6}$/.test(page) ? Number(page) : 1,
    filters: Object.fromEntries(filterNames.map((name) => [name, text(name)])),
  }
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
  return { ...query, page, rows: rows(size, (page - 1) * size), total, pages }
}
