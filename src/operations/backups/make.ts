import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { companionOf, sha256InTurns, writeCompanion } from '../../db/companion.ts'
import { copyDatabase } from '../../db/copy.ts'
import { createPrivate, isThere, moveIntoPlace, privateFolder, withPartial, writePrivate } from '../../db/files.ts'
import { StartError } from '../../db/start-error.ts'
import { secretsFile } from '../../secrets.ts'
import { version } from '../../version.ts'
import { keyOf } from './folder.ts'
import { type BackupContents, verifyBackup } from './verify.ts'

/** The folder of an installation’s own backups; created if missing. */
export const ownBackupFolder = (dataDir: string) => privateFolder(dataDir, 'backups')

/**
 * Makes a backup of an installation, also while the panel runs: a copy of the database under a temporary name,
 * the key to its sealed values, and its SHA-256. All are checked as for a restore before they get their names.
 * Nothing is overwritten. Throws a StartError when it cannot begin, a Failure when the copy is not good.
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

  return withPartial(file, async (partial) => {
    createPrivate(partial)
    await copyDatabase(database, partial, { at, version, signal })
    const key = readFileSync(secretsFile(dataDir), 'utf8')
    writePrivate(keyOf(partial), key)
    const sha256 = await sha256InTurns(partial, signal)
    const companion = writeCompanion(partial, file, { at, sha256, key })
    const contents = await verifyBackup(partial, { signal })
    refuseToOverwrite(file)
    // The database last: a backup is there when it is.
    moveIntoPlace(keyOf(partial), keyOf(file))
    moveIntoPlace(companion, companionOf(file))
    moveIntoPlace(partial, file)
    return contents
  })
}

function refuseToOverwrite(file: string): void {
  for (const name of [file, keyOf(file), companionOf(file)])
    if (isThere(name)) throw new StartError(`${name} is there already. Choose another name.`)
}
