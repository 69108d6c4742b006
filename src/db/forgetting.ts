import { type SQL, sql } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Db } from './open.ts'
import type { Storage } from './storage.ts'

const hour = 3_600_000

/**
 * Forgets, every hour and at the start, what is no longer needed. `forgetSome` returns whether there may be more: requests get
 * their turn in between. Returns what ends it.
 */
export function forgetHourly(
  { storage, clockIsWrong }: { storage: Storage; clockIsWrong: () => boolean },
  forgetSome: () => boolean,
): () => void {
  let stopped = false
  const work = () => {
    let more = false
    // A clock that is wrong would take what is still needed.
    if (!stopped && !clockIsWrong())
      storage.attempt(() => {
        more = forgetSome()
      })
    if (more) setImmediate(work)
  }
  const timer = setInterval(work, hour).unref()
  setImmediate(work)
  return () => {
    stopped = true
    clearInterval(timer)
  }
}

/** Deletes at most so many rows of a table, and returns how many it deleted. */
export function deleteSome(tx: Db, table: SQLiteTable, which: SQL | undefined, most = 500): number {
  const next = tx.select({ row: sql`rowid` }).from(table).where(which).limit(most)
  return tx.delete(table).where(sql`rowid in ${next}`).run().changes
}
