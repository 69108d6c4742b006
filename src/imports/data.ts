import { and, asc, count, eq, inArray, lt, not, notInArray, sql } from 'drizzle-orm'
import { type List, type ListQuery, type ListSpec, readPage } from '../db/list.ts'
import { type Authority, type Db, write, writeUnchecked } from '../db/open.ts'
import { prepared } from '../db/prepared.ts'
import { importRows, imports, users } from '../db/schema.ts'
import { isOneOf } from '../db/search.ts'
import { type Actor, type Person, record } from '../history/record.ts'
import { allowFile } from '../mail/allowance.ts'

export type Import = typeof imports.$inferSelect & { creator: string }
export type ImportKind = Import['kind']
export type ImportRow = typeof importRows.$inferSelect
export type NewRow = Pick<ImportRow, 'line' | 'input' | 'subject' | 'emailKey' | 'state' | 'words'>

const day = 24 * 3_600_000
/** So long the rows of an import are kept; they hold names and e-mails. */
export const rowsKeptFor = 30 * day

/** Begins to read a file. Throws a TooMany. */
export function createImport(
  db: Db,
  actor: Person,
  accountId: number,
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

const newRow = prepared((db) =>
  db
    .insert(importRows)
    .values({
      importId: sql.placeholder('importId'),
      line: sql.placeholder('line'),
      input: sql.placeholder('input'),
      subject: sql.placeholder('subject'),
      emailKey: sql.placeholder('emailKey'),
      state: sql.placeholder('state'),
      words: sql.placeholder('words'),
    })
    .prepare(),
)

export function addRows(tx: Db, importId: number, rows: NewRow[]): void {
  for (const row of rows) newRow(tx).run({ importId, ...row })
}

/** The file was read to its end. */
export function finishChecking(db: Db, actor: Authority, importId: number): void {
  write(db, actor, (tx) => tx.update(imports).set({ state: 'ready' }).where(eq(imports.id, importId)).run())
}

export const importList = {
  name: 'imports',
  id: imports.id,
  idOf: (one) => one.id,
  sorts: { newest: { words: 'Newest first', column: imports.id, order: 'desc', value: (one) => one.id } },
  columns: { file: ({ fileName }) => fileName, state: ({ state }) => state, by: ({ creator }) => creator },
  filters: {},
} as const satisfies ListSpec<Import>

/** An account's imports of a kind. */
export function listImports(db: Db, accountId: number, kind: ImportKind, query: ListQuery): List<Import> {
  const own = and(eq(imports.accountId, sql.placeholder('accountId')), eq(imports.kind, kind))
  return readPage(db, importList, query, {
    shape: kind,
    values: { accountId },
    narrowed: undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select({ one: imports, creator: users.name })
        .from(imports)
        .innerJoin(users, eq(users.id, imports.createdBy))
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) => db.select({ one: imports.id }).from(imports).where(and(own, where)).limit(limit),
    seen: (rows) => rows.map(({ one, creator }) => ({ ...one, creator })),
  })
}

export function findImport(db: Db, accountId: number, kind: ImportKind, id: number): Import | undefined {
  const row = db
    .select({ one: imports, creator: users.name })
    .from(imports)
    .innerJoin(users, eq(users.id, imports.createdBy))
    .where(and(eq(imports.accountId, accountId), eq(imports.kind, kind), eq(imports.id, id)))
    .get()
  return row && { ...row.one, creator: row.creator }
}

export const importRowList = {
  name: 'import-rows',
  id: importRows.line,
  idOf: (row) => row.line,
  sorts: { line: { words: 'As in the file', column: importRows.line, order: 'asc', value: (row) => row.line } },
  columns: {
    line: ({ line }) => line,
    subject: ({ subject }) => subject,
    state: ({ state }) => state,
    words: ({ words }) => words,
  },
  filters: { state: { ready: 'To be carried out', wrong: 'Wrong', done: 'Done', failed: 'Failed' } },
} as const satisfies ListSpec<ImportRow>

export type ImportRowFilter = keyof typeof importRowList.filters

/** The rows of an import that was found for its account. */
export function listImportRows(db: Db, importId: number, query: ListQuery<ImportRowFilter>): List<ImportRow> {
  const { state } = query.filters
  const own = eq(importRows.importId, sql.placeholder('importId'))
  return readPage(db, importRowList, query, {
    values: { importId },
    narrowed: state ? eq(importRows.state, state as ImportRow['state']) : undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select()
        .from(importRows)
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: importRows.line }).from(importRows).where(and(own, where)).limit(limit),
    seen: (rows) => rows,
  })
}

export type RowCounts = Record<ImportRow['state'], number>

/** How many rows of an import are in each state. */
export function countImportRows(db: Db, importId: number): RowCounts {
  const rows = db
    .select({ state: importRows.state, n: count() })
    .from(importRows)
    .where(eq(importRows.importId, importId))
    .groupBy(importRows.state)
    .all()
  const of = (state: ImportRow['state']) => rows.find((row) => row.state === state)?.n ?? 0
  return { ready: of('ready'), wrong: of('wrong'), done: of('done'), failed: of('failed') }
}

/** Lets the worker carry out what is ready. False when it was begun or discarded before. */
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

/** Removes an import that was not begun. False for every other. */
export function discardImport(db: Db, actor: Authority, { id, accountId }: Pick<Import, 'id' | 'accountId'>): boolean {
  return write(db, actor, (tx) => {
    const waiting = and(
      eq(imports.id, id),
      eq(imports.accountId, accountId),
      inArray(imports.state, ['checking', 'ready']),
    )
    if (!tx.select({ id: imports.id }).from(imports).where(waiting).get()) return false
    tx.delete(importRows).where(eq(importRows.importId, id)).run()
    tx.delete(imports).where(waiting).run()
    return true
  })
}

/** The import that the worker goes on with: the oldest but those that wait. */
export function findRunning(db: Db, waiting: number[]): typeof imports.$inferSelect | undefined {
  return db
    .select()
    .from(imports)
    .where(and(eq(imports.state, 'running'), notInArray(imports.id, waiting)))
    .orderBy(asc(imports.id))
    .limit(1)
    .get()
}

/** What is to be carried out now: not the lines that wait. */
export function listReadyRows(db: Db, importId: number, waiting: number[], limit: number): ImportRow[] {
  return db
    .select()
    .from(importRows)
    .where(
      and(
        eq(importRows.importId, importId),
        eq(importRows.state, 'ready'),
        waiting.length > 0 ? not(isOneOf(importRows.line, waiting)) : undefined,
      ),
    )
    .orderBy(asc(importRows.line))
    .limit(limit)
    .all()
}

const markedRow = prepared((db) =>
  db
    .update(importRows)
    .set({ state: sql`${sql.placeholder('state')}`, words: sql`${sql.placeholder('words')}` })
    .where(and(eq(importRows.importId, sql.placeholder('importId')), eq(importRows.line, sql.placeholder('line'))))
    .prepare(),
)

/** Notes what became of a row, in the transaction that has done it. */
export function markRow(tx: Db, { importId, line }: ImportRow, state: 'done' | 'failed', words: string): void {
  markedRow(tx).run({ importId, line, state, words })
}

export function endImport(db: Db, actor: Actor, importId: number, accountId: number, state: 'done' | 'stopped'): void {
  write(db, actor, (tx) => {
    tx.update(imports).set({ state, endedAt: actor.at }).where(eq(imports.id, importId)).run()
    const { done, failed, ready } = countImportRows(tx, importId)
    record(tx, actor, {
      kind: 'import.ended',
      accountId,
      change: { done: [null, done], failed: [null, failed], ...(ready ? { left: [null, ready] } : {}) },
    })
  })
}

/** What was left unread by a process that ended goes, and so do old imports with their rows. */
export function forgetOldImports(db: Db, at: number, unread: boolean): void {
  writeUnchecked(db, (tx) => {
    const old = tx
      .select({ id: imports.id })
      .from(imports)
      .where(and(inArray(imports.state, ['ready', 'done', 'stopped']), lt(imports.createdAt, at - rowsKeptFor)))
      .all()
    const broken = unread ? tx.select({ id: imports.id }).from(imports).where(eq(imports.state, 'checking')).all() : []
    const ids = [...old, ...broken].map(({ id }) => id)
    tx.delete(importRows).where(inArray(importRows.importId, ids)).run()
    tx.delete(imports).where(inArray(imports.id, ids)).run()
  })
}
