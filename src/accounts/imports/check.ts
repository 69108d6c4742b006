import type { FastifyInstance } from 'fastify'
import { searchText } from '../../db/fold.ts'
import type { AccountId } from '../../db/ids.ts'
import { write } from '../../db/open.ts'
import { byItself, type Person } from '../../records/record.ts'
import { emailKey } from '../../web/fields.ts'
import { type CsvFileRow, readCsv } from './csv.ts'
import { addRows, createImport, finishChecking, type ImportKind, type NewRow } from './data.ts'
import { discardImport } from './ending/data.ts'
import type { Used } from './kinds/kind.ts'
import { kinds } from './kinds/kinds.ts'
import { UnreadableFile } from './unreadable.ts'

/** So long other requests wait while a file is checked, in milliseconds; what was checked is then written. */
const longestSlice = 8
/** At most so many rows are written at once: rows that are quick to check can still be slow to write. */
const mostAtOnce = 100

/**
 * Reads a file and checks each row: the number of its import, and the columns that were left out. Throws an
 * UnreadableFile or a TooMany; nothing of the file is kept then, and `sweep` deletes what was read.
 */
export async function checkFile(
  { db, storage, now }: Pick<FastifyInstance, 'db' | 'storage' | 'now'>,
  actor: () => Person,
  { accountId, kind, bytes, name }: { accountId: AccountId; kind: ImportKind; bytes: Uint8Array; name: string },
  sweep: () => void,
): Promise<{ id: number; leftOut: string[] }> {
  const fileName = name.replaceAll(/[\p{Cc}\p{Cs}]/gu, '').slice(0, 100)
  const id = createImport(db, actor(), accountId, { kind, fileName })
  try {
    const { header, leftOut, rows } = readCsv(bytes, kinds[kind].columns)
    const used: Used = { lines: new Map() }
    let unreadAfter: number | null = null
    let checked: NewRow[] = []
    let until = performance.now() + longestSlice
    for (const row of rows) {
      if (row) checked.push(checkRow(row))
      if (row?.last) unreadAfter = row.line
      if (performance.now() < until && checked.length < mostAtOnce) continue
      save()
      await new Promise((resolve) => setImmediate(resolve))
      until = performance.now() + longestSlice
    }
    save()
    finishChecking(db, actor(), id, { header, leftOut, unreadAfter })
    return { id, leftOut }

    function checkRow(row: CsvFileRow): NewRow {
      return rowOf(row, kind, (values) => kinds[kind].check(db, { accountId, values, line: row.line, used }, now()))
    }

    function save(): void {
      if (!write(db, actor(), (tx) => addRows(tx, id, checked)))
        throw new UnreadableFile('Somebody discarded this file while it was being read.')
      checked = []
    }
  } catch (error) {
    const discard = () => {
      discardImport(db, byItself(now()), { id, accountId })
      sweep()
    }
    storage.note(error)
    if (!storage.attempt(discard)) storage.afterwards(discard)
    throw error
  }
}

type Check = (values: Record<string, string>) => ReturnType<(typeof kinds)[ImportKind]['check']>

function rowOf({ line, cells, values, problem }: CsvFileRow, kind: ImportKind, check: Check): NewRow {
  const { emailColumn, columns } = kinds[kind]
  const email = withoutInvisible(values[emailColumn] ?? '')
  const subject = columns.required
    .map((name) => values[name] ?? '')
    .join(' ')
    .trim()
  const checked = problem
    ? { subject: subject || (cells[0] ?? ''), wrong: problem }
    : check({ ...values, [emailColumn]: email })
  const subjectShown = checked.subject.slice(0, 300)
  const row = {
    line,
    emailKey: email ? emailKey(email) : null,
    subject: subjectShown,
    input: '',
    cells: JSON.stringify(cells),
    search: searchText(subjectShown),
    unchanged: false,
  }
  if ('wrong' in checked) return { ...row, state: 'wrong', words: checked.wrong }
  if ('unchanged' in checked) return { ...row, state: 'done', words: checked.unchanged, unchanged: true, cells: null }
  return { ...row, state: 'ready', input: JSON.stringify(checked.input), words: checked.words }
}

/** No address holds what cannot be seen: it came along when the address was copied. */
function withoutInvisible(email: string): string {
  return email.replaceAll(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '')
}
