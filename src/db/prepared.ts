import type { Db } from './open.ts'

/**
 * A query that is built once for each connection, and then run with the values of its placeholders:
 * Drizzle takes longer to build a query than SQLite to run it. Works in transactions too.
 */
export function prepared<Query>(build: (db: Db) => Query): (db: Db) => Query {
  const built = new WeakMap<object, Query>()
  return (db) => {
    const connection = connectionOf(db)
    let query = built.get(connection)
    if (query === undefined) {
      query = build(db)
      built.set(connection, query)
    }
    return query
  }
}

/** What a database and its transactions have in common; Drizzle keeps it out of its types. */
function connectionOf(db: Db): object {
  return (db as unknown as { session: object }).session
}

const queries = prepared(() => new Map<string, unknown>())

/** The same for queries of which there are several shapes: built once for each connection and shape. */
export function preparedAs<Query>(db: Db, shape: string, build: () => Query): Query {
  const built = queries(db)
  const query = (built.get(shape) as Query | undefined) ?? build()
  built.set(shape, query)
  return query
}
