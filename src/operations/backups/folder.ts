import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { companionOf } from '../../db/companion.ts'
import { secretsFile } from '../../secrets.ts'

// The backups of an installation are the files of DATA_DIR/backups, and nothing else is noted about them.
// A backup is a database file and, beside it, the key to what is sealed in it and the checksum of both: FILE,
// FILE.secrets and FILE.json. It gets its name when it is whole and was checked.

export type BackupKind = 'scheduled' | 'manual' | 'before-migration' | 'other'
export type BackupState = 'good' | 'keyless' | 'unchecked' | 'unfinished'

export type BackupFile = {
  name: string
  kind: BackupKind
  /** When it was made: its name says it, or else when the file was last written. */
  at: number
  /** In bytes. */
  size: number
  state: BackupState
}

const hour = 3_600_000
const day = 24 * hour

export const backupFolder = (dataDir: string) => join(dataDir, 'backups')
export const keyOf = (file: string) => `${file}.secrets`
export const backupName = (kind: 'scheduled' | 'manual', at: number) =>
  `${kind}-${new Date(at).toISOString().replaceAll(':', '-')}.db`

/** The newest first. */
export function listBackupFiles(dataDir: string): BackupFile[] {
  const folder = backupFolder(dataDir)
  // Something else may be in its place.
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(folder)
    .filter((name) => /\.(db|partial)$/.test(name))
    .flatMap((name) => lookAt(folder, name) ?? [])
    .sort((one, other) => other.at - one.at || other.name.localeCompare(one.name))
}

function lookAt(folder: string, name: string): BackupFile | undefined {
  // It may have gone since the folder was read.
  const file = statSync(join(folder, name), { throwIfNoEntry: false })
  if (!file?.isFile()) return undefined
  const { kind, at } = kindAndTime(name, Math.round(file.mtimeMs))
  return { name, kind, at, size: file.size, state: stateOf(folder, name, kind) }
}

/** What the name of a backup says; `otherwise` is the time of one whose name says none. */
export function kindAndTime(name: string, otherwise: number): Pick<BackupFile, 'kind' | 'at'> {
  const [, kind = 'other', ...time] =
    /^(scheduled|manual|before-migration)-(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3}Z)\.db/.exec(name) ?? []
  return { kind: kind as BackupKind, at: time.length > 0 ? Date.parse(time.join(':')) : otherwise }
}

function stateOf(folder: string, name: string, kind: string): BackupState {
  if (name.endsWith('.partial')) return 'unfinished'
  if (kind !== 'scheduled' && kind !== 'manual') return 'unchecked'
  return existsSync(join(folder, keyOf(name))) ? 'good' : 'keyless'
}

/** The newest backup that was checked when it was made and has its key, at this time or before. */
export function newestGood(files: BackupFile[], at: number): BackupFile | undefined {
  return files.find((file) => file.state === 'good' && file.at <= at)
}

/**
 * For how long the last good backup has been too old, counted from its making: undefined while it is
 * young enough, or where the panel makes none. An installation without any counts from its beginning.
 */
export function overdue(
  dataDir: string,
  everyHours: number,
  at: number,
): { last: BackupFile | undefined; age: number } | undefined {
  if (everyHours === 0) return undefined
  const { last, since } = lastGood(dataDir, at)
  const age = at - since
  return isTooOld(age, everyHours) ? { last, age } : undefined
}

function lastGood(dataDir: string, at: number): { last: BackupFile | undefined; since: number } {
  const last = newestGood(listBackupFiles(dataDir), at)
  const begun = statSync(secretsFile(dataDir), { throwIfNoEntry: false })?.mtimeMs
  return { last, since: last?.at ?? Math.round(begun ?? at) }
}

/** Since when a backup has been due; undefined while none is for more than an hour. */
export function backupsDue(dataDir: string, everyHours: number, at: number): number | undefined {
  if (everyHours === 0) return undefined
  const due = lastGood(dataDir, at).since + everyHours * hour
  return at - due > hour ? due : undefined
}

/** Two days, or twice the time between two where that is more. */
export const isTooOld = (age: number, everyHours: number) => age > Math.max(2 * day, 2 * everyHours * hour)

/** Copies without a key of their own, before the installation gets another one. */
export function keylessFiles(dataDir: string): string[] {
  return listBackupFiles(dataDir)
    .filter(({ name }) => name.endsWith('.db'))
    .map(({ name }) => join(backupFolder(dataDir), name))
    .filter((file) => !existsSync(keyOf(file)))
}

/**
 * Scheduled backups beyond so many, the oldest: the ones to remove. `files` are the newest first. One that is dated
 * later than `at` was made by a clock that was ahead: it takes no other one's place.
 */
export function surplus<File extends Pick<BackupFile, 'kind' | 'state' | 'at'>>(
  files: File[],
  keep: number,
  at: number,
): File[] {
  const past = files.filter((file) => file.at <= at)
  return past.filter(({ kind, state }) => kind === 'scheduled' && state !== 'unfinished').slice(keep)
}

/**
 * Removes the oldest scheduled backups, except the newest so many, and leftovers of interrupted attempts.
 * Other files are nobody’s to remove but the operator’s. Throws the first error once all others are removed.
 */
export function pruneBackups(dataDir: string, keep: number, at: number): void {
  const folder = backupFolder(dataDir)
  const files = listBackupFiles(dataDir)
  // Those of 0.2.0 do not say which process wrote them.
  const cutOff = files.filter((file) => file.state === 'unfinished' && file.kind !== 'other' && at - file.at > day)
  const backups = [...surplus(files, keep, at), ...cutOff].map(({ name }) => join(folder, name))
  const errors: unknown[] = []
  for (const file of [...backups.flatMap((file) => [file, keyOf(file), companionOf(file)]), ...widowed(folder, at)])
    try {
      rmSync(file, { force: true })
    } catch (error) {
      errors.push(error)
    }
  if (errors.length > 0) throw errors[0]
}

/** Keys and checksums whose backup never got its name, since the panel was killed right before. */
function widowed(folder: string, at: number): string[] {
  return readdirSync(folder).flatMap((name) => {
    const [, backup] = /^((?:scheduled|manual|before-migration)-.*\.db)\.(?:secrets|json)$/.exec(name) ?? []
    if (!backup || existsSync(join(folder, backup))) return []
    const file = join(folder, name)
    return at - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? at) > day ? [file] : []
  })
}
