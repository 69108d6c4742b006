import type { Db } from '../db/open.ts'
import { equals, type Placeholders, prepared } from '../db/prepared.ts'
import { throttles } from '../db/schema.ts'

export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour

/** So many at once, then one more every so many milliseconds. */
export type Pace = { atOnce: number; every: number }

/** An act that comes too soon. Nothing was done; the message says when it is possible again. */
export class TooMany extends Error {
  readonly why: string
  /** Milliseconds until it is possible. */
  readonly wait: number
  /** It is only this address that must wait. */
  readonly ofAddress: boolean

  constructor(why: string, wait: number, ofAddress = false) {
    super(`${why} Try again in ${duration(wait)}.`)
    this.why = why
    this.wait = wait
    this.ofAddress = ofAddress
  }
}

/** What an act results in, or that it comes too soon. */
export function orTooMany<Result>(act: () => Result): Result | TooMany {
  try {
    return act()
  } catch (error) {
    if (error instanceof TooMany) return error
    throw error
  }
}

export type Allowance = { key: string; pace: Pace; why: string; ofAddress?: boolean; countedOnly?: boolean }

/** Throws a TooMany for the longest wait, and counts nothing then. */
export function allow(tx: Db, at: number, allowances: Allowance[]): void {
  for (const { key, pace, tries, fullAt } of check(tx, at, allowances)) {
    // Counting alone takes no more than there is.
    const row = { tries: tries + 1, at: Math.min(fullAt + pace.every, at + pace.atOnce * pace.every) }
    tx.insert(throttles)
      .values({ key, ...row })
      .onConflictDoUpdate({ target: throttles.key, set: row })
      .run()
  }
}

/** How full each is. Throws a TooMany for the longest wait. */
export function check(tx: Db, at: number, allowances: Allowance[]) {
  const counters = allowances.map((allowance) => ({ ...allowance, ...find(tx, allowance.key, allowance.pace, at) }))
  const waits = counters
    .filter(({ countedOnly }) => !countedOnly)
    .map(({ fullAt, pace: { atOnce, every }, why, ofAddress }) => ({
      wait: fullAt + every - at - atOnce * every,
      why,
      ofAddress,
    }))
  const [longest] = waits.sort((one, other) => other.wait - one.wait)
  if (longest && longest.wait > 0) throw new TooMany(longest.why, longest.wait, longest.ofAddress)
  return counters
}

const counter = prepared((db, { key }: Placeholders<{ key: string }>) =>
  db.select().from(throttles).where(equals(throttles.key, key)).prepare(),
)

/**
 * What is left of an allowance is kept as one time: when it is full again (the generic cell rate algorithm, ITU-T
 * I.371). A time further ahead than an empty one needs was written by a clock that was wrong.
 */
export function find(tx: Db, key: string, { atOnce, every }: Pace, at: number): { tries: number; fullAt: number } {
  const row = counter(tx).get({ key })
  // One is left then: what it costs is noted by the right clock, or it would be empty each time until that day.
  if (row && row.at > at + atOnce * every) return { tries: row.tries, fullAt: at + (atOnce - 1) * every }
  const fullAt = Math.max(row?.at ?? 0, at)
  return { tries: row && fullAt > at ? row.tries : 0, fullAt }
}

function duration(time: number): string {
  const minutes = Math.ceil(time / minute)
  const [n, unit] = minutes < 90 ? [minutes, 'minute'] : [Math.ceil(time / hour), 'hour']
  return n === 1 ? `a ${unit}` : `${n} ${unit}s`
}
