import { PassThrough, pipeline, Readable } from 'node:stream'
import { ZipFile } from 'yazl'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { type Cell, csvParts } from '../../web/lists/csv.ts'
import type { ExportTable } from './data/table.ts'
import { exportTables } from './data/tables.ts'

/**
 * Everything of a living account as one ZIP archive, as it is read: each table as JSON Lines and as CSV, and
 * a README.txt that says what the fields are. `at` (milliseconds since 1970) is the time written into it.
 * Undefined when there is no such account. The stream fails when the database does.
 */
export function exportAccount(db: Db, accountId: AccountId, at: number): Readable | undefined {
  const tables = exportTables(db, accountId)
  if (!tables) return undefined
  const zip = new ZipFile()
  const archive = new PassThrough()
  const fail = (error: Error) => archive.destroy(error)
  zip.on('error', fail)
  // A reader that goes away ends the archive.
  pipeline(zip.outputStream, archive, (error) => error && fail(error))
  const add = (name: string, open: () => Readable) =>
    zip.addReadStreamLazy(name, { mtime: new Date(at) }, (pass) => pass(null, open().on('error', fail)))

  zip.addBuffer(Buffer.from(readme(tables, at)), 'README.txt', { mtime: new Date(at) })
  for (const table of tables) {
    add(`${table.name}.jsonl`, () => Readable.from(jsonLines(table), { objectMode: false }))
    add(`${table.name}.csv`, () =>
      Readable.from(csvParts(Object.keys(table.fields), cellsOf(table)), { objectMode: false }),
    )
  }
  zip.end()
  return archive
}

/** The name that the file is offered under. */
export function archiveName(identifier: string, at: number): string {
  return `${identifier}-${new Date(at).toISOString().slice(0, 10)}.zip`
}

function* cellsOf({ rows, fields }: ExportTable): Generator<Cell[]> {
  const names = Object.keys(fields)
  for (const row of rows()) yield names.map((name) => row[name] ?? null)
}

function* jsonLines({ rows }: ExportTable): Generator<string> {
  for (const row of rows()) yield `${JSON.stringify(row)}\n`
}

function readme(tables: ExportTable[], at: number): string {
  const parts = tables.map(({ name, words, fields }) => {
    const width = Math.max(...Object.keys(fields).map((field) => field.length)) + 2
    const lines = Object.entries(fields).map(([field, means]) => `  ${field.padEnd(width)}${means}`)
    return `${name}.jsonl, ${name}.csv\n${words}.\n\n${lines.join('\n')}\n`
  })
  return `The data of an account, as it was on ${new Date(at).toISOString()}.

Every table is here twice, with the same rows and fields: as JSON Lines (UTF-8, a JSON object a line) and as
CSV (UTF-8 with a BOM, separated by commas, lines ending in CR LF). In CSV files a cell that a spreadsheet
would take for a formula begins with an apostrophe. Times are in UTC (ISO 8601). What was changed while the
archive was being made may be in it or not. Passwords, links and other secrets are not in it.

${parts.join('\n\n')}`
}
