import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { eq } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import { longestWait, waitForLock } from './connect.ts'
import { type Connection, writeUnchecked } from './open.ts'
import { mustBeInPlace, noteDamage } from './place.ts'
import { throttles } from './schema.ts'
import { codeOf, type StorageProblem, storageProblem } from './storage-problem.ts'

export type Storage = {
  /** Why nothing can be saved, as far as the last attempts have shown. */
  readonly problem: StorageProblem | undefined
  /** Looks at what went wrong. Undefined when it was not the storage. */
  note: (error: unknown) => StorageProblem | undefined
  /** Makes a write that reading must not wait for. False when it could not be made. */
  attempt: (act: () => void) => boolean
  /** Does something once things can be saved again; the same function only once. */
  afterwards: (act: () => void) => void
  /** Saves as much as a form does, and takes it back: why that failed, or undefined. */
  check: () => StorageProblem | undefined
  /** Looks whether the database is in its place: nothing is written. */
  look: () => void
  stop: () => void
}

const checkEvery = 5_000
const lookEvery = 2_000
/** Milliseconds that a write waits for another program where it need not be made now. */
const shortWait = 100
const leastFree = 1024 * 1024
const aFormful = 'x'.repeat(64 * 1024)

/**
 * Knows whether things can be saved. What fails is logged when it begins and when it ends, not each time;
 * until then a write is tried every five seconds, and everything that waited continues when one succeeds.
 */
export function watchStorage(db: Connection, log: FastifyBaseLogger): Storage {
  const waiting = new Set<() => void>()
  let problem: StorageProblem | undefined
  let timer: NodeJS.Timeout | undefined
  const isLocked = () => problem === 'locked'
  const looking = setInterval(look, lookEvery).unref()

  function note(error: unknown): StorageProblem | undefined {
    const trouble = storageProblem(error)
    if (trouble) begin(trouble, error)
    return trouble
  }

  function begin(trouble: StorageProblem, error: unknown): void {
    if (problem !== trouble) log.error({ problem: trouble, code: codeOf(error) }, 'nothing can be saved')
    problem = trouble
    if (trouble === 'damaged') noteDamage(db.$client)
    // One write has waited its full time for the other program; if each did, nobody could read.
    if (trouble === 'locked') waitForLock(db, shortWait)
    timer ??= setInterval(check, checkEvery).unref()
  }

  function end(): void {
    clearInterval(timer)
    timer = undefined
    if (!problem) return
    problem = undefined
    log.warn('things can be saved again')
    resume(waiting, { note, log, canSave: () => problem === undefined })
  }

  function look(): void {
    try {
      mustBeInPlace(db.$client)
      if (problem === 'moved') check()
    } catch (error) {
      note(error)
    }
  }

  function attempt(act: () => void): boolean {
    if (problem) return false
    const made = () => {
      mustBeInPlace(db.$client)
      act()
      return true
    }
    return briefly(db, isLocked, made, (error) => {
      if (!note(error)) throw error
      return false
    })
  }

  function check(): StorageProblem | undefined {
    const saved = () => {
      saveFormful(db)
      // The end of a full disk is not a few free pages, which the next form would use up.
      if (problem !== 'full' || freeBytes(dirname(db.$client.name)) >= leastFree) end()
    }
    briefly(db, isLocked, saved, (error) => begin(storageProblem(error) ?? 'failing', error))
    return problem
  }

  return {
    get problem() {
      return problem
    },
    note,
    attempt,
    afterwards: (act) => waiting.add(act),
    check,
    look,
    stop: () => {
      clearInterval(looking)
      if (problem) check()
      clearInterval(timer)
    },
  }
}

/** Does what waited to be saved, until nothing can be saved again. */
function resume(
  waiting: Set<() => void>,
  { note, log, canSave }: Pick<Storage, 'note'> & { log: FastifyBaseLogger; canSave: () => boolean },
): void {
  for (const act of [...waiting]) {
    if (!canSave()) return
    waiting.delete(act)
    try {
      act()
    } catch (error) {
      if (note(error)) waiting.add(act)
      else log.error({ err: error }, 'what waited to be saved failed')
    }
  }
}

/** Does something that waits only for a moment for another program; the next write, too, while that holds the database. */
function briefly<Result>(
  db: Connection,
  isLocked: () => boolean,
  act: () => Result,
  failed: (error: unknown) => Result,
): Result {
  waitForLock(db, shortWait)
  try {
    return act()
  } catch (error) {
    return failed(error)
  } finally {
    waitForLock(db, isLocked() ? shortWait : longestWait)
  }
}

/** Saves as much as a form does, and takes it back. Throws where that fails. */
function saveFormful(db: Connection): void {
  writeUnchecked(db, (tx) => {
    tx.insert(throttles).values({ key: aFormful, tries: 0, at: 0 }).run()
    tx.delete(throttles).where(eq(throttles.key, aFormful)).run()
  })
}

/** What is free for us in a folder's file system. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
