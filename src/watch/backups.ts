import { type Dirent, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export type Backup = { name: string /** Milliseconds since 1970. */; at: number; bytes: number }

/**
 * The newest backup in a folder: a file or folder whose name begins with `backup-`. Undefined when there
 * is none, or no such folder.
 */
export function newestBackup(folder: string): Backup | undefined {
  const backups = entriesOf(folder)
    .filter(({ name }) => name.startsWith('backup-') && !unfinished.test(name))
    .flatMap(({ name }) => {
      const at = modifiedAt(join(folder, name))
      return at === undefined ? [] : [{ name, at }]
    })
    .sort((one, other) => other.at - one.at)
  const [newest] = backups
  return newest && { ...newest, bytes: bytesOf(join(folder, newest.name)) }
}

/** Still being written, or given up. */
const unfinished = /\.(tmp|part|partial)$/

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

/** Undefined when it was removed meanwhile. */
function modifiedAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

function bytesOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found?.isDirectory()) return found?.size ?? 0
  return entriesOf(path).reduce((sum, { name }) => sum + bytesOf(join(path, name)), 0)
}
