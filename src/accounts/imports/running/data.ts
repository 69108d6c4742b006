import { and, asc, eq, not, sql } from 'drizzle-orm'
import type { Db } from '../../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../../db/prepared.ts'
import { importRows, imports } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import type { ImportRow } from '../data.ts'

// What the worker reads and writes while it carries imports out.

const running = prepared((db, { waiting }: Placeholders<{ waiting: string }>) =>
  db
    .select()
    .from(imports)
    .where(and(eq(imports.state, 'running'), not(isOneOf(imports.id, waiting))))
    .orderBy(asc(imports.id))
    .limit(1)
    .prepare(),
)

/** The import that the worker continues: the oldest that does not wait. */
export function findRunning(db: Db, waiting: number[]): typeof imports.$inferSelect | undefined {
  return running(db).get({ waiting: JSON.stringify(waiting) })
}

type Ready = { importId: number; waiting: string; limit: number }

const readyRows = prepared((db, { importId, waiting, limit }: Placeholders<Ready>) =>
  db
    .select()
    .from(importRows)
    .where(
      and(equals(importRows.importId, importId), eq(importRows.state, 'ready'), not(isOneOf(importRows.line, waiting))),
    )
    .orderBy(asc(importRows.line))
    .limit(limit)
    .prepare(),
)

/** Rows of an import that are to be carried out, without those that wait. */
export function listReadyRows(db: Db, importId: number, waiting: number[], limit: number): ImportRow[] {
  return readyRows(db).all({ importId, waiting: JSON.stringify(waiting), limit })
}

type Mark = Pick<ImportRow, 'importId' | 'line' | 'state' | 'words' | 'invitationId'>

const markedRow = prepared((db, { importId, line, state, words, invitationId }: Placeholders<Mark>) =>
  db
    .update(importRows)
    .set({
      state: sql`${state}`,
      words: sql`${words}`,
      invitationId: sql`${invitationId}`,
      cells: sql`case ${state} when 'done' then null else cells end`,
    })
    .where(and(equals(importRows.importId, importId), equals(importRows.line, line)))
    .prepare(),
)

/** Notes what became of a row, in the transaction that has done it: a row that is done needs its cells no more. */
export function markRow(
  tx: Db,
  { importId, line }: ImportRow,
  state: 'done' | 'failed',
  { words, invitationId = null }: { words: string; invitationId?: number | null },
): void {
  markedRow(tx).run({ importId, line, state, words, invitationId })
}
