import { closeSync, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { Failure, inOneLine } from './failure.ts'
import { migrationsFolder } from './open.ts'
import { StartError } from './start-error.ts'

/** What a database file holds. Times are in milliseconds since 1970. */
export type Contents = {
  /** When and by which version of the panel it was made, if it is a backup. */
  madeAt: number | undefined
  version: string | undefined
  /** How many migrations were applied, of those that this version has. */
  migrations: { applied: number; known: number }
  accounts: number
  users: number
  projects: number
  records: number
  lastRecordAt: number | undefined
  /** A few sealed values, by which a key shows whether it is the right one. */
  sealed: string[]
}

/**
 * Reads a database file from end to end without changing it, and says what it holds. Throws a StartError
 * when there is no such file, and a Failure when it is damaged, another program’s, or a newer version’s.
 */
export async function checkDatabase(file: string, signal?: AbortSignal): Promise<Contents> {
  if (!beginsAsDatabase(file)) throw new Failure(`${file} is not of this panel: it is no SQLite database.`)
  try {
    const sqlite = new Database(file, { readonly: true, fileMustExist: true })
    try {
      const migrations = checkMigrations(sqlite, file)
      const wrong = await findDamage(file, signal)
      if (wrong) throw new Failure(`${file} is damaged: ${wrong}`)
      return { migrations, ...readContents(sqlite) }
    } finally {
      sqlite.close()
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code))
      throw new Failure(`${file} is damaged: ${error.message}.`)
    throw error
  }
}

function beginsAsDatabase(file: string): boolean {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new StartError(`There is no file ${file}.`)
    throw new StartError(inOneLine(error) ?? String(error))
  }
  try {
    const head = Buffer.alloc(16)
    readSync(descriptor, head, 0, 16, 0)
    return head.toString('latin1') === 'SQLite format 3\0'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') throw new StartError(`${file} is a folder.`)
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** How many of the known migrations a panel’s database has had. Throws a Failure for any other database. */
function checkMigrations(sqlite: Database.Database, file: string): Contents['migrations'] {
  const known = readMigrationFiles({ migrationsFolder }).map(({ folderMillis }) => folderMillis)
  const one = (name: string) => sqlite.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(name) !== undefined
  if (!one('__drizzle_migrations') || !one('accounts') || !one('users'))
    throw new Failure(`${file} is not of this panel: it is the database of another program.`)
  const applied = sqlite.prepare('SELECT created_at FROM __drizzle_migrations').pluck().all() as number[]
  if (applied.some((at) => at > (known.at(-1) ?? 0)))
    throw new Failure(`${file} was made by a newer version of the panel. Use that version.`)
  if (applied.some((at) => !known.includes(at)))
    throw new Failure(`${file} is not of this panel: it is the database of another program.`)
  return { applied: applied.length, known: known.length }
}

/** How many migrations a database has had. */
export function countApplied(file: string): number {
  const sqlite = new Database(file, { fileMustExist: true })
  try {
    const known = sqlite.prepare("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'").get()
    return known ? (sqlite.prepare('SELECT count(*) FROM __drizzle_migrations').pluck().get() as number) : 0
  } finally {
    sqlite.close()
  }
}

/** Nothing and nobody was ever in this database; false for one that cannot be read. */
export function holdsNothing(file: string): boolean {
  let sqlite: Database.Database | undefined
  try {
    sqlite = new Database(file, { readonly: true, fileMustExist: true })
    const { users, accounts, records } = readContents(sqlite)
    return users + accounts + records === 0
  } catch {
    // A damaged or foreign one may be the last that is left of something.
    return false
  } finally {
    sqlite?.close()
  }
}

function readContents(sqlite: Database.Database): Omit<Contents, 'migrations'> {
  const one = <Value>(query: string) => sqlite.prepare(query).pluck().get() as Value
  const has = (table: string) => one<number>(`SELECT count(*) FROM sqlite_master WHERE name = '${table}'`) > 0
  const note = has('__backup')
    ? (sqlite.prepare('SELECT made_at AS madeAt, version FROM __backup').get() as
        | { madeAt: number; version: string }
        | undefined)
    : undefined
  const oldestAndNewest = (table: string, column: string) =>
    ['ASC', 'DESC'].map((order) =>
      one<string | undefined>(
        `SELECT ${column} FROM ${table} WHERE ${column} IS NOT NULL ORDER BY id ${order} LIMIT 1`,
      ),
    )
  return {
    madeAt: note?.madeAt,
    version: note?.version,
    accounts: one('SELECT count(*) FROM accounts'),
    users: one('SELECT count(*) FROM users'),
    projects: one('SELECT count(*) FROM projects WHERE deleted_at IS NULL'),
    records: one('SELECT count(*) FROM records'),
    lastRecordAt: one<number | null>('SELECT max(at) FROM records') ?? undefined,
    sealed: (has('installation') && one<number>('SELECT count(*) FROM installation') > 0
      ? [one<string>('SELECT key_check FROM installation')]
      : [...oldestAndNewest('users', 'totp_secret'), ...oldestAndNewest('letters', 'body')]
    ).filter((value) => value !== undefined),
  }
}

/**
 * In a thread of its own, because SQLite reads the whole file in one go and the process would answer nothing else
 * until then. The code is a string, because the bundle has no file for a module of its own.
 */
const thread = `
const { parentPort, workerData } = require('node:worker_threads')
try {
  const sqlite = new (require(workerData.library))(workerData.file, { readonly: true, fileMustExist: true })
  const [first] = sqlite.pragma('integrity_check(1)')
  const broken = sqlite.pragma('foreign_key_check').length
  sqlite.close()
  parentPort.postMessage({ integrity: first.integrity_check, broken })
} catch (error) {
  parentPort.postMessage({ integrity: error.message, broken: 0 })
}
`

/** What SQLite finds wrong with a file, in words; undefined when it is whole. */
export async function findDamage(file: string, signal?: AbortSignal): Promise<string | undefined> {
  signal?.throwIfAborted()
  const library = createRequire(import.meta.url).resolve('better-sqlite3')
  const worker = new Worker(thread, { eval: true, workerData: { library, file } })
  const { integrity, broken } = await new Promise<{ integrity: string; broken: number }>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(signal?.reason ?? new Error('The check of the database ended before its time.')))
    signal?.addEventListener('abort', () => worker.terminate(), { once: true })
  })
  if (integrity !== 'ok') return `${integrity.split('\n')[0]}.`
  return broken > 0 ? `${broken} rows refer to what is not there.` : undefined
}
