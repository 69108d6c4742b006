import { and, asc, count, eq, gt, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import { type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Authority, type Db, write } from '../../db/open.ts'
import { equals, placeholdersOf, preparedInsert } from '../../db/prepared.ts'
import { importRows, imports, users } from '../../db/schema.ts'
import { holds, searchWords, type Word } from '../../db/search.ts'
import { allowFile } from '../../mail/allowance.ts'
import { type Person, record } from '../../records/record.ts'

export type Import = typeof imports.$inferSelect & { creator: string }
export type ImportKind = Import['kind']
export type ImportRow = typeof importRows.$inferSelect
export type NewRow = Omit<ImportRow, 'importId' | 'invitationId'>

/** Begins to read a file. Throws a TooMany. */
export function createImport(
  db: Db,
  actor: Person,
  accountId: AccountId,
  { kind, fileName }: { kind: ImportKind; fileName: string },
): number {
  return write(db, actor, (tx) => {
    allowFile(tx, actor.at, accountId)
    const [created] = tx
      .insert(imports)
      .values({
        accountId,
        kind,
        fileName,
        createdBy: actor.userId,
        createdAt: actor.at,
        ip: actor.ip,
        requestId: actor.requestId,
      })
      .returning({ id: imports.id })
      .all()
    if (!created) throw new Error('The import was not written.')
    return created.id
  })
}

const newRow = preparedInsert(importRows, (insert) => insert.prepare())

/** False when the import was discarded. */
export function addRows(tx: Db, importId: number, rows: NewRow[]): boolean {
  const where = and(eq(imports.id, importId), isNull(imports.discardedAt))
  if (!tx.select({ id: imports.id }).from(imports).where(where).get()) return false
  for (const row of rows) newRow(tx).run({ importId, ...row })
  return true
}

/** The file was read to its end, or up to the line whose quotation mark is never closed. */
export function finishChecking(
  db: Db,
  actor: Authority,
  importId: number,
  { header, leftOut, unreadAfter }: { header: string[]; leftOut: string[]; unreadAfter: number | null },
): void {
  const read = { header: JSON.stringify(header), leftOut: JSON.stringify(leftOut), unreadAfter }
  write(db, actor, (tx) =>
    tx
      .update(imports)
      .set({ state: 'ready', ...read })
      .where(eq(imports.id, importId))
      .run(),
  )
}

export const importList = {
  name: 'imports',
  id: imports.id,
  idOf: (one) => one.id,
  sorts: { newest: { words: 'Newest first', column: imports.id, order: 'desc', value: (one) => one.id } },
  columns: {
    file: { head: 'File', look: 'main', file: ({ fileName }) => fileName },
    state: { head: 'State', file: ({ state }) => state },
    by: { head: 'By', look: 'trim not-narrow', file: ({ creator }) => creator },
    read: { head: 'Read', look: 'muted' },
  },
  filters: {},
} as const satisfies ListSpec<Import>

/** An account's imports of a kind. */
export function listImports(db: Db, accountId: AccountId, kind: ImportKind, query: ListQuery): List<Import> {
  const values = { accountId }
  const condition = and(
    equals(imports.accountId, placeholdersOf(values).accountId),
    eq(imports.kind, kind),
    isNull(imports.discardedAt),
  )
  return readPage(db, importList, query, {
    shape: kind,
    values,
    narrowed: undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select({ one: imports, creator: users.name })
        .from(imports)
        .innerJoin(users, eq(users.id, imports.createdBy))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: imports.id }).from(imports).where(and(condition, where)).limit(limit),
    seen: (rows) => rows.map(({ one, creator }) => ({ ...one, creator })),
  })
}

export function findImport(db: Db, accountId: AccountId, kind: ImportKind, id: number): Import | undefined {
  const row = db
    .select({ one: imports, creator: users.name })
    .from(imports)
    .innerJoin(users, eq(users.id, imports.createdBy))
    .where(
      and(eq(imports.accountId, accountId), eq(imports.kind, kind), eq(imports.id, id), isNull(imports.discardedAt)),
    )
    .get()
  return row && { ...row.one, creator: row.creator }
}

export const importRowList = {
  name: 'import-rows',
  id: importRows.line,
  idOf: (row) => row.line,
  sorts: { line: { words: 'As in the file', column: importRows.line, order: 'asc', value: (row) => row.line } },
  columns: {
    line: { head: 'Line', look: 'num muted', label: true, file: ({ line }) => line },
    subject: { head: 'Row', look: 'main', file: ({ subject }) => subject },
    state: { head: 'State', file: ({ state }) => state },
    words: { head: 'What', look: 'wrap', file: ({ words }) => words },
  },
  filters: {
    state: {
      ready: 'To be carried out',
      wrong: 'Wrong',
      done: 'Done',
      unchanged: 'Nothing to change',
      failed: 'Failed',
    },
  },
} as const satisfies ListSpec<ImportRow>

export type ImportRowFilter = keyof typeof importRowList.filters

/** The rows of an import that was found for its account. */
export function listImportRows(db: Db, importId: number, query: ListQuery<ImportRowFilter>): List<ImportRow> {
  const { state } = query.filters
  const words = searchWords(query.q)
  const values = { importId }
  const condition = equals(importRows.importId, placeholdersOf(values).importId)
  return readPage(db, importRowList, query, {
    values,
    narrowed: and(inState(state), words.length > 0 ? inArray(importRows.line, foundIn(importId, words)) : undefined),
    rows: ({ where, orderBy, limit }) =>
      db
        .select()
        .from(importRows)
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: importRows.line }).from(importRows).where(and(condition, where)).limit(limit),
    seen: (rows) => rows,
  })
}

/** The lines of an import that hold all these words, by an index that holds nothing else of the rows. */
function foundIn(importId: number, words: Word[]): SQL {
  return sql`(select line from import_rows indexed by import_rows_search
    where import_id = ${importId} and ${holds(sql`search`, words)})`
}

function inState(state: string): SQL | undefined {
  if (state === 'unchanged') return eq(importRows.unchanged, true)
  if (state === 'done') return and(eq(importRows.state, 'done'), eq(importRows.unchanged, false))
  return state ? eq(importRows.state, state as ImportRow['state']) : undefined
}

export type RowCounts = Record<ImportRow['state'] | 'unchanged', number>

/** How many rows of an import are in each state; those with nothing to change are not among those done. */
export function countImportRows(db: Db, importId: number): RowCounts {
  const rows = db
    .select({ state: importRows.state, n: count() })
    .from(importRows)
    .where(eq(importRows.importId, importId))
    .groupBy(importRows.state)
    .all()
  const of = (state: ImportRow['state']) => rows.find((row) => row.state === state)?.n ?? 0
  const unchanged = db
    .select({ n: count() })
    .from(importRows)
    .where(and(eq(importRows.importId, importId), sql`unchanged`))
    .get()
  const same = unchanged?.n ?? 0
  return { ready: of('ready'), wrong: of('wrong'), done: of('done') - same, failed: of('failed'), unchanged: same }
}

/** The rows that did not get in, as the file had them, some after a line; those of a deleted user are gone. */
export function listFailedRows(db: Db, importId: number, after: number, limit: number) {
  return db
    .select({ line: importRows.line, cells: importRows.cells, words: importRows.words, state: importRows.state })
    .from(importRows)
    .where(
      and(
        eq(importRows.importId, importId),
        gt(importRows.line, after),
        inArray(importRows.state, ['wrong', 'failed', 'ready']),
      ),
    )
    .orderBy(asc(importRows.line))
    .limit(limit)
    .all()
}

/** Lets the worker carry out the ready rows. False if it was already started or discarded. */
export function startImport(db: Db, actor: Person, { id, accountId }: Import): boolean {
  return write(db, actor, (tx) => {
    const started = tx
      .update(imports)
      .set({ state: 'running', createdBy: actor.userId, ip: actor.ip, requestId: actor.requestId })
      .where(and(eq(imports.id, id), eq(imports.accountId, accountId), eq(imports.state, 'ready')))
      .run().changes
    if (started) {
      const { ready, wrong } = countImportRows(tx, id)
      record(tx, actor, { kind: 'import.started', accountId, change: { rows: [null, ready], wrong: [null, wrong] } })
    }
    return started === 1
  })
}
