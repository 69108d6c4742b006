import type { FastifyBaseLogger } from 'fastify'
import type { Cleaning } from '../../../db/cleaning.ts'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import type { Storage } from '../../../db/storage.ts'
import { removeLetterFiles } from '../../../mail/files.ts'
import type { Clock } from '../../../operations/clock/watch.ts'
import type { SetAside } from '../../../operations/health/set-aside.ts'
import { nextDueAccount, nextDueProject, purgeAccount, purgeDeletedProject } from './data.ts'

export type PurgeWorker = { stop: () => Promise<void> }

const purgeEvery = 3 * 3_600_000

/**
 * Removes for good what was deleted 30 days ago: at the start and every three hours, one account or project
 * at a time, so that requests come between. One that cannot be purged is set aside until the next time. Nothing is
 * removed while the clock cannot be right.
 */
export function startPurge({
  db,
  dataDir,
  storage,
  now,
  log,
  eraseTraces,
  setAside,
  clock,
}: {
  db: Db
  dataDir: string
  storage: Storage
  now: () => number
  log: FastifyBaseLogger
  eraseTraces: Cleaning['erase']
  setAside: SetAside
  clock: Clock
}): PurgeWorker {
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
    const left = { accounts: [] as AccountId[], projects: [] as ProjectId[] }
    while (!stopped && !clock.look()) {
      const accountId = nextDueAccount(db, now(), left.accounts)
      const projectId = accountId === undefined ? nextDueProject(db, now(), left.projects) : undefined
      if (accountId === undefined && projectId === undefined) return
      try {
        const purgeOne = () => {
          if (accountId !== undefined) purgeAccount(db, now(), accountId, { removeFiles, eraseTraces })
          else if (projectId !== undefined) purgeDeletedProject(db, now(), projectId)
        }
        if (!storage.attempt(purgeOne)) return storage.afterwards(wake)
      } catch (error) {
        log.error({ err: error, account: accountId, project: projectId }, 'it could not be purged')
        setAside.add(`purge ${accountId} ${projectId}`, 'Something that was deleted 30 days ago', error)
        if (accountId !== undefined) left.accounts.push(accountId)
        else if (projectId !== undefined) left.projects.push(projectId)
      }
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
