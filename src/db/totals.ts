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

type Kept = { upTo: number; at: number; value: unknown }
const keptValues = perConnection(() => new Map<string, Kept>())
const keptFor = 60_000

/**
 * What was made less than a minute before `at` (milliseconds), if a record (`has`) was there already: for what takes a
 * look at much, and for which a minute ago is good enough until the viewer’s own act. `newest` reads the newest record.
 */
export function forAMinute<Value>(
  db: Db,
  key: string,
  { has, newest, at }: { has: number; newest: () => number; at: number },
  make: () => Value,
): Value {
  const all = keptValues(db)
  const known = all.get(key)
  if (known && has <= known.upTo && at >= known.at && at - known.at < keptFor) return known.value as Value
  const upTo = newest()
  const value = make()
  if (all.size >= mostTotals) all.clear()
  all.set(key, { upTo, at, value })
  return value
}

/** An earlier count, if nothing has been written since, by this process or another. */
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
