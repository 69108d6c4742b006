import { readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { chainRecords, hasChain } from './chaining.ts'
import { companionOf, sha256Of, writeCompanion } from './companion.ts'
import { createPrivate, isThere, moveIntoPlace, privateFolder } from './files.ts'
import { searchText, sortKey } from './fold.ts'
import { StartError } from './start-error.ts'
import { dropTriggers, findWrongTriggers, makeTriggers } from './triggers.ts'

type Migration = ReturnType<typeof readMigrationFiles>[number]

export type Migrating = {
  /** The folder of the migrations, with drizzle-kit's journal. */
  folder: string
  /** Where a copy goes before anything is changed; none of a database that was made just now. */
  backups: string | undefined
}

/**
 * Brings a database up to the newest migration, with the triggers and search indexes of this version (triggers.ts), in one transaction that holds the checks as well: whatever
 * fails, a crash and a full disk included, leaves the database as the version before can use it.
 * Throws a StartError that says how to go back, or that a newer version made this database.
 */
export function migrateOnce(sqlite: Database.Database, { folder, backups }: Migrating): void {
  const migrations = readMigrationFiles({ migrationsFolder: folder })
  const newest = migrations.at(-1)?.folderMillis ?? 0
  const applied = lastApplied(sqlite)
  // Somebody, or an earlier build of this version, may have left other triggers.
  if (applied === newest && findWrongTriggers(sqlite).length === 0) return
  if (applied > newest) {
    throw new StartError(
      'This database was made by a newer version of the panel. Run that version, or restore a backup.',
    )
  }
  const copy = backups && copyBefore(sqlite, backups)

  // A rebuilt table must not empty its children, so foreign keys are off during the migration and checked after it.
  // Inside of a transaction they cannot be switched.
  sqlite.pragma('foreign_keys = OFF')
  try {
    const missing = migrations.filter(({ folderMillis }) => folderMillis > applied)
    sqlite.transaction(() => applyAndCheck(sqlite, missing)).immediate()
  } catch (error) {
    const back = copy
      ? ` ${sqlite.name} is as it was: go back to the version that ran before. A copy of it is in ${copy}.`
      : ''
    throw new StartError(`The migration failed and was undone: ${reason(error)}.${back}`)
  } finally {
    sqlite.pragma('foreign_keys = ON')
  }
}

/** A checked copy, which has its name only once it is whole and on the disk. Returns its path. */
function copyBefore(sqlite: Database.Database, backups: string): string {
  const at = new Date()
  const copy = join(backups, `before-migration-${at.toISOString().replaceAll(':', '-')}.db`)
  const part = `${copy}.partial`
  try {
    privateFolder(dirname(backups), basename(backups))
    // Only this process migrates, so an existing file was left by one that was killed.
    removeParts(backups)
    createPrivate(part)
    sqlite.prepare('VACUUM INTO ?').run(part)
    const made = new Database(part, { readonly: true })
    try {
      mustBeWhole(made)
    } finally {
      made.close()
    }
    moveIntoPlace(writeCompanion(part, copy, { at: at.getTime(), sha256: sha256Of(part) }), companionOf(copy))
    moveIntoPlace(part, copy)
    return copy
  } catch (error) {
    try {
      removeParts(backups)
    } catch {
      // The first error says what is wrong.
    }
    throw new StartError(
      `The copy of the database before its migration could not be made in ${backups}: ${reason(error)}. Nothing was changed.`,
    )
  }
}

function removeParts(backups: string): void {
  if (!isThere(backups)) return
  for (const name of readdirSync(backups))
    if (/^before-migration-.*\.partial/.test(name)) rmSync(join(backups, name), { force: true })
}

function applyAndCheck(sqlite: Database.Database, migrations: Migration[]): void {
  // The keys that older rows are searched and sorted by: SQLite itself folds only ASCII.
  sqlite.function('search_text', { deterministic: true, directOnly: true, varargs: true }, (...texts) =>
    searchText(...texts.map(String)),
  )
  sqlite.function('sort_key', { deterministic: true, directOnly: true }, (name) => sortKey(String(name)))
  const before = countRows(sqlite)
  // Drizzle's own table, as its migrator makes it: drizzle-kit and other versions of the panel read it.
  sqlite.exec(
    'CREATE TABLE IF NOT EXISTS __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
  )
  const note = sqlite.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)')
  const chained = hasChain(sqlite)
  for (const { sql, hash, folderMillis } of migrations) {
    dropTriggers(sqlite)
    for (const statement of sql) sqlite.exec(statement)
    note.run(hash, folderMillis)
  }
  // Only once: what has no hash later was not written by the panel.
  if (!chained && hasChain(sqlite)) chainRecords(sqlite)
  makeTriggers(sqlite)

  const after = countRows(sqlite)
  for (const [table, rows] of before) {
    const left = after.get(table) ?? rows
    if (left < rows) throw new Error(`${rows - left} of ${rows} rows of ${table} would be lost`)
  }
  const [broken] = sqlite.pragma('foreign_key_check') as { table: string; parent: string }[]
  if (broken) throw new Error(`rows of ${broken.table} would point to no row of ${broken.parent}`)
  mustBeWhole(sqlite)
}

function mustBeWhole(sqlite: Database.Database): void {
  const answer = sqlite.pragma('integrity_check(1)', { simple: true })
  if (answer !== 'ok') throw new Error(`integrity_check says: ${answer}`)
}

/** The time of the newest migration in a folder: a database's version. 0 if there is none. */
export function newestMigration(folder: string): number {
  return readMigrationFiles({ migrationsFolder: folder }).at(-1)?.folderMillis ?? 0
}

/** The time of the newest migration that a database has. */
export function lastApplied(sqlite: Database.Database): number {
  const known = sqlite.prepare("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'").get()
  if (!known) return 0
  return sqlite.prepare('SELECT coalesce(max(created_at), 0) FROM __drizzle_migrations').pluck().get() as number
}

function countRows(sqlite: Database.Database): Map<string, number> {
  const tables = sqlite
    .prepare(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'",
    )
    .pluck()
    .all() as string[]
  return new Map(
    tables.map((table) => [table, sqlite.prepare(`SELECT count(*) FROM "${table}"`).pluck().get() as number]),
  )
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').replace(/\.$/, '')
}
