import { execFile } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Config, environmentOf } from '../../config.ts'
import { Failure } from '../../db/failure.ts'
import { createPrivate, isThere, privateFolder } from '../../db/files.ts'
import { StartError } from '../../db/start-error.ts'
import type { Place } from '../elsewhere/place.ts'

// Litestream replicates the database: https://litestream.io. It is a program of its own; this file knows how to call it.

export type Litestream = { file: string; version: string }

/** Milliseconds between two looks at the database, and between two sendings: so much work can be lost. */
const every = '200ms'
const longestLook = 10_000

/**
 * The newest Litestream that can be used: of those on the PATH and the one that npm brought. Throws a StartError that
 * says what to install where there is none.
 */
export async function findLitestream(): Promise<Litestream> {
  const { PATH = '' } = environmentOf('PATH')
  const onPath = PATH.split(delimiter).map((folder) => join(folder, 'litestream'))
  const files = [onPath.find(isThere), fromNpm()].filter((file) => file !== undefined)
  const versions = await Promise.all(files.map(async (file) => ({ file, version: await versionOf(file) })))
  const [best] = versions
    .filter(({ version }) => isKnown(version))
    .sort((one, other) => compare(other.version, one.version))
  if (best) return best
  const [other] = versions
  throw new StartError(
    other
      ? `REPLICATE_TO is set, but ${other.file} is Litestream ${other.version || 'of an unknown version'}. Install 0.3.13, or a newer 0.3.`
      : 'REPLICATE_TO is set, but Litestream is not installed. Put litestream 0.3.13 into a folder of the PATH.',
  )
}

/** The package holds the program for this system alone, if for any. */
function fromNpm(): string | undefined {
  try {
    const name = `@flydotio/litestream-${process.platform}-${process.arch}/package.json`
    const file = join(dirname(createRequire(import.meta.url).resolve(name)), 'litestream')
    return isThere(file) ? file : undefined
  } catch {
    return undefined
  }
}

async function versionOf(file: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(file, ['version'], { timeout: longestLook, env: {} })
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? ''
  } catch {
    return ''
  }
}

/** 0.5 keeps another kind of replica and takes other settings. */
const isKnown = (version: string) => /^0\.3\./.test(version) && compare(version, '0.3.13') >= 0

function compare(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true })
}

/**
 * Writes Litestream's settings into DATA_DIR/replica, for their owner alone; access keys are not in them but in the
 * environment. Returns the path. https://litestream.io/reference/config/
 */
export function writeSettings(
  dataDir: string,
  place: Place,
  { name, port, keepHours }: { name: string; port?: number; keepHours: number },
): string {
  const file = resolve(privateFolder(dataDir, 'replica'), name)
  const settings = {
    ...(port === undefined ? {} : { addr: `127.0.0.1:${port}` }),
    logging: { type: 'json', level: 'warn' },
    dbs: [
      {
        path: resolve(dataDir, 'panel.db'),
        'monitor-interval': every,
        // Its other kind of checkpoint makes every write wait while anybody reads (benbjohnson/litestream#724).
        'max-checkpoint-page-count': 1_000_000_000,
        replicas: [
          {
            name: 'replica',
            ...destination(place),
            'sync-interval': every,
            retention: `${keepHours}h`,
            'snapshot-interval': '6h',
          },
        ],
      },
    ],
  }
  rmSync(file, { force: true })
  createPrivate(file)
  // YAML reads JSON.
  writeFileSync(file, `${JSON.stringify(settings, null, 2)}\n`)
  return file
}

function destination(place: Place): Record<string, string | boolean> {
  if (place.kind === 'folder') return { type: 'file', path: place.path }
  if (place.kind === 's3') {
    const { bucket, prefix, endpoint, region } = place
    const ofEndpoint = endpoint ? { endpoint, 'force-path-style': true } : {}
    return { type: 's3', bucket, path: prefix, region, ...ofEndpoint }
  }
  const { user, host, port, path, keyFile } = place
  const address = host.includes(':') ? `[${host}]` : host
  return { type: 'sftp', host: `${address}:${port}`, user, path, ...(keyFile ? { 'key-path': keyFile } : {}) }
}

/** The environment that Litestream gets: what it needs to find things, and the keys of its place. */
export function environmentFor(place: Place): NodeJS.ProcessEnv {
  const keys =
    place.kind === 's3'
      ? { LITESTREAM_ACCESS_KEY_ID: place.accessKeyId, LITESTREAM_SECRET_ACCESS_KEY: place.secretAccessKey }
      : {}
  return { ...environmentOf('PATH', 'HOME', 'TMPDIR', 'SSL_CERT_FILE', 'SSL_CERT_DIR'), ...keys }
}

/** Brings what a replica holds, as it was at a time or is now, into a new file. Throws a Failure. */
export async function bringFromReplica(
  { dataDir, place, until, keepHours }: { dataDir: string; place: Place; until: number | undefined; keepHours: number },
  file: string,
): Promise<void> {
  const litestream = await findLitestream()
  const settings = writeSettings(dataDir, place, { name: 'restore.json', keepHours })
  const time = until === undefined ? [] : ['-timestamp', new Date(until).toISOString()]
  const args = ['restore', '-no-expand-env', '-config', settings, ...time, '-o', file, resolve(dataDir, 'panel.db')]
  try {
    await promisify(execFile)(litestream.file, args, { env: environmentFor(place), maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    const said = lastErrorIn(`${stdout}\n${stderr}`)
    if (/no matching backups|no snapshots available|not find/i.test(said))
      throw new Failure(
        until === undefined
          ? 'There is no replica there. Look at --from.'
          : `The replica does not go back to ${new Date(until).toISOString()}.`,
      )
    throw new Failure(`Litestream could not bring the replica: ${said || (error as Error).message}.`)
  } finally {
    rmSync(settings, { force: true })
    for (const end of ['', '-wal', '-shm']) rmSync(`${file}.tmp${end}`, { force: true })
  }
}

/**
 * How far the newest copy in a replica is behind the database, as Litestream reports it; undefined if there is none.
 */
export async function replicaLag(
  { dataDir, replicateKeepHours: keepHours }: Config,
  place: Place,
): Promise<string | undefined> {
  const { file } = await findLitestream()
  const settings = writeSettings(dataDir, place, { name: 'doctor.json', keepHours })
  try {
    const args = ['generations', '-no-expand-env', '-config', settings, resolve(dataDir, 'panel.db')]
    const { stdout } = await promisify(execFile)(file, args, { env: environmentFor(place), timeout: 60_000 })
    // The newest one ends last.
    const rows = stdout
      .split('\n')
      .flatMap((line) => /^replica\s+\w+\s+(\S+)\s+\S+\s+(\S+)/.exec(line)?.slice(1, 3) ?? [])
    const pairs = Array.from({ length: rows.length / 2 }, (_, n) => ({ lag: rows[2 * n], end: rows[2 * n + 1] ?? '' }))
    return pairs.sort((one, other) => other.end.localeCompare(one.end))[0]?.lag?.replace('-', '')
  } finally {
    rmSync(settings, { force: true })
  }
}

/** The last error among lines of Litestream's log; empty if there is none. */
export function lastErrorIn(log: string): string {
  const lines = log.split('\n').flatMap((line) => {
    try {
      const { level, msg, error } = JSON.parse(line) as { level?: string; msg?: string; error?: string }
      return level === 'ERROR' || level === 'WARN' ? [error ?? msg ?? ''] : []
    } catch {
      const [, error] = /error="?([^"]*)"?$/.exec(line) ?? []
      return error ? [error] : []
    }
  })
  return (lines.at(-1) ?? '').replaceAll(/\s+/g, ' ').replace(/\.$/, '').slice(0, 300)
}
