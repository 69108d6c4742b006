import type { FastifyBaseLogger } from 'fastify'
import { findActiveUser, findMembership } from '../accounts/data.ts'
import { type Db, write } from '../db/open.ts'
import type { Storage } from '../db/storage.ts'
import type { Person } from '../history/record.ts'
import type { Sender } from '../invitations/data.ts'
import type { Post } from '../mail/outbox.ts'
import { can, standingsOf } from '../policy.ts'
import { endImport, findRunning, forgetOldImports, type ImportRow, listReadyRows, markRow } from './data.ts'
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
    const running = findRunning(db)
    if (!running) return false
    const { id, kind, accountId, createdBy, ip, requestId } = running
    const actor: Person = { userId: createdBy, accountId, bySupport: false, at: now(), ip, requestId }
    const user = findActiveUser(db, createdBy)
    const account = findMembership(db, createdBy, accountId)
    const standings = standingsOf(false, account && { ...account, suspended: account.suspendedAt !== null })
    if (!user || !account || !can(standings, kinds[kind].action)) {
      endImport(db, actor, id, accountId, 'stopped')
      return true
    }
    const rows = listReadyRows(db, id, rowsAtOnce)
    if (rows.length === 0) {
      endImport(db, actor, id, accountId, 'done')
      return true
    }
    // A partner’s import invites into its customers; an account’s own into itself.
    const from = kind === 'customers' ? { from: { partner: account.name } } : {}
    const sender = { post, publicUrl, inviter: user.name, ...from }
    write(db, (tx) => {
      const until = performance.now() + longestBatch
      for (const row of rows) {
        carryOutRow(tx, actor, sender, kind, row)
        if (performance.now() > until) break
      }
    })
    return true
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
