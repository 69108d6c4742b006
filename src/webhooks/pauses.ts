// When a delivery that failed is tried again, in milliseconds.

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** After each try of a delivery; with the last of them 75 hours are over. */
const pauses = [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]

/** An address that fails for so long is switched off. */
export const mostFailing = 75 * hour

/** What an address may ask for by Retry-After, and more than any pause. */
const longestWait = 24 * hour
export const longestDelay = 30 * hour

/** Not all at the same time: 20 % more or less. */
const scattered = (pause: number) => Math.round(pause * (0.8 + Math.random() * 0.4))

/** The pause after so many tries of a delivery. Undefined if there are no more tries. */
export function nextPause(tries: number): number | undefined {
  const pause = pauses[tries - 1]
  return pause === undefined ? undefined : scattered(pause)
}

/** How long an address rests after so many failures in a row: each try may take 15 seconds of what all addresses share. */
export const holdAfter = (failures: number) => Math.min(5 * minute, 5 * second * 2 ** Math.min(failures - 1, 10))

/** How long to wait by the header Retry-After: seconds or a time. Null without one. */
export function readRetryAfter(text: string | undefined, now: number): number | null {
  if (text === undefined) return null
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * second : Date.parse(text) - now
  return Number.isNaN(wait) ? null : Math.min(longestWait, Math.max(0, wait))
}
