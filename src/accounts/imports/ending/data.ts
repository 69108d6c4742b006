import { and, count, eq, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { type Authority, type Db, write, writeUnchecked } from '../../../db/open.ts'
import { imports, invitations, pendingInvitation } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { type Actor, type Person, record } from '../../../records/record.ts'
import { cancelInvitations } from '../../endings/data/acts.ts'
import { countImportRows, type Import } from '../data.ts'

// How imports end: when they are done, when somebody stops or discards them, or when they are old. An import may have 50,000
// rows and as many invitations: what concerns all of them is done some at a time, and others have their turn between.

const day = 24 * 3_600_000
/** So long the rows of an import are kept; they hold names and e-mails. */
const rowsKeptFor = 30 * day

/** So many rows are deleted at once, which takes a few milliseconds. */
const deletedAtOnce = 250
/** So many invitations are cancelled at once: each has e-mails and links, and a record. */
const cancelledAtOnce = 25

type One = Pick<Import, 'id' | 'accountId'>

/** What is done stays done. */
export function endImport(
  db: Db,
  actor: Actor,
  { importId, accountId, state }: { importId: number; accountId: AccountId; state: 'done' | 'stopped' },
): void {
  write(db, actor, (tx) => {
    tx.update(imports).set({ state, endedAt: actor.at }).where(eq(imports.id, importId)).run()
    recordEnd(tx, actor, 'import.ended', { id: importId, accountId })
  })
}

/** Stops an import that is running: its other rows are not carried out. False for every other. */
export function stopImport(db: Db, actor: Person, { id, accountId }: One): boolean {
  return write(db, actor, (tx) => {
    const running = and(eq(imports.id, id), eq(imports.accountId, accountId), eq(imports.state, 'running'))
    const stopped = tx
      .update(imports)
      .set({ state: 'stopped', endedAt: actor.at, stoppedBy: actor.userId })
      .where(running)
      .run().changes
    if (stopped) recordEnd(tx, actor, 'import.stopped', { id, accountId })
    return stopped === 1
  })
}

function recordEnd(tx: Db, actor: Actor, kind: 'import.ended' | 'import.stopped', { id, accountId }: One): void {
  const { done, failed, ready } = countImportRows(tx, id)
  record(tx, actor, {
    kind,
    accountId,
    change: { done: [null, done], failed: [null, failed], ...(ready ? { left: [null, ready] } : {}) },
  })
}

/** Takes an import that was not begun out of sight; `deleteSomeDiscarded` deletes it. False for every other. */
export function discardImport(db: Db, actor: Authority & { at: number }, { id, accountId }: One): boolean {
  return write(db, actor, (tx) => {
    const waiting = and(
      eq(imports.id, id),
      eq(imports.accountId, accountId),
      inArray(imports.state, ['checking', 'ready']),
      isNull(imports.discardedAt),
    )
    return tx.update(imports).set({ discardedAt: actor.at }).where(waiting).run().changes === 1
  })
}

/** Discards old imports, and what was left unread by a process that ended. */
export function discardOldImports(db: Db, at: number, unread: boolean): void {
  const old = and(inArray(imports.state, ['ready', 'done', 'stopped']), lt(imports.createdAt, at - rowsKeptFor))
  const which = and(isNull(imports.discardedAt), unread ? or(old, eq(imports.state, 'checking')) : old)
  writeUnchecked(db, (tx) => tx.update(imports).set({ discardedAt: at }).where(which).run())
}

/** Deletes some rows of discarded imports, and those that have none left. False when nothing is left to delete. */
export function deleteSomeDiscarded(db: Db): boolean {
  const discarded = isNotNull(imports.discardedAt)
  const [one] = db.select({ id: imports.id }).from(imports).where(discarded).limit(1).all()
  if (!one) return false
  writeUnchecked(db, (tx) => {
    if (!deleteSomeRows(tx, one.id))
      tx.delete(imports)
        .where(and(eq(imports.id, one.id), discarded))
        .run()
  })
  return true
}

/** Deletes some rows of an import. False when it has none left. */
export function deleteSomeRows(tx: Db, importId: number): boolean {
  return (
    tx.run(sql`delete from import_rows where import_id = ${importId} and line in
      (select line from import_rows where import_id = ${importId} order by line limit ${deletedAtOnce})`).changes > 0
  )
}

/** Pending invitations that an import sent, and that are still its account’s to cancel. */
function invitedBy({ id, accountId, kind }: Pick<Import, 'id' | 'accountId' | 'kind'>): SQL | undefined {
  const sent = sql`${invitations.id} in (select invitation_id from import_rows
    where import_id = ${id} and invitation_id is not null)`
  const inPlace = kind === 'users' ? eq(invitations.accountId, accountId) : eq(invitations.invitedFrom, accountId)
  return and(sent, inPlace, pendingInvitation)
}

export function countInvitationsOf(db: Db, one: Pick<Import, 'id' | 'accountId' | 'kind'>): number {
  return db.select({ n: count() }).from(invitations).where(invitedBy(one)).get()?.n ?? 0
}

/** Cancels some pending invitations that an import sent. Returned is how many: 0 when none is left. */
export function cancelSomeInvitations(db: Db, actor: Actor, one: Pick<Import, 'id' | 'accountId' | 'kind'>): number {
  return write(db, actor, (tx) => {
    const next = tx.select({ id: invitations.id }).from(invitations).where(invitedBy(one)).limit(cancelledAtOnce).all()
    const ids = next.map(({ id }) => id)
    return ids.length > 0 ? cancelInvitations(tx, actor, isOneOf(invitations.id, ids)) : 0
  })
}
