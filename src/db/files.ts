import {
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'

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

/** Puts a finished file in its place, over one that is there: after a crash it is there whole, or not at all. */
export function moveIntoPlace(from: string, to: string): void {
  giveToOwnerOf(dirname(to), from)
  sync(from)
  renameSync(from, to)
  sync(dirname(to))
}

/** Writes a file that only its owner reads, whole or not at all. */
export function writePrivate(file: string, text: string): void {
  const partial = `${file}.partial`
  try {
    writeFileSync(partial, text, { mode: 0o600 })
    moveIntoPlace(partial, file)
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

/** Root’s commands make files for the user whom the panel runs as: the owner of the folder. */
export function giveToOwnerOf(folder: string, file: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(folder)
  chownSync(file, uid, gid)
}
