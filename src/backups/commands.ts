import { join, resolve } from 'node:path'
import { readConfig } from '../config.ts'
import type { Contents } from '../db/check.ts'
import { dateTime, duration, plural } from '../web/format.ts'
import { backupName, keyOf } from './folder.ts'
import { makeBackup, ownBackupFolder } from './make.ts'
import { restoreBackup } from './restore.ts'
import { verifyBackup } from './verify.ts'

/** Makes a backup, in DATA_DIR/backups or as the file named, beside a running panel too. */
export async function backUp(given: string | undefined): Promise<void> {
  const { dataDir } = readConfig()
  const at = Date.now()
  const file = given ? resolve(given) : join(ownBackupFolder(dataDir), backupName('manual', at))
  const contents = await makeBackup(dataDir, file, { at })
  console.log(`${file} and its key ${keyOf(file)} were written and checked.\n${wordsOf(contents)}`)
}

/** Makes a backup the database of DATA_DIR, which must be empty. */
export async function restore(file: string, { secrets: key }: { secrets?: string }): Promise<void> {
  const { dataDir } = readConfig()
  const { contents, ended, movedAside } = await restoreBackup(dataDir, file, { key, at: Date.now() })
  console.log(`${dataDir} holds what ${file} held.\n${wordsOf(contents)}`)
  console.log(
    `Ended: ${plural(ended.sessions, 'session')}, ${plural(ended.links, 'link')} that waited in letters; ${plural(ended.letters, 'letter')} with such a link will not go out.`,
  )
  for (const aside of movedAside) console.log(`A file of before lay in the way and is now ${aside}.`)
  console.log('Users who were deleted after the backup was made are back: delete them again.')
  console.log('Start the panel, log in again, and have pending invitations sent again.')
}

/** Reads a backup from end to end and says what is in it. */
export async function verify(file: string, { secrets: key }: { secrets?: string }): Promise<void> {
  const contents = await verifyBackup(file, { key })
  console.log(`${file} is whole, and its key fits.\n${wordsOf(contents)}`)
}

function wordsOf({ madeAt, version, migrations, lastRecordAt, ...counts }: Contents): string {
  const made =
    madeAt === undefined
      ? 'Made at an unknown time'
      : `Made ${dateTime(madeAt)} (${duration(Date.now() - madeAt)} ago) by version ${version}`
  const last = lastRecordAt === undefined ? 'nothing was changed yet' : `last change ${dateTime(lastRecordAt)}`
  const held = [
    plural(counts.accounts, 'account'),
    plural(counts.users, 'user'),
    plural(counts.projects, 'project'),
    plural(counts.records, 'record'),
  ]
  return `${made}; ${migrations.applied} of ${plural(migrations.known, 'migration')}.\n${held.join(', ')}; ${last}.`
}
