import { join } from 'node:path'
import Database from 'better-sqlite3'
import { createPrivate, isThere } from './files.ts'
import { StartError } from './start-error.ts'
import { codeOf } from './storage-problem.ts'

class Locked extends StartError {}

/** The operating system holds this lock for the process and drops it even after a crash. Throws a StartError. */
export function takeLock(dataDir: string): Database.Database {
  const file = join(dataDir, 'panel.lock')
  if (!isThere(file)) createLock(file)
  const lock = new Database(file, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (codeOf(error) !== 'SQLITE_BUSY') throw error
    throw new Locked(`A panel is already running on ${dataDir}. Stop it first, or set DATA_DIR.`)
  }
}

function createLock(file: string): void {
  try {
    createPrivate(file)
  } catch (error) {
    // Another process was first.
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

/** Whether a panel runs on this data. */
export function isLocked(dataDir: string): boolean {
  try {
    takeLock(dataDir).close()
    return false
  } catch (error) {
    if (error instanceof Locked) return true
    throw error
  }
}
