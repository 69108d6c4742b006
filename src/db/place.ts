import { statSync } from 'node:fs'
import type Database from 'better-sqlite3'

// A process goes on writing to files that were moved away or deleted under it, and nobody would ever read that again.

/** Nothing may be written to this database now; `code` says why, like the codes of SQLite. */
export class Unusable extends Error {
  readonly code: 'DATABASE_MOVED' | 'DATABASE_DAMAGED'

  constructor(code: Unusable['code']) {
    super(code === 'DATABASE_MOVED' ? 'the database is not in its place' : 'the database is damaged')
    this.code = code
  }
}

type Place = { files: Map<string, string>; damaged: boolean }

const places = new WeakMap<Database.Database, Place>()

/** Remembers which files an open database has. */
export function rememberPlace(sqlite: Database.Database): void {
  const files = [sqlite.name, `${sqlite.name}-wal`].map((file) => [file, identityOf(file)] as const)
  places.set(sqlite, { files: new Map(files), damaged: false })
}

/** Nothing is written until the process starts again: damage does not heal. */
export function noteDamage(sqlite: Database.Database): void {
  const place = places.get(sqlite)
  if (place) place.damaged = true
}

/** Throws an Unusable where the files are gone or are others, or the database is damaged. Costs a few microseconds. */
export function mustBeInPlace(sqlite: Database.Database): void {
  const place = places.get(sqlite)
  if (!place) return
  if (place.damaged) throw new Unusable('DATABASE_DAMAGED')
  for (const [file, identity] of place.files) if (identityOf(file) !== identity) throw new Unusable('DATABASE_MOVED')
}

function identityOf(file: string): string {
  try {
    const { dev, ino } = statSync(file, { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return 'none'
  }
}
