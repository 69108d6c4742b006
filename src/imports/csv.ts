import { isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'

// Reads the CSV files that people have: from Excel and LibreOffice, with commas, semicolons or tabs, in
// UTF-8, UTF-16 or Windows-1252.

export const mostRows = 50_000

/** What keeps a file from being read, in a person's words. */
export class UnreadableFile extends Error {}

export type CsvFileRow = { line: number; values: Record<string, string> }

/**
 * The rows of a file, each with its columns by name: names are compared without case, spaces and marks.
 * Throws an UnreadableFile for broken CSV, columns that are unknown, twice or missing, and too many rows.
 */
export async function* readCsv(
  file: Uint8Array,
  columns: { known: readonly string[]; required: readonly string[] },
): AsyncGenerator<CsvFileRow> {
  const { from, delimiter } = readFirstLine(decode(file.subarray(0, decodedAtOnce)).next().value ?? '')
  const parser = parse({
    delimiter,
    bom: true,
    trim: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    max_record_size: 64 * 1024,
    from_line: from,
  })
  const source = Readable.from(decode(file), { objectMode: false })
  source.on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  let names: string[] | undefined
  let rows = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (!names) {
        names = readHeader(record, columns)
        continue
      }
      if (++rows > mostRows) throw new UnreadableFile(`The file holds more than ${mostRows} rows. Split it.`)
      if (record.length > names.length)
        throw new UnreadableFile(
          `Line ${info.lines} holds ${record.length} columns, but the first line names ${names.length}.`,
        )
      // A cell may hold line breaks: the row begins where its first line is, and a name is one line.
      const within = record.join('').split('\n').length - 1
      yield {
        line: info.lines - within,
        values: Object.fromEntries(names.map((name, n) => [name, (record[n] ?? '').replaceAll(/\s*[\r\n]+\s*/g, ' ')])),
      }
    }
  } catch (error) {
    if (error instanceof CsvError) throw new UnreadableFile(`The file is no CSV as it should be: ${brokenWords(error)}`)
    throw error
  }
  if (!names) throw new UnreadableFile('The file is empty.')
  if (rows === 0) throw new UnreadableFile('The file holds its column names, and no row.')
}

function brokenWords(error: CsvError): string {
  const line = (error as { lines?: number }).lines
  const at = line ? `line ${line}: ` : ''
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') return `${at}a quotation mark is opened and never closed.`
  if (error.code === 'CSV_MAX_RECORD_SIZE') return `${at}a row is longer than 64 KiB.`
  return `${at}a quotation mark stands where none can be.`
}

/** So many bytes are decoded at a time: as text a file takes up to three times its size. */
const decodedAtOnce = 64 * 1024

/** A byte order mark says what a file is; else it is UTF-8, or what Excel writes on Windows. */
function* decode(file: Uint8Array): Generator<string, undefined> {
  const decoder = new TextDecoder(encodingOf(file))
  for (let at = 0; at < file.length; at += decodedAtOnce)
    yield decoder.decode(file.subarray(at, at + decodedAtOnce), { stream: true })
  yield decoder.decode()
}

function encodingOf(file: Uint8Array): string {
  const [first, second] = file
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  return isUtf8(file) ? 'utf-8' : 'windows-1252'
}

/** Excel may write `sep=;` as the first line; else what stands most in the first line parts the columns. */
function readFirstLine(start: string): { from: number; delimiter: string } {
  const said = /^sep=(.)\r?\n/.exec(start)
  if (said) return { from: 2, delimiter: said[1] ?? ',' }
  const first = start.split(/\r?\n/, 1)[0] ?? ''
  const count = (mark: string) => first.split(mark).length
  const [delimiter = ','] = [',', ';', '\t'].sort((one, other) => count(other) - count(one))
  return { from: 1, delimiter }
}

function readHeader(record: string[], { known, required }: { known: readonly string[]; required: readonly string[] }) {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z]/g, '')
  const names = record.map((name) => known.find((one) => plain(one) === plain(name)) ?? '')
  const all = `Its columns can be: ${known.join(', ')}.`
  const unknown = record.filter((_, n) => !names[n])
  if (unknown.length > 0)
    throw new UnreadableFile(
      `The first line names what is no column here: ${unknown.join(', ').slice(0, 200) || '(nothing)'}. ${all}`,
    )
  const twice = names.find((name, n) => names.indexOf(name) !== n)
  if (twice) throw new UnreadableFile(`The first line names ${twice} twice.`)
  const missing = required.filter((name) => !names.includes(name))
  if (missing.length > 0) throw new UnreadableFile(`The first line does not name ${missing.join(', ')}. ${all}`)
  return names
}
