import { UnreadableFile } from './unreadable.ts'

/** What a file can hold: `also` are other words for a column, `own` what the panel's own downloads hold besides. */
export type Columns = {
  known: readonly string[]
  required: readonly string[]
  also: Readonly<Record<string, readonly string[]>>
  own: readonly string[]
}

/** The known column of each cell in a row, and the columns that are ignored, as the file names them. */
export type Header = { names: (string | undefined)[]; leftOut: string[] }

/** Downloads of failed rows say why in it; they are read without it when they are sent again. */
export const whyColumn = 'why it was not imported'

/** Upper and lower case, spaces, marks and accents make no difference. */
const plain = (name: string) =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '')

export function knownColumn(name: string, { known, also }: Columns): string | undefined {
  const wanted = plain(name)
  return known.find((one) => [one, ...(also[one] ?? [])].some((word) => plain(word) === wanted))
}

/** Throws an UnreadableFile for columns that are named twice or missing. */
export function readHeader(cells: string[], columns: Columns): Header {
  const { known, required, own } = columns
  const names = cells.map((cell) => knownColumn(cell, columns))
  const twice = known.find((name) => names.filter((one) => one === name).length > 1)
  if (twice) throw new UnreadableFile(`The first line names ${twice} twice.`)
  const missing = required.filter((name) => !names.includes(name))
  if (missing.length > 0)
    throw new UnreadableFile(
      `The first line does not name ${missing.join(', ')}. Its columns can be: ${known.join(', ')}.`,
    )
  const quiet = new Set(own.map(plain))
  const leftOut = cells.filter((cell, n) => !names[n] && !quiet.has(plain(cell)))
  return { names, leftOut: leftOut.map((name) => name || '(no name)') }
}
