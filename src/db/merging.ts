import { sql } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import { type Connection, type Db, observeWrites, writeUnchecked } from './open.ts'
import type { Storage } from './storage.ts'
import { searchIndexes } from './triggers.ts'

/** So many pages of an index are merged before requests get their turn. */
const pagesAtOnce = 16
/** Each write may add a segment to an index; after so many, the indexes are looked at. */
const writesBetween = 16

/** A merge is a write as well, of this panel or of another in the process, and no reason to merge again. */
let merging = false

/** Merges a part of a search index. False when nothing is left to merge. */
export function mergeSome(db: Db, index: string): boolean {
  const changes = () => db.get<{ n: number }>(sql`select total_changes() as n`).n
  const before = changes()
  const name = sql.identifier(index)
  writeUnchecked(db, (tx) => tx.run(sql`insert into ${name} (${name}, rank) values ('merge', ${pagesAtOnce})`))
  // The statement itself counts as one.
  return changes() - before >= 2
}

/** Merges what writes have added to the search indexes, a part at a time, so that requests come between. */
export function startMerging(db: Connection, storage: Storage, log: FastifyBaseLogger): { stop: () => Promise<void> } {
  let working: Promise<void> | undefined
  let writes = 0
  let stopped = false

  const stopObserving = observeWrites(() => {
    if (merging || ++writes < writesBetween || working || stopped) return
    writes = 0
    working = work()
      .catch((error) => log.error({ err: error }, 'the search indexes could not be merged'))
      .finally(() => {
        working = undefined
      })
  })

  async function work(): Promise<void> {
    for (const index of searchIndexes)
      for (let more = true; more && !stopped; ) {
        // What is written now is not ended yet.
        await new Promise((resolve) => setImmediate(resolve))
        merging = true
        more = false
        try {
          storage.attempt(() => {
            more = mergeSome(db, index)
          })
        } finally {
          merging = false
        }
      }
  }

  return {
    stop: async () => {
      stopped = true
      stopObserving()
      await working
    },
  }
}
