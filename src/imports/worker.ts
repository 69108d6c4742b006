import type { FastifyBaseLogger } from 'fastify'
import { findActiveUser, findMembership } from '../accounts/data.ts'
import { type Db, write } from '../db/open.ts'
import type { Storage } from '../db/storage.ts'
import { byItself, type Person } from '../history/record.ts'
import type { Sender } from '../invitations/data.ts'
import type { Post } from '../mail/outbox.ts'
import { can, standingsOf } from '../policy.ts'
import {
  endImport,
  findRunning,
  forgetOldImports,
  type Import,
  type ImportRow,
  listReadyRows,
  markRow,
} from './data.ts'
import { kinds, RowFailed } from './kinds.ts'

export type ImportWorker = { wake: () => void; stop: () => Promise<void> }

/** So long other requests wait for a batch, in milliseconds. */
const longestBatch = 40
const rowsAtOnce = 200
const cleanEvery = 6 * 3_600_000

/**
 * Carries out imports that were started, a batch at a time, so that requests come between. A row and the
 * note that it is done are one transaction: after a restart the rest follows, and each row is done once.
 */
export function startImportWorker(
  db: Db,
  storage: Storage,
  now: () => number,
  log: FastifyBaseLogger,
  { post, publicUrl }: { post: Post; publicUrl: string },
): ImportWorker {
  let working: Promise<void> | undefined
  let stopped = false

  storage.attempt(() => forgetOldImports(db, now(), true))
  const cleaning = setInterval(() => storage.attempt(() => forgetOldImports(db, now(), false)), cleanEvery)
  cleaning.unref()

  function wake(): void {
    if (stopped || working) return
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
  }

  /** False when nothing is left to do. */
  function carryOutBatch(): boolean {
    if (!findRunning(db)) return false
    // Nobody asks for it: whether its importer still may is read in the batch itself.
    write(db, byItself(now()), carryOutSome)
    return true
  }

  function carryOutSome(tx: Db): void {
    const running = findRunning(tx)
    if (!running) return
    const { id, kind, accountId, createdBy, ip, requestId } = running
    const actor: Person = { ...byItself(now()), userId: createdBy, accountId, ip, requestId }
    const importer = findImporter(tx, running)
    const rows = importer ? listReadyRows(tx, id, rowsAtOnce) : []
    if (!importer || rows.length === 0) {
      endImport(tx, actor, id, accountId, importer ? 'done' : 'stopped')
      return
    }
    // A partner’s import invites into its customers; an account’s own into itself.
    const from = kind === 'customers' ? { from: { partner: importer.account.name } } : {}
    const sender = { post, publicUrl, inviter: importer.user.name, ...from }
    const until = performance.now() + longestBatch
    for (const row of rows) {
      carryOutRow(tx, actor, sender, kind, row)
      if (performance.now() > until) break
    }
  }

  function carryOutRow(tx: Db, actor: Person, sender: Sender, kind: keyof typeof kinds, row: ImportRow): void {
    const accountId = actor.accountId ?? 0
    try {
      markRow(tx, row, 'done', kinds[kind].carryOut(tx, actor, sender, accountId, JSON.parse(row.input)))
    } catch (error) {
      if (!(error instanceof RowFailed)) throw error
      markRow(tx, row, 'failed', error.message)
    }
  }

  return {
    wake,
    stop: async () => {
      stopped = true
      clearInterval(cleaning)
      await working
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
