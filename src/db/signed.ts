import type Database from 'better-sqlite3'
import { BetterSQLite3Database, BetterSQLiteSession } from 'drizzle-orm/better-sqlite3'
import { SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import type { Connection } from './open.ts'

/**
 * Writes `+?` for each value, which means the same. SQLite looks at a value that is compared while it plans a query, so it would
 * plan the query again each time that it runs: that takes several times as long as the query itself.
 */
class SignedDialect extends SQLiteSyncDialect {
  override escapeParam(): string {
    return '+?'
  }
}

/** Drizzle on a connection, as its own `drizzle()` makes it, with signed values. */
export function drizzleOn(sqlite: Database.Database): Connection {
  const dialect = new SignedDialect()
  const session = new BetterSQLiteSession<Record<string, never>, Record<string, never>>(sqlite, dialect, undefined)
  const db = new BetterSQLite3Database<Record<string, never>>('sync', dialect, session, undefined)
  return Object.assign(db, { $client: sqlite })
}
