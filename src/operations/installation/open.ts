import { join } from 'node:path'
import { isThere, writePrivate } from '../../db/files.ts'
import { isLocked } from '../../db/lock.ts'
import { type Db, type OpenDatabase, openDatabase, openFile } from '../../db/open.ts'
import { StartError } from '../../db/start-error.ts'
import { deriveSecrets, newMaster, readMasters, type Secrets, secretsFile } from '../../secrets.ts'
import { findInstallation, fits, needsItsSecrets, opensAnything, tie } from './data.ts'

export type OpenInstallation = OpenDatabase & { secrets: Secrets }

/**
 * Opens database and secrets for the one process that works on them; makes both in an empty place. Throws a StartError
 * as openDatabase does, and when one of the two is missing, damaged or does not fit the other.
 */
export function openInstallation(dataDir: string, at: number): OpenInstallation {
  const database = openDatabase(dataDir)
  try {
    return { ...database, secrets: secretsOf(dataDir, database.db, at) }
  } catch (error) {
    database.close()
    throw error
  }
}

/** Opens the database for a short act, beside a running panel too, which has looked at the secrets itself. */
export function joinInstallation(dataDir: string, at: number): OpenDatabase {
  return isLocked(dataDir) ? openFile(join(dataDir, 'panel.db')) : openInstallation(dataDir, at)
}

function secretsOf(dataDir: string, db: Db, at: number): Secrets {
  const file = secretsFile(dataDir)
  const database = join(dataDir, 'panel.db')
  const tied = findInstallation(db)
  if (!isThere(file)) {
    if (tied || needsItsSecrets(db))
      throw new StartError(
        `${file} is missing, and what is sealed in ${database} opens with nothing else. Bring it back from a backup (its FILE.secrets).`,
      )
    // The database is created first: secrets without one are leftovers of an installation.
    writePrivate(file, `${newMaster()}\n`)
  }
  const secrets = deriveSecrets(readMasters(file))
  if (tied ? !fits(secrets, tied) : !opensAnything(db, secrets))
    throw new StartError(
      `${file} does not fit ${database}: it does not open what is sealed there. Bring back the secrets of this database, or the database of these secrets.`,
    )
  if (!tied) tie(db, secrets, at)
  return secrets
}
