import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../../../db/open.ts'
import type { Storage } from '../../../db/storage.ts'
import type { Post } from '../../../mail/outbox.ts'
import type { Clock } from '../../../operations/clock/watch.ts'
import type { SetAside } from '../../../operations/health/set-aside.ts'
import { deleteSomeDiscarded, discardOldImports } from '../ending/data.ts'
import { carryOutBatch } from './batch.ts'
import { newWaitingList, type WaitingList, type Waits } from './waits.ts'

export type ImportWorker = {
  wake: () => void
  /** Deletes what was discarded, some of it at a time. */
  sweep: () => void
  stop: () => Promise<void>
  waits: (importId: number) => Waits | undefined
}

const cleanEvery = 6 * 3_600_000
/** The clock may be changed while it waits: it looks again after so long at the latest. */
const longestSleep = 60_000

/**
 * Carries out imports that were started, a batch at a time, so that requests come between. A row and the
 * note that it is done are one transaction: after a restart the rest follows, and each row is done once.
 * What must not be done yet (mail/allowance.ts) waits, and only that: other rows and other imports go on.
 */
export function startImportWorker(
  {
    db,
    storage,
    now,
    log,
    setAside,
    clock,
  }: { db: Db; storage: Storage; now: () => number; log: FastifyBaseLogger; setAside: SetAside; clock: Clock },
  { post, publicUrl }: { post: Post; publicUrl: string },
): ImportWorker {
  let working: Promise<void> | undefined
  let sweeping: Promise<void> | undefined
  let stopped = false
  let sleeping: NodeJS.Timeout | undefined
  const imports = newWaitingList(now)
  const batch = { now, log, setAside, post, publicUrl, imports, rows: new Map<number, WaitingList>() }

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
    while (!stopped && carryOutBatch(db, storage, batch)) await new Promise((resolve) => setImmediate(resolve))
    const next = imports.first()
    if (stopped || !next) return
    sleeping = setTimeout(wake, Math.min(Math.max(next.until - now(), 1_000), longestSleep))
    sleeping.unref()
  }

  return {
    wake,
    sweep,
    waits: imports.get,
    stop: async () => {
      stopped = true
      clearTimeout(sleeping)
      clearInterval(cleaning)
      await working
      await sweeping
    },
  }
}
