import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { ChainHead } from '../records/chain.ts'
import { version } from '../version.ts'
import { headOf } from './chaining.ts'
import { Failure } from './failure.ts'
import { isThere, writePrivate } from './files.ts'

// What identifies a backup, in FILE.json next to it: SQLite's own check looks at the structure of a file and misses a
// changed value.

export type Companion = {
  file: string
  /** ISO 8601, in UTC. */
  madeAt: string
  /** Of the panel that made it. */
  version: string
  bytes: number
  sha256: string
  /** Of the key next to it, if there is one: 256 random bits, so that the sum reveals nothing. */
  secretsSha256?: string
  /** Where its history ends (records/chain.ts); backups of versions before 0.3.0 do not say. */
  history?: ChainHead
}

const pieceSize = 1024 * 1024

export const companionOf = (file: string) => `${file}.json`

/** The bytes of a file, a MiB at a time; each piece is valid until the next one is asked for. */
export function* piecesOf(file: string): Generator<Buffer> {
  const descriptor = openSync(file, 'r')
  try {
    const piece = Buffer.alloc(pieceSize)
    for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece))
      yield piece.subarray(0, read)
  } finally {
    closeSync(descriptor)
  }
}

/** The SHA-256 of a file in hex, while nothing else is done. */
export function sha256Of(file: string): string {
  const hash = createHash('sha256')
  for (const piece of piecesOf(file)) hash.update(piece)
  return hash.digest('hex')
}

/** The same, with turns for requests in between. Rejects with the signal's reason when that is given. */
export async function sha256InTurns(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for (const piece of piecesOf(file)) {
    hash.update(piece)
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
  }
  return hash.digest('hex')
}

export const sha256OfText = (text: string) => createHash('sha256').update(text).digest('hex')

/** Writes the companion of a finished file, which will be called `name`. Returns the path of the companion. */
export function writeCompanion(file: string, name: string, made: { at: number; sha256: string; key?: string }): string {
  const history = headOf(file)
  const companion: Companion = {
    file: basename(name),
    madeAt: new Date(made.at).toISOString(),
    version,
    bytes: statSync(file).size,
    sha256: made.sha256,
    ...(made.key === undefined ? {} : { secretsSha256: sha256OfText(made.key.trim()) }),
    ...(history ? { history } : {}),
  }
  writePrivate(companionOf(file), `${JSON.stringify(companion, null, 2)}\n`)
  return companionOf(file)
}

/** The companion next to a file; undefined if there is none. Throws a Failure if it is damaged. */
export function readCompanion(file: string): Companion | undefined {
  const path = companionOf(file)
  if (!isThere(path)) return undefined
  const companion = parse(readFileSync(path, 'utf8'))
  if (!companion || !/^[0-9a-f]{64}$/.test(companion.sha256) || typeof companion.bytes !== 'number')
    throw new Failure(`${path} is damaged: it does not say what ${basename(file)} must hold.`)
  return companion
}

function parse(text: string): Companion | undefined {
  try {
    return JSON.parse(text) as Companion
  } catch {
    return undefined
  }
}

/** Compares a file, or a copy of it, with the companion. Throws a Failure where a byte is not what was written. */
export async function checkContent(file: string, { bytes, sha256 }: Companion, signal?: AbortSignal): Promise<void> {
  const { size } = statSync(file)
  if (size !== bytes) throw new Failure(`${file} is damaged: it has ${size} bytes, not the ${bytes} that were written.`)
  if ((await sha256InTurns(file, signal)) !== sha256)
    throw new Failure(`${file} is damaged: its content is not what was written (its SHA-256 differs).`)
}
