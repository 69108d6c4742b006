import type Database from 'better-sqlite3'
import type { Db } from './open.ts'
import { perConnection } from './prepared.ts'

/** So many values are kept at most. */
const mostKept = 1_000

/** Drizzle keeps it out of its types. */
const clientOf = (db: Db) => (db as unknown as { session: { client: Database.Database } }).session.client

/** What was read under a key, or `read` where that is not known. */
type Reading<Value> = (db: Db, key: string, read: () => Value) => Value

/**
 * Keeps what was read for as long as nobody has written anything: neither this connection nor another. So it is never
 * older than a query would be. Nothing that is read in a transaction is kept, since that may be taken back.
 */
export function untilWritten<Value>(): Reading<Value> {
  const keptOf = perConnection((db) => {
    const client = clientOf(db)
    const writes = client.prepare('select total_changes(), data_version from pragma_data_version').raw()
    const values = new Map<string, Value>()
    let version = ''
    return { client, values, forgetOld }

    function forgetOld(): void {
      const now = String(writes.get())
      if (now === version) return
      values.clear()
      version = now
    }
  })
  return (db, key, read) => {
    const { client, values, forgetOld } = keptOf(db)
    forgetOld()
    const known = values.get(key)
    if (known !== undefined || values.has(key)) return known as Value
    const value = read()
    if (client.inTransaction) return value
    // Keys that somebody makes up must not take the room of others for good.
    if (values.size >= mostKept) values.clear()
    values.set(key, value)
    return value
  }
}
