import { appendFileSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { holdsNothing } from '../../db/check.ts'
import { piecesOf } from '../../db/companion.ts'
import { copyToDatabase } from '../../db/copy.ts'
import { createPrivate, isThere, makeFolder, moveIntoPlace, writePrivate } from '../../db/files.ts'
import { takeLock } from '../../db/lock.ts'
import { openFile } from '../../db/open.ts'
import { StartError } from '../../db/start-error.ts'
import { deriveSecrets, secretsFile } from '../../secrets.ts'
import { type Place, placeWords } from '../elsewhere/place.ts'
import { adoptEpoch } from '../replica/claim.ts'
import { bringFromReplica } from '../replica/litestream.ts'
import { endWhatWasOpen } from './data.ts'
import { keyOf } from './folder.ts'
import { type BackupContents, verifyBackup } from './verify.ts'

export type Restored = {
  contents: BackupContents
  ended: ReturnType<typeof endWhatWasOpen>
  /** Files that lay in the way, under the names that they have now. */
  movedAside: string[]
}

/**
 * Makes a backup the database of an empty place. It is copied there under a passing name, checked,
 * migrated to this version, rid of all that was open, and only then takes over. Throws a StartError when
 * the place is not empty or a panel runs on it, a Failure when the backup is not good.
 */
export async function restoreBackup(
  dataDir: string,
  backup: string,
  { key, at, replica }: { key: string | undefined; at: number; replica?: Place | undefined },
): Promise<Restored> {
  if (!isThere(backup)) throw new StartError(`There is no file ${backup}.`)
  if (!statSync(backup).isFile()) throw new StartError(`${backup} is a folder.`)
  return restoreInto(dataDir, {
    at,
    replica,
    bring: async (file) => copyIn(backup, file),
    verify: (file) => verifyCopy(file, backup, key ?? keyFor(dataDir, backup)),
  })
}

/**
 * Makes what a replica holds, as it was at `until` or is now, the database of an empty place, as `restoreBackup` does.
 * The key is the file named, or the one that was put into the place.
 */
export async function restoreReplica(
  dataDir: string,
  place: Place,
  { key, at, ...of }: { key: string | undefined; at: number; until: number | undefined; keepHours: number },
): Promise<Restored> {
  const secrets = key ?? secretsFile(dataDir)
  if (!isThere(secrets))
    throw new StartError(
      `The key of this replica, ${secrets}, is missing. It is not in the replica: put it there, or say with --secrets where it is.`,
    )
  const from = placeWords(place)
  return restoreInto(dataDir, {
    at,
    replica: place,
    bring: (file) => bringFromReplica({ dataDir, place, ...of }, file),
    verify: (file) => verifyCopy(file, from, secrets),
  })
}

type Source = {
  at: number
  /** The replica whose epoch the restored database continues. */
  replica: Place | undefined
  /** Writes the database into a file. */
  bring: (file: string) => Promise<void>
  verify: (file: string) => Promise<BackupContents>
}

async function restoreInto(dataDir: string, { at, replica, bring, verify }: Source): Promise<Restored> {
  makeFolder(dataDir)
  const lock = takeLock(dataDir)
  const restoring = join(dataDir, 'panel.db.restoring')
  const removeRestoring = () => {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(restoring + end, { force: true })
  }
  try {
    refuseUnlessEmpty(dataDir)
    removeRestoring()
    await bring(restoring)
    const contents = await verify(restoring)
    const ended = await makeCurrent(restoring, contents, at, replica)
    const movedAside = moveAside(dataDir, contents.masters, at)
    writePrivate(secretsFile(dataDir), `${contents.masters.join('\n')}\n`)
    moveIntoPlace(restoring, join(dataDir, 'panel.db'))
    return { contents, ended, movedAside }
  } finally {
    removeRestoring()
    lock.close()
  }
}

/** A database that nobody has used yet, as a first start leaves it, may give way; any other may not. */
function refuseUnlessEmpty(dataDir: string): void {
  const database = join(dataDir, 'panel.db')
  if (!isThere(database)) return
  if (statSync(database).size > 0 && !holdsNothing(database))
    throw new StartError(`${database} is there already, and not empty. Move it away first, or set DATA_DIR.`)
}

/** A database that was copied by hand may have its newest writes in a log next to it. */
function copyIn(backup: string, restoring: string): void {
  for (const end of ['', '-wal'].filter((end) => isThere(backup + end))) {
    createPrivate(restoring + end)
    for (const piece of piecesOf(backup + end)) appendFileSync(restoring + end, piece)
  }
}

/** Where somebody keeps keys apart from backups, the installation’s own may still be there. */
function keyFor(dataDir: string, backup: string): string {
  return !isThere(keyOf(backup)) && isThere(secretsFile(dataDir)) ? secretsFile(dataDir) : keyOf(backup)
}

/** Errors name the backup, not its copy. */
async function verifyCopy(copy: string, backup: string, key: string): Promise<BackupContents> {
  try {
    return await verifyBackup(copy, { beside: backup, key })
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replaceAll(copy, backup)
    throw error
  }
}

async function makeCurrent(
  file: string,
  { masters, madeAt, lastRecordAt }: BackupContents,
  at: number,
  replica: Place | undefined,
): Promise<Restored['ended']> {
  copyToDatabase(file)
  const { db, close } = openFile(file)
  try {
    if (replica) await adoptEpoch(db, replica)
    return endWhatWasOpen(db, deriveSecrets(masters), at, madeAt ?? lastRecordAt)
  } finally {
    // Closing brings everything into the one file.
    close()
  }
}

/**
 * Files of another database must not meet the restored one: SQLite would apply a write-ahead log that was
 * left behind to it. Other secrets are kept as well.
 */
function moveAside(dataDir: string, masters: string[], at: number): string[] {
  const database = join(dataDir, 'panel.db')
  const secrets = secretsFile(dataDir)
  const others = isThere(secrets) && readFileSync(secrets, 'utf8').trim() !== masters.join('\n') ? [secrets] : []
  return [`${database}-wal`, `${database}-shm`, join(dataDir, '.panel.db-litestream'), ...others]
    .filter(isThere)
    .map((file) => {
      const aside = `${file}.before-restore-${new Date(at).toISOString().replaceAll(':', '-')}`
      renameSync(file, aside)
      return aside
    })
}
