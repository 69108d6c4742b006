import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { openFile, openToRead } from '../../db/open.ts'
import { findWrongFigures } from '../../db/recounting.ts'
import { endedPasskeys } from '../../people/passkeys/ended.ts'
import { secretsFile } from '../../secrets.ts'
import { dateTime, duration, fileSize, plural } from '../../web/format.ts'
import { type BackupFile, listBackupFiles, newestGood, overdue } from '../backups/folder.ts'
import { type BackupContents, verifyBackup } from '../backups/verify.ts'
import { findClockTrouble } from '../clock/data.ts'
import { clockWords } from '../health/warnings.ts'
import { type Finding, ok, problem, saidBy, warning } from './finding.ts'

/** Checks the database as a restore does, also while the panel runs. */
export async function examineDatabase(config: Config, at: number): Promise<Finding[]> {
  const { dataDir } = config
  const file = join(dataDir, 'panel.db')
  let contents: BackupContents
  try {
    contents = await verifyBackup(file, { key: secretsFile(dataDir) })
  } catch (error) {
    return [problem(saidBy(error), 'see “Restore a backup” in the README')]
  }
  const { migrations, accounts, users } = contents
  const held = `${plural(accounts, 'account')}, ${plural(users, 'user')}`
  return [
    ok(`integrity: the database is whole (${held}), and its key fits`),
    migrations.applied < migrations.known
      ? warning(
          `migrations: ${migrations.applied} of ${migrations.known} are applied`,
          'the next start applies them, or stop the panel and run migrate',
        )
      : ok(`migrations: all ${migrations.known} are applied`),
    examinePragmas(file),
    // What a migration still brings is missing before it.
    ...(migrations.applied < migrations.known
      ? []
      : [...examineFigures(file), examineClock(file, at), ...examinePasskeys(file, config)]),
  ]
}

/** Opening a database sets and compares the settings that durability rests on. */
function examinePragmas(file: string): Finding {
  try {
    openFile(file).close()
    return ok('pragmas: SQLite writes durably and checks references')
  } catch (error) {
    return problem(saidBy(error), 'put DATA_DIR on a local disk')
  }
}

/** What triggers keep, against a count. */
function examineFigures(file: string): Finding[] {
  const { db, close } = openToRead(file)
  try {
    const wrong = findWrongFigures(db.$client)
    if (wrong.length === 0) return [ok('figures: pools and names in lists are what a count gives')]
    return wrong.map((what) => problem(`figures: ${what}`, 'stop the panel and run migrate --recount'))
  } finally {
    close()
  }
}

function examineClock(file: string, at: number): Finding {
  const { db, close } = openFile(file)
  try {
    const trouble = findClockTrouble(db, at)
    if (!trouble) return ok(`clock: ${dateTime(at)}, after the last change`)
    return problem(
      `clock: ${clockWords(trouble).replace(/\.$/, '')}`,
      'set the clock, and keep it with NTP; where it is right, an operator says so on Home. Until then nothing is removed for its age',
    )
  } finally {
    close()
  }
}

/** A passkey belongs to the host that it was made for. */
function examinePasskeys(file: string, config: Config): Finding[] {
  const { db, close } = openFile(file)
  try {
    const ended = endedPasskeys(db, config)
    return ended ? [warning(`passkeys: ${ended.what}`, ended.todo)] : []
  } finally {
    close()
  }
}

/** How old the last good backup is. */
export function examineBackups({ dataDir, backupEveryHours }: Config, at: number): Finding[] {
  const files = listBackupFiles(dataDir)
  const keyless = files.filter(({ state }) => state === 'keyless')
  const findings: Finding[] = keyless.map(({ name }) =>
    warning(
      `backups: ${name} has no key next to it`,
      `put ${name}.secrets back, or no restore can open what is sealed`,
    ),
  )
  const last = newestGood(files, at)
  if (overdue(dataDir, backupEveryHours, at))
    return [
      ...findings,
      problem(
        last ? `backups: the last good one is ${duration(at - last.at)} old` : 'backups: there is none',
        'look for “a backup failed” in the log, and run backup',
      ),
    ]
  return [
    ...findings,
    last ? ok(wordsOf(last, at)) : warning('backups: there is none yet', 'run backup, or wait for the panel’s own'),
  ]
}

const wordsOf = (last: BackupFile, at: number) =>
  `backups: the last good one is ${duration(at - last.at)} old (${last.name}, ${fileSize(last.size)})`
