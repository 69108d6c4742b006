import { asc, eq, gt } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { records } from '../../db/schema.ts'
import { type ChainHead, chainHash } from '../chain.ts'

const slice = 1_000

/** Every record, the oldest first, some at a time. A history that grows meanwhile is read to its end. */
export function* recordsSince(db: Db, id: number) {
  const after = (last: number) =>
    db.select().from(records).where(gt(records.id, last)).orderBy(asc(records.id)).limit(slice).all()
  for (let rows = after(id); rows.length > 0; rows = after(rows.at(-1)?.id ?? 0)) yield rows
}

/** What a backup remembers of the history, and how it is named in words. */
export type RememberedHead = ChainHead & { name: string }

export type ChainReport = { records: number; head: ChainHead; problems: string[] }

/** So many problems are told. */
const mostProblems = 20

/**
 * Reads the whole history, and says in words what was changed, removed, inserted or moved since it was written. `heads`
 * are those of backups: without them, an end that was cut off does not show.
 */
export function verifyChain(db: Db, heads: RememberedHead[] = []): ChainReport {
  const problems: string[] = []
  const tell = (problem: string) => {
    if (problems.length < mostProblems) problems.push(problem)
  }
  let before = { id: 0, hash: '' }
  let count = 0
  // Whoever inserts one may number it as they like.
  for (const rows of recordsSince(db, Number.MIN_SAFE_INTEGER))
    for (const row of rows) {
      count++
      // No part of the chain: the panel goes on from the record before it.
      if (row.hash === null) tell(`Record ${row.id} was inserted by something other than the panel.`)
      else if (row.hash !== chainHash(row, before.hash))
        tell(
          row.id > before.id + 1
            ? `${missing(before.id + 1, row.id - 1)} missing.`
            : `Record ${row.id} is not what was written, or not where it was written.`,
        )
      for (const head of heads)
        if (head.record === row.id && head.hash !== row.hash)
          tell(`The history up to record ${row.id} differs from the backup ${head.name}.`)
      before = { id: row.id, hash: row.hash ?? before.hash }
    }
  for (const { record, name } of heads)
    if (record > before.id) tell(`${missing(before.id + 1, record)} missing at the end: ${name} holds them.`)
  return { records: count, head: { record: before.id, hash: before.hash }, problems }
}

const missing = (from: number, to: number) => (from === to ? `Record ${from} is` : `Records ${from} to ${to} are`)

/** The records of restored backups, the oldest first; `at` in milliseconds since 1970. */
export function restorations(db: Db): { id: number; at: number }[] {
  return db
    .select({ id: records.id, at: records.at })
    .from(records)
    .where(eq(records.kind, 'installation.restored'))
    .orderBy(asc(records.id))
    .all()
}

/** The hash of a record; undefined where there is no such record. */
export function hashOf(db: Db, id: number): string | null | undefined {
  return db.select({ hash: records.hash }).from(records).where(eq(records.id, id)).get()?.hash
}
