const day = 24 * 3_600_000
/** The daily summary is written from this time of the reader’s day on. */
const hourOfSummary = 7

const clocks = new Map<string, Intl.DateTimeFormat | undefined>()

/** Undefined for UTC, and for a zone that this Node does not know. */
function clockOf(timeZone: string): Intl.DateTimeFormat | undefined {
  if (timeZone === '') return undefined
  if (!clocks.has(timeZone)) clocks.set(timeZone, newClock(timeZone))
  return clocks.get(timeZone)
}

function newClock(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'short', timeStyle: 'medium' })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** What a clock on the wall shows there, as if it were UTC. */
function shown(at: number, timeZone: string): number {
  const parts = clockOf(timeZone)?.formatToParts(at)
  if (!parts) return at
  const part = (name: Intl.DateTimeFormatPartTypes) => Number(parts.find(({ type }) => type === name)?.value)
  const time = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  return time + (at % 1_000)
}

/** When it last was seven in the morning there: the summary tells of what happened before. */
export function lastMorning(at: number, timeZone: string): number {
  const here = shown(at, timeZone)
  const today = Math.floor(here / day) * day + hourOfSummary * 3_600_000
  const wanted = today <= here ? today : today - day
  // The clocks may have changed since: what they show then counts.
  const near = wanted - (here - at)
  return near - (shown(near, timeZone) - wanted)
}

/** The same for many readers, by time zone. */
export function lastMornings(at: number): (timeZone: string) => number {
  const known = new Map<string, number>()
  return (timeZone) => {
    const morning = known.get(timeZone) ?? lastMorning(at, timeZone)
    known.set(timeZone, morning)
    return morning
  }
}
