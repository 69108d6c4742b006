import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { copyDatabase } from '../db/copy.ts'
import { giveToOwnerOf, isThere, moveIntoPlace, writePrivate } from '../db/files.ts'
import { StartError } from '../db/open.ts'
import { secretsFile } from '../secrets.ts'
import { version } from '../version.ts'
import { backupFolder, keyOf } from './folder.ts'
import { type BackupContents, verifyBackup } from './verify.ts'

/** The folder of an installation’s own backups, made where it is missing. */
export function ownBackupFolder(dataDir: string): string {
  const folder = backupFolder(dataDir)
  if (!isThere(folder)) {
    if (!isThere(dataDir)) throw new StartError(`There is no folder ${dataDir}.`)
    mkdirSync(folder, { mode: 0o700 })
    giveToOwnerOf(dataDir, folder)
  }
  return folder
}

/**
 * Makes a backup of an installation, beside a running panel too: a copy of the database under a passing
 * name, the key to what is sealed in it, both checked as for a restore, and only then their names. Nothing
 * is written over. Throws a StartError when it cannot begin, a Failure when the copy is not good.
 */
export async function makeBackup(
  dataDir: string,
  file: string,
  { at, signal }: { at: number; signal?: AbortSignal },
): Promise<BackupContents> {
  const database = join(dataDir, 'panel.db')
  if (!isThere(database)) throw new StartError(`There is no database in ${dataDir}. Set DATA_DIR.`)
  if (!statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory())
    throw new StartError(`There is no folder ${dirname(file)}.`)
  refuseToOverwrite(file)

  const partial = `${file}.${randomBytes(4).toString('hex')}.partial`
  const removePartial = () => {
    for (const end of ['', '.secrets', '-journal']) rmSync(partial + end, { force: true })
  }
  try {
    writeFileSync(partial, '', { mode: 0o600, flag: 'wx' })
    await copyDatabase(database, partial, { at, version, signal })
    writePrivate(keyOf(partial), readFileSync(secretsFile(dataDir), 'utf8'))
    const contents = await verifyBackup(partial, { signal })
    refuseToOverwrite(file)
    // The key first: a backup is there when its database is.
    moveIntoPlace(keyOf(partial), keyOf(file))
    moveIntoPlace(partial, file)
    return contents
  } finally {
    removePartial()
  }
}

function refuseToOverwrite(file: string): void {
  for (const name of [file, keyOf(file)])
    if (isThere(name)) throw new StartError(`${name} is there already. Choose another name.`)
}
