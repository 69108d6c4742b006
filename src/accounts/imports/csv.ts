import { asTyped } from '../../web/lists/csv.ts'
import { trimmed } from '../../web/visible.ts'
import { decode, noCharacter } from './decode.ts'
import { type Columns, type Header, knownColumn, readHeader, whyColumn } from './header.ts'
import { type FileRow, readLine, readRows } from './rows.ts'
import { UnreadableFile } from './unreadable.ts'

// Reads the CSV files that people have: from Excel and LibreOffice, with commas, semicolons, tabs or bars, in UTF-8,
// UTF-16 or Windows-1252, and the panel's own downloads.

export const mostRows = 50_000

/** A row with its cells as the file has them, and its known columns by name; or why it cannot be used. */
export type CsvFileRow = {
  line: number
  cells: string[]
  values: Record<string, string>
  problem: string | undefined
  /** Nothing after it can be read. */
  last: boolean
}

export type CsvFile = {
  /** The names of the columns, as the file has them, and those that are left out. */
  header: string[]
  leftOut: string[]
  /** Undefined comes between rows where others can have their turn. Throws an UnreadableFile for too many rows, or none. */
  rows: Iterable<CsvFileRow | undefined>
}

/** Reads a file's first line; its rows are read as they are asked for. Throws an UnreadableFile. */
export function readCsv(file: Uint8Array, columns: Columns): CsvFile {
  if (isWorkbook(file))
    throw new UnreadableFile('This is a workbook of Excel or LibreOffice. Save it as CSV there, and choose that file.')
  const parts = decode(file)
  const start = readStart(parts.next().value ?? '', columns)
  const rows = readRows(joined(start.text, parts), start.delimiter, start.line)
  const first = firstRow(rows)
  if (!first) throw new UnreadableFile('The file is empty.')
  if (first.problem) throw new UnreadableFile(`The first line cannot be used. ${problemWords[first.problem](first)}`)
  const named = withoutEnd(first.cells.map(clean))
  const why = named.indexOf(whyColumn)
  const keep: Keep = (cells) => withoutEnd(cells.map(clean)).filter((_, n) => n !== why)
  const header = readHeader(keep(first.cells), columns)
  return { header: keep(first.cells), leftOut: header.leftOut, rows: rowsBelow(header, keep, rows) }
}

/** The cells of a row without those that the panel itself has added to a file of failed rows. */
type Keep = (cells: string[]) => string[]

function* rowsBelow(
  header: Header,
  keep: Keep,
  rows: Iterable<FileRow | undefined>,
): Generator<CsvFileRow | undefined> {
  let count = 0
  for (const row of rows) {
    if (row && ++count > mostRows) throw new UnreadableFile(`The file holds more than ${mostRows} rows. Split it.`)
    yield row && asFileRow(header, row, keep(row.cells))
  }
  if (count === 0) throw new UnreadableFile('The file holds its column names, and no row.')
}

function asFileRow({ names }: Header, row: FileRow, cells: string[]): CsvFileRow {
  const values: Record<string, string> = {}
  names.forEach((name, n) => {
    if (name) values[name] = oneLine(cells[n] ?? '')
  })
  return { line: row.line, cells, values, problem: problemOf(names, row, cells), last: row.problem === 'unclosed' }
}

const problemWords = {
  unclosed: ({ line }: FileRow) =>
    `A quotation mark is opened in line ${line} and never closed. What comes after it was not read.`,
  'too-long': () => 'This row is longer than 64 KiB.',
}

function problemOf(names: Header['names'], row: FileRow, cells: string[]): string | undefined {
  if (row.problem) return problemWords[row.problem](row)
  if (cells.some((cell, n) => names[n] && holdsNoCharacter.test(cell)))
    return `Line ${row.line} holds a byte that is no character. Type the text again, or save the file as UTF-8.`
  if (cells.length > names.length)
    return `This row holds ${cells.length} cells, but the first line names ${names.length} columns.`
  return undefined
}

const holdsNoCharacter = new RegExp(`[\\0${noCharacter}]`)

/** A cell without what came along at its ends, and without what our downloads put before a formula. */
const clean = (cell: string) => asTyped(trimmed(cell))

/** Names and addresses are one line. */
const oneLine = (cell: string) =>
  cell
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .join(' ')

/** Spreadsheets end lines with empty cells. */
function withoutEnd(cells: string[]): string[] {
  return cells.slice(0, cells.findLastIndex((cell) => cell !== '') + 1)
}

/** So many parts of a file may be empty before its first line. */
const mostEmpty = 8

function firstRow(rows: Iterator<FileRow | undefined>): FileRow | undefined {
  let empty = 0
  for (let next = rows.next(); !next.done && empty < mostEmpty; next = rows.next()) {
    if (next.value) return next.value
    empty++
  }
  return undefined
}

function* joined(first: string, rest: Iterable<string>): Generator<string> {
  yield first
  yield* rest
}

/**
 * Excel may write `sep=;` as the first line, and spreadsheets save that line again as a row of theirs: it is left out.
 * What parts the columns is what makes most of them known.
 */
function readStart(start: string, columns: Columns): { text: string; line: number; delimiter: string } {
  const [said = '', mark] = /^\ufeff?"?sep=([^"\r\n])"?[,;\t|]*(?:\r\n|\n|\r)/i.exec(start) ?? []
  const text = start.slice(said.length).replace(/^\ufeff/, '')
  const header = text.split(/[\r\n]+/).find((line) => line.trim()) ?? ''
  let best = { delimiter: mark ?? ',', known: -1, cells: 0 }
  for (const delimiter of [mark ?? ',', ',', ';', '\t', '|']) {
    const cells: string[] = []
    readLine(header, delimiter, cells)
    const known = cells.filter((cell) => knownColumn(trimmed(cell), columns)).length
    if (known > best.known || (known === best.known && !mark && cells.length > best.cells))
      best = { delimiter, known, cells: cells.length }
  }
  return { text, line: said ? 2 : 1, delimiter: best.delimiter }
}

/** Of Excel and LibreOffice: a ZIP archive, or what Excel wrote until 2003. */
function isWorkbook(file: Uint8Array): boolean {
  const start = Buffer.from(file.subarray(0, 4)).toString('hex')
  return ['504b0304', '504b0506', 'd0cf11e0'].includes(start)
}
