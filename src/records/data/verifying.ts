import { asc, desc, eq, gt } from 'drizzle-orm'
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
  for (const rows of recordsSince(db, 0))
    for (const row of rows) {
      count++
      const wanted = chainHash(row, before.hash)
      if (row.hash === null) tell(`Record ${row.id} was inserted by something other than the panel.`)
      else if (row.hash !== wanted)
        tell(
          row.id > before.id + 1
            ? `${missing(before.id + 1, row.id - 1)} missing.`
            : `Record ${row.id} is not what was written, or not where it was written.`,
        )
      for (const head of heads)
        if (head.record === row.id && head.hash !== row.hash)
          tell(`Up to record ${row.id}, the history is not the one that ${head.name} holds.`)
      before = { id: row.id, hash: row.hash ?? wanted }
    }
  for (const { record, name } of heads)
    if (record > before.id) tell(`${missing(before.id + 1, record)} missing at the end: ${name} holds them.`)
  return { records: count, head: { record: before.id, hash: before.hash }, problems }
}

const missing = (from: number, to: number) => (from === to ? `Record ${from} is` : `Records ${from} to ${to} are`)

/** When a backup was last restored, in milliseconds since 1970; 0 if never. */
export function lastRestored(db: Db): number {
  const row = db
    .select({ at: records.at })
    .from(records)
    .where(eq(records.kind, 'installation.restored'))
    .orderBy(desc(records.id))
    .limit(1)
    .get()
  return row?.at ?? 0
}
