import type Database from 'better-sqlite3'
import type { Panel } from './harness.ts'

// What SQLite is asked, and how it goes about it.

/** A panel's own connection, beneath Drizzle. */
export function sqlite({ db }: Panel): Database.Database {
  return (db as unknown as { $client: Database.Database }).$client
}

/** The queries that are prepared from now on. */
export function hearPrepared(panel: Panel): Set<string> {
  const client = sqlite(panel)
  const prepare = client.prepare.bind(client)
  const queries = new Set<string>()
  client.prepare = ((source: string) => {
    queries.add(source)
    return prepare(source)
  }) as typeof client.prepare
  return queries
}

/** How SQLite runs a query, a step a line. */
export function planOf(panel: Panel, query: string): string {
  const steps = sqlite(panel).prepare(`EXPLAIN QUERY PLAN ${query}`)
  const bindings = query.match(/\?/g)?.map(() => null) ?? []
  return steps
    .all(...bindings)
    .map((step) => (step as { detail: string }).detail)
    .join('\n')
}
