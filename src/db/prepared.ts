import { type Column, eq, type GetColumnData, getTableColumns, type Placeholder, type SQL, sql } from 'drizzle-orm'
import type { SQLiteInsertBase, SQLiteInsertValue, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Db } from './open.ts'

/** What a connection keeps: made once for it, and the same in its transactions. */
export function perConnection<Kept>(make: (db: Db) => Kept): (db: Db) => Kept {
  const made = new WeakMap<object, Kept>()
  return (db) => {
    const connection = connectionOf(db)
    let queries = made.get(connection)
    if (queries === undefined) {
      queries = make(db)
      made.set(connection, queries)
    }
    return queries
  }
}

/** What a database and its transactions have in common; Drizzle keeps it out of its types. */
function connectionOf(db: Db): object {
  return (db as unknown as { session: object }).session
}

/** The places in a query for values that come when it runs, by their names: each knows the type of its value. */
export type Placeholders<Values> = { readonly [Name in keyof Values & string]: Placeholder<Name, Values[Name]> }

type Ways = Record<'all' | 'get' | 'run', (values?: Record<string, unknown>) => unknown>

/** A query that runs with all of these values, and with no others. */
export type Prepared<Query extends Ways, Values> = {
  [Way in keyof Ways]: (...values: keyof Values extends never ? [] : [values: Values]) => ReturnType<Query[Way]>
}

/**
 * A query that is built once for each connection, and then run with the values of its placeholders:
 * Drizzle takes longer to build a query than SQLite to run it. Works in transactions too.
 */
export function prepared<Query extends Ways, Values = unknown>(
  build: (db: Db, placeholders: Placeholders<Values>) => Query,
): (db: Db) => Prepared<Query, Values> {
  const places = new Proxy({}, { get: (_, name) => sql.placeholder(String(name)) })
  return perConnection((db) => build(db, places as Placeholders<Values>)) as (db: Db) => Prepared<Query, Values>
}

/** The placeholders of values that are known already: of a list, whose queries are built once all the same. */
export function placeholdersOf<Values extends object>(values: Values): Placeholders<Values> {
  return Object.fromEntries(
    Object.keys(values).map((name) => [name, sql.placeholder(name)]),
  ) as unknown as Placeholders<Values>
}

/** Whether a column holds the value of a placeholder. Null is never equal. */
export function equals<Of extends Column>(
  column: Of,
  placeholder: Placeholder<string, GetColumnData<Of, 'raw'> | null>,
): SQL {
  return eq(column, placeholder)
}

type Insert<Table extends SQLiteTable> = SQLiteInsertBase<Table, 'sync', ReturnType<Db['run']>>

/**
 * An insert that is built once. It takes a row as the table’s type has it, and writes every column of the table: what is
 * left out has its default. `end` says what comes behind the values.
 */
export function preparedInsert<Table extends SQLiteTable, Query extends Ways>(
  table: Table,
  end: (insert: Insert<Table>) => Query,
): (db: Db) => Prepared<Query, Table['$inferInsert']> {
  const columns = Object.entries(getTableColumns(table))
  const places = Object.fromEntries(columns.map(([name]) => [name, sql.placeholder(name)]))
  const rowOf = (values: Record<string, unknown> = {}) =>
    Object.fromEntries(
      columns.map(([name, column]) => [name, values[name] === undefined ? (column.default ?? null) : values[name]]),
    )
  return perConnection((db) => {
    const query = end(db.insert(table).values(places as SQLiteInsertValue<Table>))
    const ways: Ways = {
      all: (values) => query.all(rowOf(values)),
      get: (values) => query.get(rowOf(values)),
      run: (values) => query.run(rowOf(values)),
    }
    return ways as Prepared<Query, Table['$inferInsert']>
  })
}

const queries = perConnection(() => new Map<string, unknown>())

/** The same for queries that have several shapes: built once for each connection and shape. */
export function preparedAs<Query>(db: Db, shape: string, build: () => Query): Query {
  const built = queries(db)
  const query = (built.get(shape) as Query | undefined) ?? build()
  built.set(shape, query)
  return query
}
