import { type Contents, checkDatabase } from '../../db/check.ts'
import { checkContent, readCompanion, sha256OfText } from '../../db/companion.ts'
import { Failure } from '../../db/failure.ts'
import { isThere } from '../../db/files.ts'
import { StartError } from '../../db/start-error.ts'
import { DamagedSecrets, deriveSecrets, readMasters, unsealed } from '../../secrets.ts'
import { keyOf } from './folder.ts'

export type BackupContents = Contents & {
  masters: string[]
  /** What was compared with the companion: a backup from before 0.3.0 has none, and a changed value is not noticed. */
  checked: 'content' | 'structure'
}

/**
 * Reads a backup from end to end: its bytes against its companion, its database, and whether its key opens what is
 * sealed in it. `beside` is the backup if `file` is a copy of it; the key is the file named here, or otherwise
 * the one next to the backup. Throws as checkDatabase does, and for content and key.
 */
export async function verifyBackup(
  file: string,
  {
    beside = file,
    key = keyOf(beside),
    signal,
  }: { beside?: string; key?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<BackupContents> {
  const companion = isThere(file) ? readCompanion(beside) : undefined
  if (companion) await checkContent(file, companion, signal)
  const contents = await checkDatabase(file, signal)
  if (!isThere(key))
    throw new StartError(`The key of this backup, ${key}, is missing. Put it there, or say with --secrets where it is.`)
  const masters = mastersIn(key)
  const secrets = deriveSecrets(masters)
  const itsKey = companion?.secretsSha256 === undefined || companion.secretsSha256 === sha256OfText(masters.join('\n'))
  if (!itsKey || !contents.sealed.every((sealed) => unsealed(secrets, sealed) !== undefined))
    throw new Failure(`${key} is not the key of this backup: it does not open what is sealed in it.`)
  return { ...contents, masters, checked: companion ? 'content' : 'structure' }
}

function mastersIn(key: string): string[] {
  try {
    return readMasters(key)
  } catch (error) {
    throw error instanceof DamagedSecrets ? new Failure(error.message) : error
  }
}
