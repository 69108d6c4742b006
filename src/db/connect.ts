import Database from 'better-sqlite3'
import type { Connection } from './open.ts'
import { StartError } from './start-error.ts'

/** Milliseconds that a write waits for another program, such as a short act of the command line. */
export const longestWait = 5_000

const pragmas = {
  journal_mode: 'wal',
  synchronous: 2,
  // What is deleted or replaced is overwritten with zeros; traces.ts sees to the rest.
  secure_delete: 1,
  foreign_keys: 1,
  busy_timeout: longestWait,
  trusted_schema: 0,
}

/** Opens a database file for writing, with the settings that durability rests on. */
export function connect(file: string): Database.Database {
  const sqlite = new Database(file)
  for (const [name, value] of Object.entries(pragmas)) {
    sqlite.pragma(`${name} = ${value}`)
    const actual = sqlite.pragma(name, { simple: true })
    if (actual !== value) throw new StartError(`SQLite refused ${name} = ${value} on ${file}: it is ${actual}.`)
  }
  // Of pages that were read, in KiB: the upper ones of large indexes stay.
  sqlite.pragma('cache_size = -16000')
  return sqlite
}

/** How long this connection waits for another program, in milliseconds: all other requests wait with it. */
export function waitForLock(db: Connection, time: number): void {
  db.$client.pragma(`busy_timeout = ${time}`)
}

/** So many statements are kept compiled: more than the pages have. */
const mostStatements = 500

/**
 * Keeps statements compiled. Drizzle writes the SQL of a query again each time and has it compiled each
 * time, which costs more than most queries do.
 */
export function keepStatements(sqlite: Database.Database): void {
  const prepare = sqlite.prepare.bind(sqlite)
  const statements = new Map<string, Database.Statement>()
  sqlite.prepare = ((source: string) => {
    const known = statements.get(source)
    // The previous user may have asked for rows as lists.
    if (known) return known.reader ? known.raw(false) : known
    const statement = prepare(source)
    if (statements.size >= mostStatements) statements.clear()
    statements.set(source, statement)
    return statement
  }) as typeof sqlite.prepare
}
