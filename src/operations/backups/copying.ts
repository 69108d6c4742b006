import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../config.ts'
import { companionOf } from '../../db/companion.ts'
import { Failure, inOneLine } from '../../db/failure.ts'
import { isThere } from '../../db/files.ts'
import type { Clock } from '../clock/watch.ts'
import { placeWords } from '../elsewhere/place.ts'
import { openStore, type Store } from '../elsewhere/store.ts'
import { type BackupFile, backupFolder, kindAndTime, listBackupFiles, newestGood, surplus } from './folder.ts'

export type CopyFailure = { since: number; at: number; words: string }

export type Copying = {
  /** Where to, in words; undefined where backups are not copied. */
  readonly where: string | undefined
  /** The newest backup that was found there; undefined before the first look, or if there is none. */
  readonly newest: BackupFile | undefined
  readonly failure: CopyFailure | undefined
  /** Looks for backups that must be copied. */
  wake: () => void
  stop: () => Promise<void>
}

const hour = 3_600_000

/** The good backups of a place, the newest first: those with their checksum next to them. */
export async function listCopies(store: Store): Promise<BackupFile[]> {
  const files = await store.list()
  return [...files]
    .filter(([name]) => name.endsWith('.db') && files.has(companionOf(name)))
    .map(([name, size]): BackupFile => ({ name, size, state: 'good', ...kindAndTime(name, 0) }))
    .sort((one, other) => other.at - one.at)
}

/**
 * Copies the good backups of an installation that a place lacks, the newest first: database and checksum, never the
 * key. Of scheduled ones it keeps `keep` there. Returns what is there then, and the first error: what cannot be copied
 * or removed does not keep the others from it.
 */
export async function copyBackups(
  dataDir: string,
  store: Store,
  { keep, at }: { keep: number; at: number },
): Promise<{ copies: BackupFile[]; error: unknown }> {
  const copies = await listCopies(store)
  const here = listBackupFiles(dataDir).filter(
    ({ name, state, kind }) => state === 'good' && kind !== 'other' && hasSum(dataDir, name),
  )
  const isCopied = (file: BackupFile) => copies.some(({ name, size }) => name === file.name && size === file.size)
  const missing = here.filter((file) => !isCopied(file))
  const all = [...copies.filter(({ name }) => !missing.some((file) => file.name === name)), ...missing]
  const old = surplus(
    all.sort((one, other) => other.at - one.at),
    keep,
    at,
  )
  const errors: unknown[] = []
  const attempt = (act: () => Promise<void>) => act().catch((error) => void errors.push(error))
  for (const file of missing.filter((file) => !old.includes(file)))
    await attempt(async () => {
      const path = join(backupFolder(dataDir), file.name)
      await store.put(file.name, path)
      await store.put(companionOf(file.name), companionOf(path))
    })
  for (const { name } of old.filter((file) => copies.includes(file)))
    await attempt(async () => {
      await store.remove(name)
      await store.remove(companionOf(name))
    })
  const after = await listCopies(store)
  const lost = missing.find(
    (file) => !old.includes(file) && !after.some(({ name, size }) => name === file.name && size === file.size),
  )
  if (lost) errors.push(new Failure(`${lost.name} is not there as it was written.`))
  return { copies: after, error: errors[0] }
}

/** Those from before 0.3.0 have none. */
const hasSum = (dataDir: string, name: string) => isThere(companionOf(join(backupFolder(dataDir), name)))

/** Copies each backup to BACKUP_TO when it is made, and missing ones every hour, also after a failure. */
export function startCopying(
  { backupTo, backupKeep, dataDir }: Config,
  now: () => number,
  log: FastifyBaseLogger,
  clock: Clock,
): Copying {
  const stopping = new AbortController()
  let copies: BackupFile[] = []
  let failure: CopyFailure | undefined
  let working: Promise<void> | undefined
  let again = false
  let triedAt = Number.NEGATIVE_INFINITY

  async function copy(store: Store): Promise<void> {
    try {
      const done = await copyBackups(dataDir, store, {
        // None is removed while the clock cannot be right.
        keep: clock.look() ? Number.POSITIVE_INFINITY : backupKeep,
        at: now(),
      })
      copies = done.copies
      if (done.error) throw done.error
      if (failure) log.info('backups are copied again')
      failure = undefined
    } catch (error) {
      if (stopping.signal.aborted) return
      log.error({ err: error }, 'backups could not be copied')
      failure = {
        since: failure?.since ?? now(),
        at: now(),
        words: inOneLine(error) ?? 'it broke off: the log says more.',
      }
    }
  }

  function wake(): void {
    if (!backupTo || stopping.signal.aborted) return
    again = working !== undefined
    if (working) return
    triedAt = now()
    working = copy(openStore(backupTo, stopping.signal)).finally(() => {
      working = undefined
      if (again) wake()
    })
  }

  const timer = setInterval(() => {
    if (Math.abs(now() - triedAt) >= hour) wake()
  }, 60_000)
  timer.unref()
  // Support reads at once how old the newest copy is.
  setImmediate(wake)

  return {
    where: backupTo && placeWords(backupTo),
    get newest() {
      return newestGood(copies, now())
    },
    get failure() {
      const hangs = working !== undefined && now() - triedAt > hour
      return failure ?? (hangs ? { since: triedAt, at: now(), words: 'it does not come to an end.' } : undefined)
    },
    wake,
    stop: async () => {
      clearInterval(timer)
      stopping.abort()
      await working
    },
  }
}
