import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../config.ts'
import { inOneLine } from '../../db/failure.ts'
import type { Clock } from '../clock/watch.ts'
import { backupName, listBackupFiles, newestGood, pruneBackups } from './folder.ts'
import { makeBackup, ownBackupFolder } from './make.ts'

export type Backups = {
  /** Begins a backup, whose name it returns. Undefined while one is being made, or was a minute ago. */
  begin: () => string | undefined
  /** The name of the backup that is being made. */
  readonly working: string | undefined
  /** Why the last attempt came to nothing; undefined when it went well. */
  readonly failure: { at: number; words: string } | undefined
  stop: () => Promise<void>
}

const minute = 60_000
const hour = 60 * minute

/**
 * Makes a backup when the last one is BACKUP_EVERY_HOURS old, keeps BACKUP_KEEP of those, and makes one
 * when somebody asks. After a failure it tries again an hour later. None is removed while the clock cannot be right.
 * `made` is called after each good one.
 */
export function startBackups(
  config: Config,
  { now, log, clock, made }: { now: () => number; log: FastifyBaseLogger; clock: Clock; made: () => void },
): Backups {
  const { dataDir, backupEveryHours, backupKeep } = config
  const stopping = new AbortController()
  let working: { name: string; done: Promise<void> } | undefined
  let failure: Backups['failure']
  let begun = Number.NEGATIVE_INFINITY

  function begin(kind: 'scheduled' | 'manual'): string {
    const at = now()
    const name = backupName(kind, at)
    begun = at
    const done = make(name, at).finally(() => {
      working = undefined
    })
    working = { name, done }
    return name
  }

  async function make(name: string, at: number): Promise<void> {
    try {
      await makeBackup(dataDir, join(ownBackupFolder(dataDir), name), { at, signal: stopping.signal })
      failure = undefined
      made()
    } catch (error) {
      if (stopping.signal.aborted) return
      log.error({ err: error }, 'a backup failed')
      failure = { at, words: inOneLine(error) ?? 'It broke off: the log says more.' }
      return
    }
    try {
      if (!clock.look()) pruneBackups(dataDir, backupKeep, at)
    } catch (error) {
      // The backup is good all the same.
      log.error({ err: error }, 'old backups could not be removed')
    }
  }

  function beginWhenDue(): void {
    if (working || backupEveryHours === 0 || (failure && Math.abs(now() - failure.at) < hour)) return
    const scheduled = listBackupFiles(dataDir).filter(({ kind }) => kind === 'scheduled')
    const last = newestGood(scheduled, now())
    if (!last || now() - last.at >= backupEveryHours * hour) begin('scheduled')
  }

  const timer = setInterval(() => {
    try {
      beginWhenDue()
    } catch (error) {
      log.error({ err: error }, 'looking for the last backup failed')
    }
  }, minute)
  timer.unref()

  return {
    begin: () => (working || (!failure && Math.abs(now() - begun) < minute) ? undefined : begin('manual')),
    get working() {
      return working?.name
    },
    get failure() {
      return failure
    },
    stop: async () => {
      clearInterval(timer)
      stopping.abort()
      await working?.done
    },
  }
}
