import type { Cell } from '../../../web/lists/csv.ts'

export type ExportRow = Record<string, Cell>

/** A table of the export: its fields, with what they mean, and its rows, each with these fields. */
export type ExportTable = {
  name: string
  words: string
  fields: Record<string, string>
  rows: () => Iterable<ExportRow>
}

/** So many rows are read at once. */
export const rowsAtOnce = 500

/** Every row, page by page; each page begins after the last id of the one before it. */
export function* everyPage(read: (after: number) => { id: number; row: ExportRow }[]): Generator<ExportRow> {
  let after = 0
  for (;;) {
    const page = read(after)
    for (const { id, row } of page) {
      yield row
      after = id
    }
    if (page.length === 0) return
  }
}
