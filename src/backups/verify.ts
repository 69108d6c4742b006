import { type Contents, checkDatabase } from '../db/check.ts'
import { Failure } from '../db/failure.ts'
import { isThere } from '../db/files.ts'
import { StartError } from '../db/open.ts'
import { DamagedSecrets, deriveSecrets, readMasters, unseal } from '../secrets.ts'
import { keyOf } from './folder.ts'

export type BackupContents = Contents & { masters: string[] }

/**
 * Reads a backup from end to end: its database, and whether its key opens what is sealed in it. The key is
 * the file named here, or else the one beside the backup. Throws as checkDatabase does, and for the key.
 */
export async function verifyBackup(
  file: string,
  { key = keyOf(file), signal }: { key?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<BackupContents> {
  const contents = await checkDatabase(file, signal)
  if (!isThere(key))
    throw new StartError(`The key of this backup, ${key}, is missing. Put it there, or say with --secrets where it is.`)
  const masters = mastersIn(key)
  const secrets = deriveSecrets(masters)
  if (!contents.sealed.every((sealed) => opens(() => unseal(secrets, sealed))))
    throw new Failure(`${key} is not the key of this backup: it does not open what is sealed in it.`)
  return { ...contents, masters }
}

function mastersIn(key: string): string[] {
  try {
    return readMasters(key)
  } catch (error) {
    throw error instanceof DamagedSecrets ? new Failure(error.message) : error
  }
}

function opens(act: () => void): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}
