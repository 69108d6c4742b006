import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Unusable } from './place.ts'

/** Whether there is such a file or folder. Throws where this user may not know. */
export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Makes a folder, with those above it, for its owner alone. Node's own recursive way never ends on some file systems. */
export function makeFolder(path: string): void {
  const there = statSync(path, { throwIfNoEntry: false })
  if (there?.isDirectory()) return
  if (!there) makeFolder(dirname(resolve(path)))
  mkdirSync(path, { mode: 0o700 })
}

/** Waits until a file, or the names in a folder, are on the disk. */
function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Moves a finished file to its place, over an existing one: after a crash it is there completely or not at all. */
export function moveIntoPlace(from: string, to: string): void {
  giveToOwnerOf(dirname(to), from)
  sync(from)
  renameSync(from, to)
  sync(dirname(to))
}

/** Writes a file that only its owner can read, completely or not at all. */
export function writePrivate(file: string, text: string): void {
  const partial = `${file}.partial`
  try {
    rmSync(partial, { force: true })
    createPrivate(partial)
    writeFileSync(partial, text)
    moveIntoPlace(partial, file)
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

/** Creates a folder in DATA_DIR, if missing, that only its owner may read. Returns its path. */
export function privateFolder(dataDir: string, name: string): string {
  const folder = join(dataDir, name)
  if (!isThere(folder)) {
    // DATA_DIR itself is never created again: if it is missing, it was moved away.
    if (!isThere(dataDir)) throw new Unusable('DATABASE_MOVED')
    mkdirSync(folder)
    chmodSync(folder, 0o700)
    giveToOwnerOf(dataDir, folder)
  }
  return folder
}

/** Makes an empty file that only its owner reads, whatever the umask: SQLite and others then fill it. */
export function createPrivate(file: string): void {
  closeSync(openSync(file, 'wx', 0o600))
  chmodSync(file, 0o600)
  giveToOwnerOf(dirname(file), file)
}

/** What this process is writing at the moment. */
const unfinished = new Set<string>()

/**
 * Runs an act with the passing name of a file that it writes, which holds the number of this process. Afterwards
 * nothing of that name is left.
 */
export async function withPartial<Result>(file: string, act: (partial: string) => Promise<Result>): Promise<Result> {
  removeLeftovers(dirname(file))
  const partial = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.partial`
  unfinished.add(basename(partial))
  try {
    return await act(partial)
  } finally {
    unfinished.delete(basename(partial))
    for (const name of readdirSync(dirname(file)))
      if (name.startsWith(basename(partial))) rmSync(join(dirname(file), name), { force: true })
  }
}

/** Removes what processes that were killed have left in a folder, if it is one. */
export function removeLeftovers(folder: string): void {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
  for (const name of readdirSync(folder)) {
    const [, partial = '', pid] = /^(.*\.(\d+)-[0-9a-f]{8}\.partial)/.exec(name) ?? []
    if (pid && !unfinished.has(partial) && !runs(Number(pid))) rmSync(join(folder, name), { force: true })
  }
}

/** Another process of that number. This one’s number on a file that it is not writing was that of one before it. */
function runs(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When root runs a command, its files go to the user that the panel runs as: the owner of the folder. */
export function giveToOwnerOf(folder: string, file: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(folder)
  chownSync(file, uid, gid)
}
