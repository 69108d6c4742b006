import { join } from 'node:path'
import { Failure } from '../../db/failure.ts'
import { isThere, writePrivate } from '../../db/files.ts'
import { StartError } from '../../db/start-error.ts'
import { deriveSecrets, newMaster, readMasters, secretsFile } from '../../secrets.ts'
import { keylessFiles, keyOf } from '../backups/folder.ts'
import { openInstallation } from '../installation/open.ts'
import { type Resealed, sealAnew } from './data.ts'

/** After each of these a crash may come: the panel starts, and a second rotation completes the first. */
export type Step = 'keys written' | 'sealed' | 'committed' | 'old key gone'

/**
 * Gives an installation new secrets. The old key stays in the file, after the new one, until nothing in
 * the database needs it; at every moment the keys in the file open everything that is sealed. Throws a
 * StartError when a panel runs on the data or the key does not fit, a Failure when it fails: nothing has changed then.
 */
export function rotateSecrets(dataDir: string, at: number, reached: (step: Step) => void = () => {}): Resealed {
  const file = secretsFile(dataDir)
  if (!isThere(join(dataDir, 'panel.db')) || !isThere(file))
    throw new StartError(`There is no database with its secrets in ${dataDir}. Set DATA_DIR.`)
  const { db, close } = openInstallation(dataDir, at)
  try {
    const before = readMasters(file)
    // Copies that rely on the installation’s own key, such as those before a migration.
    for (const copy of keylessFiles(dataDir)) writeMasters(keyOf(copy), before)
    const masters = [newMaster(), ...before]
    writeMasters(file, masters)
    reached('keys written')
    let done: Resealed
    try {
      done = sealAnew(db, deriveSecrets(masters), at, () => reached('sealed'))
    } catch (error) {
      writeMasters(file, before)
      throw new Failure(`Nothing was changed: ${(error as Error).message}.`)
    }
    reached('committed')
    writeMasters(file, masters.slice(0, 1))
    reached('old key gone')
    return done
  } finally {
    close()
  }
}

function writeMasters(file: string, masters: string[]): void {
  writePrivate(file, `${masters.join('\n')}\n`)
}
