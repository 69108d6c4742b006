import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type Database from 'better-sqlite3'
import { root } from '../../src/config.ts'

// The databases of released versions: make.ts writes them, upgrade.test.ts migrates them.

const folder = join(root, 'test/releases')

/** When everything in them happened, in milliseconds since 1970. */
export const releasedAt = Date.UTC(2026, 10, 24, 12)

export const releaseFile = (version: string) => join(folder, `${version}.db.gz`)

/** The API’s document of a version, which its successors keep to (test/api/growth.test.ts). */
export const apiOfRelease = (version: string) => join(folder, `${version}.openapi.json.gz`)

export const releases = readdirSync(folder)
  .filter((file) => file.endsWith('.db.gz'))
  .map((file) => file.replace('.db.gz', ''))

/** Lays a data folder out as this version left it. */
export function unpackRelease(version: string, dataDir: string): void {
  writeFileSync(join(dataDir, 'panel.db'), gunzipSync(readFileSync(releaseFile(version))))
  writeSecrets(dataDir)
}

/** The key that letters and second factors in these databases are sealed with. */
export function writeSecrets(dataDir: string): void {
  writeFileSync(join(dataDir, 'secrets'), `${Buffer.alloc(32, 'release').toString('base64url')}\n`, { mode: 0o600 })
}

/** The tables of the panel, without those that SQLite and drizzle-kit keep for themselves. */
export function tablesOf(sqlite: Database.Database): string[] {
  return sqlite
    .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    .pluck()
    .all()
    .map(String)
    .filter((name) => !name.startsWith('sqlite_') && !name.startsWith('__'))
}
