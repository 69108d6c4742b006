import type { Db } from './open.ts'
import { perConnection } from './prepared.ts'

type Kept = { upTo: number; at: number; value: unknown }
const keptValues = perConnection(() => new Map<string, Kept>())
const keptFor = 60_000
const mostKept = 1_000

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
  if (all.size >= mostKept) all.clear()
  all.set(key, { upTo, at, value })
  return value
}
