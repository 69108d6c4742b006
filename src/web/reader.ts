import { AsyncLocalStorage } from 'node:async_hooks'

/** How somebody reads times and numbers. */
export type Reader = { timeZone: string; numbers: '' | 'point' | 'space' }

/** UTC and 1,000.5: visitors, the command line, logs and files. */
export const anybody: Reader = { timeZone: '', numbers: '' }

const readers = new AsyncLocalStorage<Reader>()

/** Runs something whose times and numbers this reader will see. */
export function forReader<Result>({ timeZone, numbers }: Reader, run: () => Result): Result {
  return readers.run({ timeZone, numbers }, run)
}

export function presentReader(): Reader {
  return readers.getStore() ?? anybody
}

/** Names that ICU still calls as they were. */
const renamed: Record<string, string> = {
  'America/Buenos_Aires': 'America/Argentina/Buenos_Aires',
  'Asia/Calcutta': 'Asia/Kolkata',
  'Asia/Katmandu': 'Asia/Kathmandu',
  'Asia/Rangoon': 'Asia/Yangon',
  'Asia/Saigon': 'Asia/Ho_Chi_Minh',
  'Europe/Kiev': 'Europe/Kyiv',
}

/** The time zones that a user can choose, beside UTC and that of the browser. */
export const timeZones: readonly string[] = Intl.supportedValuesOf('timeZone')
  .map((zone) => renamed[zone] ?? zone)
  .filter((zone) => zone !== 'UTC')
  .sort()

const known = new Set(timeZones)

/** Set by public/app.js. */
const zoneCookie = 'meshpanel-zone'

/** Names of UTC that browsers use. */
const utc = ['UTC', 'Etc/UTC', 'Etc/UCT', 'UCT', 'Etc/GMT', 'GMT', 'Etc/Universal', 'Universal', 'Etc/Zulu', 'Zulu']

/** The time zone that the browser of a request names, empty for UTC; undefined where it names none that is known. */
export function zoneOfBrowser({ cookies }: { cookies: Record<string, string | undefined> }): string | undefined {
  const named = cookies[zoneCookie] ?? ''
  if (utc.includes(named)) return ''
  const zone = Object.hasOwn(renamed, named) ? (renamed[named] ?? '') : named
  return known.has(zone) ? zone : undefined
}
