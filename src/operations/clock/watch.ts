import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../../db/open.ts'
import type { Storage } from '../../db/storage.ts'
import { type ClockTrouble, findClockTrouble, noteSeen } from './data.ts'

// A stored time is a claim, and so is the clock. What destroys by age asks here first (O-27).

export type Clock = {
  /** What is wrong with the clock, as it was at the last look. */
  readonly trouble: ClockTrouble | undefined
  /** Looks at the clock now. While it returns something, nothing may be removed for its age. */
  look: () => ClockTrouble | undefined
  stop: () => void
}

const lookEvery = 60_000

/** Notes each minute that the panel runs, and knows whether its clock agrees with what it noted before. */
export function watchClock(db: Db, storage: Storage, now: () => number, log: FastifyBaseLogger): Clock {
  let trouble: ClockTrouble | undefined
  let notedAt = 0

  function look(): ClockTrouble | undefined {
    const at = now()
    const current = findClockTrouble(db, at)
    if (current?.kind !== trouble?.kind) {
      if (current) log.error({ clock: current }, 'the clock cannot be right: nothing is removed for its age')
      else log.warn('the clock is right again')
    }
    trouble = current
    if (!current && Math.abs(at - notedAt) >= lookEvery && storage.attempt(() => noteSeen(db, at))) notedAt = at
    return trouble
  }

  function lookIfPossible(): void {
    try {
      look()
    } catch (error) {
      if (!storage.note(error)) log.error({ err: error }, 'the clock could not be compared')
    }
  }

  lookIfPossible()
  const timer = setInterval(lookIfPossible, lookEvery).unref()
  return {
    get trouble() {
      return trouble
    },
    look,
    stop: () => clearInterval(timer),
  }
}
