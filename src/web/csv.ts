import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { stringify } from 'csv-stringify'
import type { FastifyReply } from 'fastify'

/** A row of a download: its columns by name, the same in every row. */
export type CsvRow = Record<string, string | number | null>

/**
 * Sends rows as a CSV file, as they come: UTF-8 with a BOM, since spreadsheets take it for something else
 * without one; cells that would start a formula are neutralised (OWASP: CSV Injection).
 */
export function csvDownload(reply: FastifyReply, name: string, rows: Iterable<CsvRow>) {
  const file = stringify({ header: true, bom: true, escape_formulas: true, record_delimiter: 'windows' })
  pipeline(Readable.from(rows), file).catch((error) => reply.log.error({ err: error }, 'the download broke off'))
  return reply
    .type('text/csv; charset=utf-8')
    .header('content-disposition', `attachment; filename="${name}"`)
    .send(file)
}
