import { channel } from 'node:diagnostics_channel'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { is } from 'drizzle-orm'
import { type BaseSQLiteDatabase, SQLiteTransaction } from 'drizzle-orm/sqlite-core'
import { root } from '../config.ts'
import { secretsFile } from '../secrets.ts'
import { connect, keepStatements, longestWait } from './connect.ts'
import { createPrivate, isThere, makeFolder, removeLeftovers } from './files.ts'
import { takeLock } from './lock.ts'
import { lastApplied, migrateOnce, newestMigration } from './migrate.ts'
import { mustBeInPlace, rememberPlace, Unusable } from './place.ts'
import { drizzleOn } from './signed.ts'
import { StartError } from './start-error.ts'
import { codeOf, type StorageProblem, storageProblem } from './storage-problem.ts'
import { cleanAtStart } from './traces.ts'

/** The database, or a transaction of it: data functions take both. */
export type Db = BaseSQLiteDatabase<'sync', Database.RunResult>

/** The database itself, no transaction of it. */
export type Connection = Db & { $client: Database.Database }

export type OpenDatabase = { db: Connection; close: () => void }

export const migrationsFolder = join(root, 'migrations')

/**
 * Opens DATA_DIR/panel.db for the one process that runs the panel on it: takes the lock, migrates
 * (after a backup) and checks the settings that durability rests on.
 * Throws a StartError when another process has it, a newer version made it, a migration failed, or it
 * cannot be written.
 */
export function openDatabase(dataDir: string, migrations = migrationsFolder): OpenDatabase {
  try {
    return openAlone(dataDir, migrations)
  } catch (error) {
    const problem = storageProblem(error)
    if (problem) throw new StartError(`DATA_DIR ${dataDir}: ${whyNot[problem]} (${codeOf(error)}).`)
    const words = whyNoFolder[codeOf(error)]
    throw words ? new StartError(`DATA_DIR ${dataDir}: ${words} (${codeOf(error)}).`) : error
  }
}

/** By the codes of the operating system and of SQLite. */
const whyNoFolder: Record<string, string> = {
  EEXIST: 'it must be a folder',
  ENOTDIR: 'it must be a folder, in folders',
  ENOENT: 'it cannot be made there',
  EACCES: 'this user may not read and write there',
  EPERM: 'this user may not read and write there',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its symbolic links lead in a circle',
  SQLITE_CANTOPEN: 'a file of the database cannot be opened: look at the rights of all files there',
}

const whyNot: Record<StorageProblem, string> = {
  full: 'the disk is full; make room',
  failing: 'the disk does not take what is written; look at it',
  'read-only': 'it can only be read; let the panel write there',
  locked: 'another program holds the database; end it',
  moved: 'the database was moved while it was opened; start again',
  damaged: 'panel.db is damaged; restore a backup (“Restore a backup” in the README)',
}

function openAlone(dataDir: string, migrations: string): OpenDatabase {
  makeFolder(dataDir)
  const lock = takeLock(dataDir)
  for (const folder of [dataDir, join(dataDir, 'backups')]) removeLeftovers(folder)
  const file = join(dataDir, 'panel.db')
  const existed = existsSync(file)
  let sqlite: Database.Database
  try {
    if (!existed || statSync(file).size === 0) refuseAnew(dataDir)
    // SQLite would let everybody read it, and its log after it.
    if (!existed) createPrivate(file)
    sqlite = connect(file)
  } catch (error) {
    lock.close()
    throw error
  }
  try {
    if (existed) refuseDamaged(sqlite)
    if (existed && lastApplied(sqlite) === 0) refuseForeign(sqlite, dataDir)
    migrateOnce(sqlite, { folder: migrations, backups: existed ? join(dataDir, 'backups') : undefined })
  } catch (error) {
    sqlite.close()
    lock.close()
    throw error
  }
  cleanAtStart(sqlite)
  // What undoes a statement in a large transaction would go through a file: an import takes a third longer by it.
  sqlite.pragma('temp_store = memory')
  keepStatements(sqlite)
  rememberPlace(sqlite)
  return {
    db: drizzleOn(sqlite),
    close: () => {
      sqlite.close()
      lock.close()
    },
  }
}

/** A larger file, in bytes, is looked at while the panel runs already (server.ts): this takes about 5 ms a MB. */
export const checkedAtStart = 64 * 1024 * 1024

function refuseDamaged(sqlite: Database.Database): void {
  if (statSync(sqlite.name).size > checkedAtStart) return
  const answer = sqlite.pragma('quick_check(1)', { simple: true })
  if (answer !== 'ok') throw new Unusable('DATABASE_DAMAGED')
}

/** A new installation has no secrets yet: if they exist, the database was lost. */
function refuseAnew(dataDir: string): void {
  const secrets = secretsFile(dataDir)
  if (isThere(secrets))
    throw new StartError(
      `${join(dataDir, 'panel.db')} is missing or empty, but ${secrets} is there. Restore a backup (“Restore a backup” in the README); to start again, move the secrets away.`,
    )
}

/** A database without migrations must be an empty one. */
function refuseForeign(sqlite: Database.Database, dataDir: string): void {
  if (sqlite.prepare('SELECT count(*) FROM sqlite_master').pluck().get() !== 0)
    throw new StartError(`${sqlite.name} is the database of another program. Set DATA_DIR to a folder of its own.`)
  refuseAnew(dataDir)
}

const writes = channel('meshpanel:write')
/** Opens a database file as it is. A caller that needs it alone takes the lock first. */
export function openFile(file: string): OpenDatabase {
  const sqlite = connect(file)
  return { db: drizzleOn(sqlite), close: () => sqlite.close() }
}

/** Opens a database file to read it, also while the panel runs on it. */
export function openToRead(file: string): OpenDatabase {
  const sqlite = new Database(file, { readonly: true, fileMustExist: true })
  sqlite.pragma(`busy_timeout = ${longestWait}`)
  return { db: drizzleOn(sqlite), close: () => sqlite.close() }
}

/** Who acts. `stillMay` throws if the right to act is gone; null means the panel itself, or an act that a token allows. */
export type Authority = { stillMay: ((tx: Db) => void) | null }

/**
 * Runs an act: IMMEDIATE, so that checking and writing is one step, and no other write comes
 * between. The actor's right is read in it first (D-16): what was true when the request
 * arrived counts for nothing. Within another write it is a part of that one.
 */
export function write<Result>(db: Db, { stillMay }: Authority, act: (tx: Db) => Result): Result {
  if (is(db, SQLiteTransaction)) return act(db)
  return writeUnchecked(db, (tx) => {
    stillMay?.(tx)
    return act(tx)
  })
}

/** Runs a write that is nobody's act: counters, sessions, sweeps. `write` is for all others. */
export function writeUnchecked<Result>(db: Db, act: (tx: Db) => Result): Result {
  if (is(db, SQLiteTransaction)) return act(db)
  mustBeInPlace((db as Connection).$client)
  const start = performance.now()
  try {
    return allOrNothing(db, act)
  } finally {
    writes.publish((performance.now() - start) / 1_000)
  }
}

/** Runs a part of a write that is undone alone when it throws. */
export function allOrNothing<Result>(db: Db, act: (tx: Db) => Result): Result {
  let reason: unknown
  try {
    return db.transaction(
      (tx) => {
        try {
          return act(tx)
        } catch (error) {
          reason = error
          throw error
        }
      },
      { behavior: 'immediate' },
    )
  } catch (error) {
    // On a full disk SQLite may undo all by itself; undoing a part then fails, and would hide the reason.
    throw reason ?? error
  }
}

/** Tells how long each write of this process took, in seconds. Returns what ends it. */
export function observeWrites(observe: (seconds: number) => void): () => void {
  const listener = (seconds: unknown) => observe(Number(seconds))
  writes.subscribe(listener)
  return () => writes.unsubscribe(listener)
}

/** Returns a look at whether the database has every migration of this version. */
export function migrationCheck(db: Connection): () => boolean {
  const newest = newestMigration(migrationsFolder)
  return () => lastApplied(db.$client) === newest
}
