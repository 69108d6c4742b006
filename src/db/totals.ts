import { sql } from 'drizzle-orm'
import type { Db } from './open.ts'
import { perConnection, prepared } from './prepared.ts'

const writtenSoFar = prepared((db) =>
  db
    .select({
      here: sql<number>`total_changes()`,
      elsewhere: sql<number>`(select data_version from pragma_data_version)`,
    })
    .from(sql`(select 1)`)
    .prepare(),
)
const totals = perConnection(() => new Map<string, { written: string; n: number }>())
const mostTotals = 1_000

/** A number that was counted before, if nothing at all was written since, by this process or another. */
export function whileUnwritten(db: Db, key: string, count: () => number): number {
  const { here, elsewhere } = writtenSoFar(db).get() ?? { here: Number.NaN, elsewhere: Number.NaN }
  const written = `${here} ${elsewhere}`
  const known = totals(db).get(key)
  if (known?.written === written) return known.n
  const n = count()
  if (totals(db).size >= mostTotals) totals(db).clear()
  totals(db).set(key, { written, n })
  return n
}
