import { join, resolve } from 'node:path'
import { readConfig, readPlaceSetting } from '../../config.ts'
import type { Contents } from '../../db/check.ts'
import { companionOf } from '../../db/companion.ts'
import { StartError } from '../../db/start-error.ts'
import { dateTime, duration, plural } from '../../web/format.ts'
import { backupName, keyOf } from './folder.ts'
import { makeBackup, ownBackupFolder } from './make.ts'
import { restoreBackup, restoreReplica } from './restore.ts'
import { type BackupContents, verifyBackup } from './verify.ts'

/** Makes a backup, in DATA_DIR/backups or as the named file, also while the panel runs. */
export async function backUp(given: string | undefined): Promise<void> {
  const { dataDir } = readConfig()
  const at = Date.now()
  const file = given ? resolve(given) : join(ownBackupFolder(dataDir), backupName('manual', at))
  const contents = await makeBackup(dataDir, file, { at })
  console.log(
    `${file}, its key ${keyOf(file)} and its checksum ${companionOf(file)} were written and checked.\n${wordsOf(contents)}`,
  )
}

type RestoreOptions = { secrets?: string; from?: string; at?: string }

/** Makes a backup, or what a replica holds, the database of DATA_DIR, which must be empty. */
export async function restore(
  file: string | undefined,
  { secrets: key, from, at: time }: RestoreOptions,
): Promise<void> {
  const { dataDir, replicateTo, replicateKeepHours, access } = readConfig()
  if ((file === undefined) === (from === undefined))
    throw new StartError('Name either the file of a backup, or a replica with --from.')
  if (time !== undefined && from === undefined) throw new StartError('--at is for a replica: name it with --from.')
  const at = Date.now()
  const { contents, ended, movedAside } =
    from === undefined
      ? await restoreBackup(dataDir, file ?? '', { key, at, replica: replicateTo })
      : await restoreReplica(dataDir, readPlaceSetting('--from', from, access), {
          key,
          at,
          until: time === undefined ? undefined : readTime(time, at),
          keepHours: replicateKeepHours,
        })
  console.log(`${dataDir} holds what ${file ?? from} held.\n${wordsOf(contents)}`)
  console.log(
    `Ended: ${plural(ended.sessions, 'session')}, ${plural(ended.tokens, 'API token')}, ${plural(ended.links, 'link')} in waiting e-mails; ${plural(ended.letters, 'e-mail')} with such a link will not go out.`,
  )
  for (const aside of movedAside) console.log(`An earlier file was in the way and is now ${aside}.`)
  console.log(
    `Users who were deleted after ${from === undefined ? 'the backup was made' : 'that time'} are back: delete them again.`,
  )
  console.log('Start the panel, log in again, and have pending invitations sent again.')
}

function readTime(text: string, now: number): number {
  const at = Date.parse(text)
  if (Number.isNaN(at) || at > now)
    throw new StartError(
      '--at must be a time in the past, such as 2026-11-27T09:30:00Z or “2026-11-27 10:30” (local time).',
    )
  return at
}

/** Reads a backup from end to end and prints its contents. */
export async function verify(file: string, { secrets: key }: { secrets?: string }): Promise<void> {
  const contents = await verifyBackup(file, { key })
  console.log(`${file} is whole, and its key fits.\n${checkedWords(contents)}\n${wordsOf(contents)}`)
}

function checkedWords({ checked, version }: BackupContents): string {
  if (checked === 'content') return 'Every byte is as it was written (SHA-256).'
  const why = isBefore030(version) ? 'It was made before 0.3.0' : 'Its checksum (FILE.json) is missing'
  return `${why}: only its structure can be checked, and a changed value would not be noticed.`
}

/** Backups of that version and later carry a checksum. */
function isBefore030(version: string | undefined): boolean {
  return version === undefined || /^0\.[0-2]\./.test(version)
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
