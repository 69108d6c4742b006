import type { FastifyBaseLogger } from 'fastify'
import { allOrNothing, type Db, write } from '../../db/open.ts'
import type { Storage } from '../../db/storage.ts'
import { storageProblem } from '../../db/storage-problem.ts'
import type { Post } from '../../mail/outbox.ts'
import { TooMany } from '../../mail/pace.ts'
import type { Clock } from '../../operations/clock/watch.ts'
import type { SetAside } from '../../operations/health/set-aside.ts'
import { findActiveUser } from '../../people/data/users.ts'
import { can, standingsOf } from '../../policy.ts'
import { byItself, type Person } from '../../records/record.ts'
import { findMembership } from '../data/membership.ts'
import type { Sender } from '../invitations/data/sending.ts'
import type { Import, ImportRow } from './data.ts'
import { deleteSomeDiscarded, discardOldImports, endImport } from './ending/data.ts'
import { RowFailed } from './kind.ts'
import { kinds } from './kinds.ts'
import { findRunning, listReadyRows, markRow } from './running/data.ts'

/** Why, since when and until when nothing of an import can be done. */
export type Waits = { since: number; until: number; why: string }

export type ImportWorker = {
  wake: () => void
  /** Deletes what was discarded, some of it at a time. */
  sweep: () => void
  stop: () => Promise<void>
  waits: (importId: number) => Waits | undefined
}

/** So long other requests wait for a batch, in milliseconds. */
const longestBatch = 40
const rowsAtOnce = 200
/** An import that cannot even be begun is tried again after so long. */
const setAsideFor = 10 * 60_000
const unforeseen = 'The panel could not do this. Support finds the reason in its log.'
const cleanEvery = 6 * 3_600_000
/** The clock may be set meanwhile: it looks again after so long at the latest. */
const longestSleep = 60_000

/**
 * Carries out imports that were started, a batch at a time, so that requests come between. A row and the
 * note that it is done are one transaction: after a restart the rest follows, and each row is done once.
 * What must not be done yet (mail/allowance.ts) waits, and only that: other rows and other imports go on.
 */
export function startImportWorker(
  db: Db,
  storage: Storage,
  now: () => number,
  log: FastifyBaseLogger,
  setAside: SetAside,
  clock: Clock,
  { post, publicUrl }: { post: Post; publicUrl: string },
): ImportWorker {
  let working: Promise<void> | undefined
  let sweeping: Promise<void> | undefined
  let stopped = false
  // Not kept: after a restart it is found out again.
  const waiting = new Map<number, Waits>()
  const rowsWaiting = new Map<number, Map<number, Waits>>()
  let sleeping: NodeJS.Timeout | undefined
  let current = 0

  const clean = (unread: boolean) => {
    // Without a clock that can be right, none is old.
    if (storage.attempt(() => discardOldImports(db, clock.look() ? 0 : now(), unread))) sweep()
  }
  clean(true)
  const cleaning = setInterval(clean, cleanEvery, false)
  cleaning.unref()

  function sweep(): void {
    if (stopped || sweeping) return
    sweeping = sweepAll()
      .catch((error) => {
        // What is left is swept the next time.
        if (!storage.note(error)) log.error({ err: error }, 'discarded imports could not be deleted')
      })
      .finally(() => {
        sweeping = undefined
      })
  }

  async function sweepAll(): Promise<void> {
    while (!stopped && deleteSomeDiscarded(db)) await new Promise((resolve) => setImmediate(resolve))
  }

  function wake(): void {
    if (stopped || working) return
    clearTimeout(sleeping)
    working = work()
      .catch((error) => {
        if (storage.note(error)) storage.afterwards(wake)
        else log.error({ err: error }, 'the import worker failed')
      })
      .finally(() => {
        working = undefined
      })
  }

  async function work(): Promise<void> {
    while (!stopped && carryOutBatch()) await new Promise((resolve) => setImmediate(resolve))
    if (stopped || waiting.size === 0) return
    const next = Math.min(...[...waiting.values()].map(({ until }) => until))
    sleeping = setTimeout(wake, Math.min(Math.max(next - now(), 1_000), longestSleep))
    sleeping.unref()
  }

  const waitFor = (time: number, why: string): Waits => ({ since: now(), until: now() + time, why })
  /** A clock that was ahead, and is back, makes nothing wait for longer. */
  const isOver = ({ since, until }: Waits) => until <= now() || now() < since

  /** The keys of what still has to wait; what has waited long enough is forgotten. */
  function stillWaiting(waits: Map<number, Waits>): number[] {
    for (const [key, one] of waits) if (isOver(one)) waits.delete(key)
    return [...waits.keys()]
  }

  /** False when nothing is left to do. */
  function carryOutBatch(): boolean {
    if (!findRunning(db, stillWaiting(waiting))) return false
    // Nobody asks for it: whether its importer still may is read in the batch itself.
    const some = (carefully: boolean) => write(db, byItself(now()), (tx) => carryOutSome(tx, carefully))
    try {
      some(false)
    } catch (error) {
      if (storage.note(error)) throw error
      log.error({ err: error }, 'a batch of an import failed; its rows are tried one by one')
      try {
        some(true)
      } catch (again) {
        if (storage.note(again)) throw again
        log.error({ err: again, import: current }, 'an import was set aside')
        setAside.add(`import ${current}`, `Import ${current}`, again)
        waiting.set(current, waitFor(setAsideFor, unforeseen))
      }
    }
    return true
  }

  /** Of the first import that need not wait. Carefully: a row that fails in a way nobody foresaw fails alone. */
  function carryOutSome(tx: Db, carefully: boolean): void {
    const running = findRunning(tx, stillWaiting(waiting))
    if (!running) return
    current = running.id
    const { id, kind, accountId, createdBy, ip, requestId } = running
    const actor: Person = { ...byItself(now()), userId: createdBy, accountId, ip, requestId }
    const importer = findImporter(tx, running)
    if (!importer) {
      rowsWaiting.delete(id)
      endImport(tx, actor, id, accountId, 'stopped')
      return
    }
    const aside = rowsWaiting.get(id) ?? new Map<number, Waits>()
    rowsWaiting.set(id, aside)
    const rows = listReadyRows(tx, id, stillWaiting(aside), rowsAtOnce)
    if (rows.length === 0) {
      const [first] = [...aside.values()].sort((one, other) => one.until - other.until)
      if (first) waiting.set(id, first)
      else {
        rowsWaiting.delete(id)
        endImport(tx, actor, id, accountId, 'done')
      }
      return
    }
    // A partner’s import invites into its customers; an account’s own into itself.
    const from = kind === 'customers' ? { from: { partner: importer.account.name } } : {}
    const sender = { post, publicUrl, inviter: importer.user.name, bulk: true, ...from }
    const until = performance.now() + longestBatch
    for (const row of rows) {
      const soon = carefully ? carryOutAlone(tx, actor, sender, kind, row) : carryOutRow(tx, actor, sender, kind, row)
      const waits = soon && waitFor(soon.wait, soon.why)
      if (waits && soon.ofAddress) aside.set(row.line, waits)
      else if (waits) waiting.set(id, waits)
      if (waiting.has(id) || performance.now() > until) break
    }
  }

  function carryOutAlone(tx: Db, actor: Person, sender: Sender, kind: keyof typeof kinds, row: ImportRow) {
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
  function carryOutRow(
    tx: Db,
    actor: Person,
    sender: Sender,
    kind: keyof typeof kinds,
    row: ImportRow,
  ): TooMany | undefined {
    const accountId = actor.accountId ?? 0
    try {
      markRow(tx, row, 'done', kinds[kind].carryOut(tx, actor, sender, accountId, JSON.parse(row.input)))
    } catch (error) {
      if (error instanceof TooMany) return error
      if (!(error instanceof RowFailed)) throw error
      markRow(tx, row, 'failed', { words: error.message })
    }
    return undefined
  }

  return {
    wake,
    sweep,
    waits: (importId) => {
      const waits = waiting.get(importId)
      return waits && !isOver(waits) ? waits : undefined
    },
    stop: async () => {
      stopped = true
      clearTimeout(sleeping)
      clearInterval(cleaning)
      await working
      await sweeping
    },
  }
}

/** Whoever began an import, in its account. Undefined once they may not import there any more. */
function findImporter(tx: Db, { createdBy, accountId, kind }: Pick<Import, 'createdBy' | 'accountId' | 'kind'>) {
  const user = findActiveUser(tx, createdBy)
  const account = findMembership(tx, createdBy, accountId)
  const standings = standingsOf(false, account && { ...account, suspended: account.suspension !== null })
  return user && account && can(standings, kinds[kind].action) ? { user, account } : undefined
}
