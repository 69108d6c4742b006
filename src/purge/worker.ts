import type { FastifyBaseLogger } from 'fastify'
import type { Cleaning } from '../db/cleaning.ts'
import type { Db } from '../db/open.ts'
import type { Storage } from '../db/storage.ts'
import { removeLetterFiles } from '../mail/worker.ts'
import { purgeNextAccount, purgeNextProject } from './data.ts'

export type PurgeWorker = { stop: () => Promise<void> }

const purgeEvery = 3 * 3_600_000

/**
 * Removes for good what was deleted 30 days ago: at the start and every three hours, one account or project
 * at a time, so that requests come between.
 */
export function startPurge(
  db: Db,
  dataDir: string,
  storage: Storage,
  now: () => number,
  log: FastifyBaseLogger,
  eraseTraces: Cleaning['erase'],
): PurgeWorker {
  let working: Promise<void> | undefined
  let stopped = false

  function wake(): void {
    if (stopped || working) return
    working = work()
      .catch((error) => log.error({ err: error }, 'the purge failed'))
      .finally(() => {
        working = undefined
      })
  }

  const removeFiles = (letterIds: number[]) => removeLetterFiles(dataDir, letterIds)

  async function work(): Promise<void> {
    let more = true
    const purgeOne = () => {
      more = purgeNextAccount(db, now(), removeFiles, eraseTraces) || purgeNextProject(db, now())
    }
    while (!stopped && more) {
      if (!storage.attempt(purgeOne)) return storage.afterwards(wake)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  wake()
  const timer = setInterval(wake, purgeEvery)
  timer.unref()
  return {
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await working
    },
  }
}
