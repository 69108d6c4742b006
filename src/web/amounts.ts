import { presentReader } from './reader.ts'

// Amounts as people write them: “1,000”, “32 GB”, “1.5 TB”. A field holds whole numbers of its own unit.

/** How many bytes a unit of storage has, by the word that people use; null for none. */
function bytesOf(unit: string): { step: number; power: number } | null {
  const match = /^(?:([kmgtp])(i)?)?b$/i.exec(unit)
  if (!match) return null
  const [, prefix = ' ', binary] = match
  return { step: binary ? 1_024 : 1_000, power: ' kmgtp'.indexOf(prefix.toLowerCase()) }
}

/**
 * How many of its own unit another unit has. What is measured in MiB is meant in steps of 1,024 when somebody writes “GB”;
 * only “GiB” says so where the field’s own unit is decimal. Undefined for a unit of something else.
 */
function factorOf(written: string, unit: string): number | undefined {
  if (written === '' || written.toLowerCase() === unit.toLowerCase()) return 1
  const [from, to] = [bytesOf(written), bytesOf(unit)]
  if (!from || !to) return undefined
  // In a decimal field, “GiB” would be no whole number of anything.
  if (to.step === 1_000 && from.step !== 1_000) return undefined
  return to.step ** (from.power - to.power)
}

/** Groups of three, as in “1,000”, “1 000” and “1’000”; a point would be a decimal one elsewhere. */
const grouped = /^[1-9][0-9]{0,2}([,’' \u00a0\u202f])[0-9]{3}(?:\1[0-9]{3})*$/
/** In “1.000”, for readers who write it so: the point is no decimal one then. */
const groupedByPoints = /^[1-9][0-9]{0,2}(?:\.[0-9]{3})+$/
const plain = /^(?:0|[1-9][0-9]{0,8})$/
const decimal = /^(?:0|[1-9][0-9]{0,8})[.,][0-9]{1,2}$/

const most = 999_999_999

/** The text without a unit such as “m²”, which holds more than letters. */
function withoutUnit(text: string, unit: string): string {
  const endsInIt = !/^[a-z]*$/i.test(unit) && text.toLowerCase().endsWith(unit.toLowerCase())
  return endsInIt ? text.slice(0, -unit.length).trimEnd() : text
}

/** The number that somebody wrote, in whole units of the field; undefined where it is none. */
export function readAmount(text: string, unit: string): number | undefined {
  const pattern = /^([0-9][0-9.,’' \u00a0\u202f]*?)[ \u00a0\u202f]*([a-z]*)$/i
  const [, figures = '', written = ''] = pattern.exec(withoutUnit(text, unit)) ?? []
  const factor = factorOf(written, unit)
  if (factor === undefined) return undefined
  const number = plain.test(figures)
    ? Number(figures)
    : grouped.test(figures) || (presentReader().numbers === 'point' && groupedByPoints.test(figures))
      ? Number(figures.replaceAll(/[^0-9]/g, ''))
      : decimal.test(figures) && factor > 1
        ? Number(figures.replace(',', '.'))
        : Number.NaN
  const amount = Math.round(number * factor)
  const isWhole = Math.abs(number * factor - amount) < 1e-9 * Math.max(1, amount)
  return isWhole && amount <= most ? amount : undefined
}
