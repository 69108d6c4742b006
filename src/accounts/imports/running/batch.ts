import type { FastifyBaseLogger } from 'fastify'
import type { AccountId } from '../../../db/ids.ts'
import { allOrNothing, type Db, write } from '../../../db/open.ts'
import type { Storage } from '../../../db/storage.ts'
import { storageProblem } from '../../../db/storage-problem.ts'
import type { Post } from '../../../mail/outbox.ts'
import { TooMany } from '../../../mail/pace.ts'
import type { SetAside } from '../../../operations/health/set-aside.ts'
import { findActiveUser } from '../../../people/data/users.ts'
import { can, standingsOf } from '../../../policy.ts'
import { byItself, type Person } from '../../../records/record.ts'
import { findMembership } from '../../data/membership.ts'
import type { Sender } from '../../invitations/data/sending.ts'
import type { Import, ImportRow } from '../data.ts'
import { endImport } from '../ending/data.ts'
import { RowFailed } from '../kinds/kind.ts'
import { kinds } from '../kinds/kinds.ts'
import { findRunning, listReadyRows, markRow } from './data.ts'
import { newWaitingList, type WaitingList } from './waits.ts'

/** So long other requests wait for a batch, in milliseconds. */
const longestBatch = 6
/** More than a batch usually carries out. */
const rowsAtOnce = 100
/** An import that cannot even be begun is tried again after so long. */
const setAsideFor = 10 * 60_000
const unforeseen = 'The panel could not do this. Support finds the reason in its log.'

/** What a batch needs of the panel, and what has to wait. */
export type Batch = {
  now: () => number
  log: FastifyBaseLogger
  setAside: SetAside
  post: Post
  publicUrl: string
  imports: WaitingList
  /** The lines of each import. */
  rows: Map<number, WaitingList>
}

/** Carries out some rows in a transaction, which takes a moment. False when nothing is left to do. */
export function carryOutBatch(db: Db, storage: Storage, batch: Batch): boolean {
  const { now, log, setAside, imports } = batch
  const next = findRunning(db, imports.keys())
  if (!next) return false
  // Nobody asks for it: whether its importer still may is read in the batch itself.
  const carryOut = (carefully: boolean) => write(db, byItself(now()), (tx) => carryOutSome(tx, batch, carefully))
  try {
    carryOut(false)
  } catch (error) {
    if (storage.note(error)) throw error
    log.error({ err: error }, 'a batch of an import failed; its rows are tried one by one')
    try {
      carryOut(true)
    } catch (again) {
      if (storage.note(again)) throw again
      log.error({ err: again, import: next.id }, 'an import was set aside')
      setAside.add(`import ${next.id}`, `Import ${next.id}`, again)
      imports.add(next.id, setAsideFor, unforeseen)
    }
  }
  return true
}

/** Of the first import that need not wait. Carefully: a row that fails in a way nobody foresaw fails alone. */
function carryOutSome(tx: Db, batch: Batch, carefully: boolean): void {
  const { now, imports, rows: waitingRows } = batch
  const running = findRunning(tx, imports.keys())
  if (!running) return
  const { id, kind, accountId, createdBy, ip, requestId } = running
  const actor: Importer = { ...byItself(now()), userId: createdBy, accountId, ip, requestId }
  const end = (how: 'done' | 'stopped') => {
    waitingRows.delete(id)
    endImport(tx, actor, { importId: id, accountId, state: how })
  }
  const importer = findImporter(tx, running)
  if (!importer) {
    end('stopped')
    return
  }

  const aside = waitingRows.get(id) ?? newWaitingList(now)
  waitingRows.set(id, aside)
  const rows = listReadyRows(tx, id, aside.keys(), rowsAtOnce)
  if (rows.length === 0) {
    const first = aside.first()
    if (first) imports.put(id, first)
    else end('done')
    return
  }
  // A partner’s import invites into its customers; an account’s own into itself.
  const from = kind === 'customers' ? { from: { partner: importer.account.name } } : {}
  const sender = { post: batch.post, publicUrl: batch.publicUrl, inviter: importer.user.name, bulk: true, ...from }
  const carryOut = carefully ? carryOutAlone : carryOutRow
  const until = performance.now() + longestBatch
  for (const row of rows) {
    const soon = carryOut(tx, actor, sender, kind, row, batch)
    if (soon?.ofAddress) aside.add(row.line, soon.wait, soon.why)
    else if (soon) imports.add(id, soon.wait, soon.why)
    if ((soon && !soon.ofAddress) || performance.now() > until) return
  }
}

type Importer = Person & { accountId: AccountId }
type Carry = [tx: Db, actor: Importer, sender: Sender, kind: Import['kind'], row: ImportRow]

function carryOutAlone(...[tx, actor, sender, kind, row, { log, setAside }]: [...Carry, Batch]): TooMany | undefined {
  try {
    return allOrNothing(tx, (inner) => carryOutRow(inner, actor, sender, kind, row))
  } catch (error) {
    if (storageProblem(error)) throw error
    log.error({ err: error, import: row.importId, line: row.line }, 'a row of an import was set aside')
    setAside.add(`import ${row.importId} ${row.line}`, `Line ${row.line} of import ${row.importId}`, error)
    markRow(tx, row, 'failed', { words: unforeseen })
    return undefined
  }
}

/** Returned is why a row must wait. */
function carryOutRow(...[tx, actor, sender, kind, row]: Carry): TooMany | undefined {
  try {
    markRow(
      tx,
      row,
      'done',
      kinds[kind].carryOut(tx, actor, sender, { accountId: actor.accountId, input: JSON.parse(row.input) }),
    )
  } catch (error) {
    if (error instanceof TooMany) return error
    if (!(error instanceof RowFailed)) throw error
    markRow(tx, row, 'failed', { words: error.message })
  }
  return undefined
}

/** The person who started an import, in its account. Undefined once they may no longer import there. */
function findImporter(tx: Db, { createdBy, accountId, kind }: Pick<Import, 'createdBy' | 'accountId' | 'kind'>) {
  const user = findActiveUser(tx, createdBy)
  const account = findMembership(tx, createdBy, accountId)
  const standings = standingsOf(false, account && { ...account, suspended: account.suspension !== null })
  return user && account && can(standings, kinds[kind].action) ? { user, account } : undefined
}
