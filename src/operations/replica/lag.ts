import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A place in Litestream's copy of the write-ahead log: the number of its file, and an offset in it. */
type Position = { index: number; offset: number }

type Written = Position & { at: number }

const isAhead = (one: Position, other: Position) =>
  one.index === other.index ? one.offset > other.offset : one.index > other.index

/** Milliseconds by which the log may be newer than Litestream's copy of it: it looks every 200 ms. */
const slack = 1_000
const mostKept = 600

/**
 * Measures how far a replica is behind, in milliseconds: by what Litestream has read of the database's log, and how
 * much of that it has sent.
 */
export function measureLag(dataDir: string) {
  let waiting: Written[] = []
  let sentUntil: number | undefined

  /** The lag at this time, from Litestream's metrics; undefined while it has sent nothing yet. */
  function lag(metrics: string, at: number): number | undefined {
    const read = readPosition(dataDir)
    const sent = sentPosition(metrics)
    if (!read || !sent) return undefined
    waiting.push({ ...read, at })
    const done = waiting.findLast((written) => !isAhead(written, sent))
    if (done) {
      sentUntil = done.at
      waiting = waiting.filter((written) => written.at > done.at)
    }
    // The oldest that waits counts, so the newest may go.
    if (waiting.length > mostKept) waiting.pop()
    if (sentUntil === undefined) return undefined
    const log = statSync(join(dataDir, 'panel.db-wal'), { throwIfNoEntry: false })?.mtimeMs ?? 0
    const unread = log > read.writtenAt + slack ? at - read.writtenAt : 0
    return Math.max(0, waiting.length > 0 ? at - sentUntil : 0, unread)
  }

  return lag
}

function readPosition(dataDir: string): (Position & { writtenAt: number }) | undefined {
  const folder = join(dataDir, '.panel.db-litestream')
  try {
    const generation = readFileSync(join(folder, 'generation'), 'utf8').trim()
    const wal = join(folder, 'generations', generation, 'wal')
    const newest = readdirSync(wal)
      .filter((name) => /^[0-9a-f]{8}\.wal$/.test(name))
      .sort()
      .at(-1)
    if (!newest) return undefined
    const { size, mtimeMs } = statSync(join(wal, newest))
    return { index: Number.parseInt(newest, 16), offset: size, writtenAt: mtimeMs }
  } catch {
    // It is being made.
    return undefined
  }
}

function sentPosition(metrics: string): Position | undefined {
  const value = (name: string) => new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(metrics)?.[1]
  const [index, offset] = [value('litestream_replica_wal_index'), value('litestream_replica_wal_offset')]
  return index === undefined || offset === undefined ? undefined : { index: Number(index), offset: Number(offset) }
}
