import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { readConfig } from '../../config.ts'
import { readCompanion } from '../../db/companion.ts'
import { isThere } from '../../db/files.ts'
import { openToRead } from '../../db/open.ts'
import { StartError } from '../../db/start-error.ts'
import { lastRestored, type RememberedHead, recordsSince, verifyChain } from '../../records/data/verifying.ts'
import { plural } from '../../web/format.ts'
import { backupFolder } from '../backups/folder.ts'

/** Reads the history of DATA_DIR, or of a backup, and says what was tampered with. Exit code 1 if anything was. */
export async function verifyHistory(given: string | undefined, { against }: { against?: string }): Promise<void> {
  const { dataDir } = readConfig()
  const file = given === undefined ? databaseOf(dataDir) : resolve(given)
  const { db, close } = openToRead(file)
  try {
    const restoredAt = lastRestored(db)
    const named = against === undefined ? [] : [headIn(resolve(against))]
    const { heads, older } = given === undefined ? headsIn(dataDir, restoredAt) : { heads: [], older: 0 }
    const { records, head, problems } = verifyChain(db, [...heads, ...named])
    for (const problem of problems) console.log(problem)
    if (problems.length > 0) process.exitCode = 1
    else
      console.log(
        `${plural(records, 'record')}, each as it was written; compared with ${plural(heads.length + named.length, 'backup')}.`,
      )
    if (older > 0)
      console.log(
        `Not compared: ${plural(older, 'backup')} from before a backup was restored (${new Date(restoredAt).toISOString()}).`,
      )
    console.log(`Head: record ${head.record}, ${head.hash || 'none'}`)
  } finally {
    close()
  }
}

function databaseOf(dataDir: string): string {
  const file = join(dataDir, 'panel.db')
  if (!isThere(file)) throw new StartError(`There is no database in ${dataDir}. Set DATA_DIR.`)
  return file
}

/** What the companion of a backup remembers. A StartError if there is none, or it is of an earlier version. */
function headIn(file: string): RememberedHead {
  const backup = file.replace(/\.json$/, '')
  const head = readCompanion(backup)?.history
  if (!head)
    throw new StartError(
      `${backup}.json does not say where the history ended: it was made before 0.3.0, or is missing.`,
    )
  return { ...head, name: basename(backup) }
}

/** What the backups of an installation remember. A restored history has left those behind that were made before. */
function headsIn(dataDir: string, since: number): { heads: RememberedHead[]; older: number } {
  const folder = backupFolder(dataDir)
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.db')) : []
  const all = files.flatMap((name) => {
    const companion = readCompanion(join(folder, name))
    return companion?.history ? [{ ...companion.history, name, at: Date.parse(companion.madeAt) }] : []
  })
  const heads = all.filter(({ at }) => at >= since)
  return { heads, older: all.length - heads.length }
}

const pause = 1_000

/**
 * Prints the history as JSON Lines, the oldest first. With `follow`, it goes on with what is recorded later, also across
 * restarts of the panel and restored backups, until it is ended.
 */
export async function printHistory({ after = '0', follow }: { after?: string; follow?: true }): Promise<void> {
  if (!/^(0|[1-9]\d{0,14})$/.test(after)) throw new StartError('--after must be the number of a record.')
  const { dataDir } = readConfig()
  const { stdout } = process
  // Whoever reads has gone, such as `head`.
  stdout.on('error', () => process.exit(0))
  let last = Number(after)
  for (;;) {
    // Opened anew each time: what is in the place of the database may be another file now.
    const { db, close } = openToRead(databaseOf(dataDir))
    try {
      for (const rows of recordsSince(db, last))
        for (const row of rows) {
          last = row.id
          if (!stdout.write(`${lineOf(row)}\n`)) await once(stdout, 'drain')
        }
    } finally {
      close()
    }
    if (!follow) return
    await wait(pause)
  }
}

type RecordRow = ReturnType<typeof recordsSince> extends Generator<(infer Row)[]> ? Row : never

/** Names and what people typed are not in it: it may be kept elsewhere for long, and people may be erased. */
function lineOf({ id, at, change, ...row }: RecordRow): string {
  return JSON.stringify({ id, at: new Date(at).toISOString(), ...row, change: readChange(change) })
}

function readChange(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
