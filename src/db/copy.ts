import Database from 'better-sqlite3'
import { connect } from './connect.ts'
import { migrateOnce } from './migrate.ts'
import { migrationsFolder } from './open.ts'

/** So many pages are copied before requests get their turn. */
const pagesAtOnce = 100

/**
 * Copies a database that is in use into an empty file, as it was at one moment, and notes in the copy when
 * and by which version it was made. A read transaction keeps that moment: without it, SQLite would start
 * again whenever another connection writes, and never finish under load.
 * Rejects with the signal’s reason when the signal aborts.
 */
export async function copyDatabase(
  from: string,
  to: string,
  { at, version, signal }: { at: number; version: string; signal?: AbortSignal | undefined },
): Promise<void> {
  const source = new Database(from, { fileMustExist: true })
  try {
    source.exec('BEGIN')
    source.prepare('SELECT count(*) FROM sqlite_master').get()
    await source.backup(to, {
      progress: () => {
        signal?.throwIfAborted()
        return pagesAtOnce
      },
    })
  } finally {
    source.close()
  }
  const copy = new Database(to)
  try {
    // One file that can be read without another next to it, also on a read-only disk.
    copy.pragma('journal_mode = delete')
    copy.exec(
      'DROP TABLE IF EXISTS __backup; CREATE TABLE __backup (made_at INTEGER NOT NULL, version TEXT NOT NULL) STRICT',
    )
    copy.prepare('INSERT INTO __backup VALUES (?, ?)').run(at, version)
  } finally {
    copy.close()
  }
}

/** Makes a copy a database again, of this version. */
export function copyToDatabase(file: string): void {
  const sqlite = connect(file)
  try {
    // Those that Litestream needs it makes itself.
    sqlite.exec(
      'DROP TABLE IF EXISTS __backup; DROP TABLE IF EXISTS _litestream_seq; DROP TABLE IF EXISTS _litestream_lock',
    )
    migrateOnce(sqlite, { folder: migrationsFolder, backups: undefined })
  } finally {
    sqlite.close()
  }
}
