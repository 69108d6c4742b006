import type Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import type { Connection, Db } from './open.ts'
import { searchIndexes } from './triggers.ts'

// Where erased text could still be read in the database’s files. `secure_delete` overwrites what is deleted
// (open.ts), but not everywhere: the search indexes keep trigrams of deleted rows until their segments are merged,
// the write-ahead log keeps pages as they were, and SQLite, where it splits a page, may leave a copy of a row in the
// unused middle of it. `user_version` notes whether a cleaning is owed, so that a crash forgets none.

const owed = 0
const clean = 1

/** A cleaning is owed from now on: in the transaction that erases. */
export function oweCleaning(tx: Db): void {
  tx.run(sql`pragma user_version = 0`)
}

/** Whether one is owed still. */
export function isCleaningOwed(db: Connection): boolean {
  return db.$client.pragma('user_version', { simple: true }) === owed
}

/** No cleaning is left to do. */
export function noteClean(sqlite: Database.Database): void {
  sqlite.pragma(`user_version = ${clean}`)
}

/** Cleans a database that nothing else uses yet. What a full disk or another program prevents stays owed. */
export function cleanAtStart(sqlite: Database.Database): void {
  if (sqlite.pragma('user_version', { simple: true }) !== owed) return
  try {
    for (const index of searchIndexes) sqlite.exec(`INSERT INTO ${index} (${index}) VALUES ('optimize')`)
    sqlite.exec('VACUUM')
    noteClean(sqlite)
    sqlite.pragma('wal_checkpoint(TRUNCATE)')
  } catch {
    // The panel works all the same, and says so (cleaning.ts).
  }
}
