import { presentReader, type Reader } from './reader.ts'

// Made when first used for a time zone: they take long, and the log-in page needs none of them.
const formats = {
  day: { dateStyle: 'medium' },
  minute: { dateStyle: 'medium', timeStyle: 'short' },
  monthOfYear: { month: 'long', year: 'numeric' },
  hours: { timeStyle: 'short' },
  weekday: { weekday: 'long', day: 'numeric', month: 'long' },
  zone: { timeZoneName: 'short' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

const made = new Map<string, Intl.DateTimeFormat>()

function format(name: keyof typeof formats): Intl.DateTimeFormat {
  const { timeZone } = presentReader()
  const key = `${name} ${timeZone}`
  const known = made.get(key)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-GB', { ...formats[name], timeZone: timeZone || 'UTC' })
  made.set(key, format)
  return format
}

const wholes: Record<Reader['numbers'], (text: string) => string> = {
  '': (text) => text,
  point: (text) => text.replaceAll(',', '.'),
  space: (text) => text.replaceAll(',', '\u202f'),
}
let whole: Intl.NumberFormat | undefined

let lastDay = { hours: Number.NaN, timeZone: '', words: '' }

/** 24 Nov 2026 */
export function date(at: number): string {
  const { timeZone } = presentReader()
  // Days begin at a quarter of an hour everywhere.
  const hours = Math.floor(at / 900_000)
  // The rows of a list are often of one time, and formatting takes a while.
  if (hours !== lastDay.hours || timeZone !== lastDay.timeZone)
    lastDay = { hours, timeZone, words: format('day').format(at) }
  return lastDay.words
}

/** November 2026 */
export function month(at: number): string {
  return format('monthOfYear').format(at)
}

/** 24 Nov 2026, 07:04 UTC */
export function dateTime(at: number): string {
  return `${format('minute').format(at)} ${zone(at)}`
}

/** “UTC”, “CET”, “GMT+8” */
function zone(at: number): string {
  if (!presentReader().timeZone) return 'UTC'
  return (
    format('zone')
      .formatToParts(at)
      .find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'
  )
}

/** 07:04 */
export function time(at: number): string {
  return format('hours').format(at)
}

/** “Today, 24 November”, “Yesterday, 23 November”, “Sunday, 22 November”; the year too where it is another. */
export function dayWords(at: number, now: number): string {
  const [words, year] = [weekday(at), date(at).slice(-4)]
  const near = date(at) === date(now) ? 'Today' : date(at) === date(now - 86_400_000) ? 'Yesterday' : ''
  const day = near ? words.replace(/^\p{L}+/u, near) : words
  return year === date(now).slice(-4) ? day : `${day} ${year}`
}

/** “Good morning” before noon, then “Good afternoon”, from six on “Good evening”; “Hello” where the reader's time of day is not known. */
export function greeting(at: number): string {
  if (!presentReader().timeZone) return 'Hello'
  const hour = Number(time(at).slice(0, 2))
  if (hour < 5 || hour >= 18) return 'Good evening'
  return hour < 12 ? 'Good morning' : 'Good afternoon'
}

/** “Saturday, 28 November” */
export function weekday(at: number): string {
  return format('weekday')
    .format(at)
    .replace(/^(\p{L}+),? /u, '$1, ')
}

/** For a <time>’s datetime. */
export function isoTime(at: number): string {
  return new Date(at).toISOString()
}

/** A count that may have ended early: “10,000+”. */
export const upTo = ({ n, more }: { n: number; more: boolean }) => (more ? `${number(n)}+` : number(n))

/** “12,345”, “12.345” or “12 345”, as the reader writes it. */
export function number(count: number): string {
  if (Number.isInteger(count) && Math.abs(count) < 1_000) return String(count)
  whole ??= new Intl.NumberFormat('en-GB')
  return wholes[presentReader().numbers](whole.format(count))
}

/** “1.2”, or “1,2” */
function tenths(value: number): string {
  return presentReader().numbers === '' ? value.toFixed(1) : value.toFixed(1).replace('.', ',')
}

/** “12 units”. Of storage, the largest unit that needs no fraction, as people say it: “64 GB”, from “65536 MiB”. */
export function withUnit(value: number, { unit }: { unit: string }): string {
  const stepOfUnit = storageUnit(unit)
  let [size, step] = [value, stepOfUnit]
  if (value > 0 && stepOfUnit >= 0) for (; size % 1_024 === 0 && step < 3; step++) size /= 1_024
  if (step > stepOfUnit) return `${number(size)} ${'KMGT'[step]}B`
  return unit ? `${number(value)} ${unit}` : number(value)
}

/** What is used of a limit: “3 / 4”; of storage “512 MiB / 4 GB”, since the two may have other units. */
export function useInWords(allocated: number, limit: number, { unit }: { unit: string }, between = '/'): string {
  const used = storageUnit(unit) >= 0 ? withUnit(allocated, { unit }) : number(allocated)
  return `${used} ${between} ${withUnit(limit, { unit })}`
}

/** The part of a limit that is allocated, as the cells of lists draw it (app.css); undefined where there is nothing to draw. */
export function twentieths({ allocated, limit }: { allocated: number; limit: number | null }): number | undefined {
  if (limit === null || allocated > limit) return undefined
  if (limit === 0) return 20
  return Math.max(Math.floor((allocated / limit) * 20), allocated > 0 ? 1 : 0)
}

/** 0 for KiB to 3 for TiB; -1 for what is no storage. */
const storageUnit = (unit: string) => 'KMGT'.indexOf(/^([KMGT])iB$/i.exec(unit)?.[1]?.toUpperCase() ?? '-')

/** “1 project”, “2 projects” */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`
}

/** “no projects”, “1 project”, “2 projects”: in sentences, where a 0 reads like a mistake. */
export function pluralOrNo(count: number, one: string, many = `${one}s`): string {
  return count === 0 ? `no ${many}` : plural(count, one, many)
}

/** A time span in its largest unit: “a moment”, “5 minutes”, “3 days”. */
export function duration(time: number): string {
  const minutes = Math.floor(time / 60_000)
  if (minutes < 1) return 'a moment'
  if (minutes < 120) return plural(minutes, 'minute')
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? plural(hours, 'hour') : plural(Math.floor(hours / 24), 'day')
}

/** “640 KiB”, “1.2 GiB” */
export function fileSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0)
  const value = bytes / 1024 ** unit
  return `${unit > 0 && value < 10 ? tenths(value) : number(Math.round(value))} ${units[unit]}`
}

/** An address with a query, without empty values. */
export function address(path: string, query: Record<string, string | number>): string {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== 1)
  return given.length > 0
    ? `${path}?${new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])))}`
    : path
}

/** The browser and system of a User-Agent, as far as their owner tells them apart: “Firefox on Linux”. */
export function browserName(userAgent: string): string {
  const first = (names: [pattern: RegExp, name: string][]) => names.find(([pattern]) => pattern.test(userAgent))?.[1]
  const browser = first([
    [/Edg/, 'Edge'],
    [/OPR/, 'Opera'],
    [/Firefox/, 'Firefox'],
    [/Chrom/, 'Chrome'],
    [/Safari/, 'Safari'],
  ])
  const system = first([
    [/Android/, 'Android'],
    [/iPhone|iPad/, 'iOS'],
    [/Windows/, 'Windows'],
    [/Mac OS/, 'macOS'],
    [/Linux/, 'Linux'],
  ])
  return browser ? `${browser}${system ? ` on ${system}` : ''}` : 'Another browser'
}

/** The first letters of a name’s first two words: “AS” of “Autohaus Schäfer AG”. */
export function initials(name: string): string {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? []
  return words
    .slice(0, 2)
    .map((word) => String.fromCodePoint(word.codePointAt(0) ?? 0))
    .join('')
    .toUpperCase()
}

/** One of the ten hues behind initials, always the same for one identifier. */
export function hue(identifier: string | number): number {
  let sum = 0
  for (const letter of String(identifier)) sum += letter.charCodeAt(0)
  return sum % 10
}
