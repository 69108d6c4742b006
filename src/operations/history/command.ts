import { once } from 'node:events'
import { basename, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { readConfig } from '../../config.ts'
import { hasChain } from '../../db/chaining.ts'
import { readCompanion } from '../../db/companion.ts'
import { isThere } from '../../db/files.ts'
import { readJson } from '../../db/json.ts'
import { type Db, type OpenDatabase, openToRead } from '../../db/open.ts'
import { StartError } from '../../db/start-error.ts'
import { hashOf, type RememberedHead, recordsSince, restorations, verifyChain } from '../../records/data/verifying.ts'
import { plural } from '../../web/format.ts'
import { backupFolder, listBackupFiles } from '../backups/folder.ts'

/** Reads the history of DATA_DIR, or of a backup, and says what was tampered with. Exit code 1 if anything was. */
export async function verifyHistory(given: string | undefined, { against }: { against?: string }): Promise<void> {
  const { dataDir } = readConfig()
  const file = given === undefined ? databaseOf(dataDir) : resolve(given)
  const { db, close } = openChained(file)
  try {
    const named = against === undefined ? [] : [headIn(resolve(against))]
    const beside = given === undefined ? headsIn(dataDir, restorations(db)) : noHeads
    const { records, head, problems } = verifyChain(db, [...beside.heads, ...named])
    const all = [...problems, ...beside.damaged]
    for (const problem of all) console.log(problem)
    if (all.length > 0) process.exitCode = 1
    else
      console.log(
        `${plural(records, 'record')}, none was changed; compared with ${plural(beside.heads.length + named.length, 'backup')}.`,
      )
    if (beside.leftBehind > 0)
      console.log(
        `Not compared: ${plural(beside.leftBehind, 'backup')} of what was recorded until an earlier backup was restored.`,
      )
    console.log(head.hash === '' ? 'No records yet' : `Head: record ${head.record}, ${head.hash}`)
  } finally {
    close()
  }
}

function openChained(file: string): OpenDatabase {
  const open = openToRead(file)
  if (hasChain(open.db.$client)) return open
  open.close()
  throw new StartError(`The records of ${file} are not chained: it was made before 0.3.0. Start the panel on it once.`)
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

const noHeads = { heads: [] as RememberedHead[], leftBehind: 0, damaged: [] as string[] }

/**
 * What the backups of an installation remember. A restored history has left behind what was recorded between its backup and
 * the restoration: the backups that end there are only counted.
 */
function headsIn(dataDir: string, restored: { id: number; at: number }[]): typeof noHeads {
  const folder = backupFolder(dataDir)
  const names = listBackupFiles(dataDir).map(({ name }) => name)
  const files = names.filter((name) => name.endsWith('.db')).sort()
  const damaged: string[] = []
  const all = files.flatMap((name) => {
    try {
      const companion = readCompanion(join(folder, name))
      return companion?.history ? [{ ...companion.history, name, at: Date.parse(companion.madeAt) }] : []
    } catch (error) {
      damaged.push((error as Error).message)
      return []
    }
  })
  const heads = all.filter(({ record, at }) => !restored.some((later) => later.at > at && later.id <= record))
  return { heads, leftBehind: all.length - heads.length, damaged }
}

const pause = 1_000

/**
 * Prints the history as JSON Lines, the oldest first. With `follow`, it goes on with what is recorded later until it is ended,
 * also across restarts of the panel. After an earlier backup was restored it goes on with the record that says so.
 */
export async function printHistory({ after = '0', follow }: { after?: string; follow?: true }): Promise<void> {
  if (!/^(0|[1-9]\d{0,14})$/.test(after)) throw new StartError('--after must be the number of a record.')
  const { dataDir } = readConfig()
  const { stdout } = process
  // Whoever reads has gone, such as `head`.
  stdout.on('error', () => process.exit(0))
  let last: { id: number; hash?: string | null } = { id: Number(after) }
  for (; ; await wait(pause)) {
    // While a backup is restored, there is none for a moment.
    if (follow && !isThere(join(dataDir, 'panel.db'))) continue
    // Opened anew each time: what is in the place of the database may be another file now.
    const { db, close } = openChained(databaseOf(dataDir))
    try {
      if (last.hash !== undefined && hashOf(db, last.id) !== last.hash) last = restart(db, last.id)
      for (const rows of recordsSince(db, last.id))
        for (const row of rows) {
          last = row
          if (!stdout.write(`${lineOf(row)}\n`)) await once(stdout, 'drain')
        }
    } finally {
      close()
    }
    if (!follow) return
  }
}

/** Where to go on in a history that is no longer the one that was printed. */
function restart(db: Db, id: number): { id: number } {
  const from = restorations(db).at(-1)?.id ?? 1
  console.error(
    `Record ${id} is not the one that was printed: an earlier backup was restored. Going on with record ${from}.`,
  )
  return { id: from - 1 }
}

type RecordRow = ReturnType<typeof recordsSince> extends Generator<(infer Row)[]> ? Row : never

/** Names and what people typed are not in it: it may be kept elsewhere for long, and people may be erased. */
function lineOf({ id, at, change, ...row }: RecordRow): string {
  return JSON.stringify({ id, at: new Date(at).toISOString(), ...row, change: readJson<unknown>(change, change) })
}
