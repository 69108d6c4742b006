import type { FastifyBaseLogger } from 'fastify'
import type { Connection } from '../../db/open.ts'
import type { Place } from '../elsewhere/place.ts'
import { type Child, startChild } from './child.ts'
import { measureLag } from './lag.ts'
import type { Litestream } from './litestream.ts'

/** A lag of so much, in milliseconds, is a trouble. */
export const longLag = 30_000
/** Pages of the log after which SQLite itself brings them into the database, while Litestream does not. */
const ownCheckpoint = 1_000

/** Litestream on a database, one process after the other, and how far it is behind. */
export type Runner = {
  /** Runs it until it ends; then says why. */
  run: (log: FastifyBaseLogger) => Promise<string>
  /** Milliseconds since the last one was started. */
  age: () => number
  /** Asks it how far it is behind. `touch` writes something where it says nothing. */
  look: (touch: () => void) => Promise<number | undefined>
  /** Milliseconds; undefined while nothing is sent. */
  readonly lag: number | undefined
  stop: (longest: number) => Promise<void> | undefined
}

export function newRunner(
  { $client: sqlite }: Connection,
  litestream: Litestream,
  where: { dataDir: string; place: Place; keepHours: number },
): Runner {
  let child: Child | undefined
  let lag: number | undefined
  let lookAt = measureLag(where.dataDir)
  let startedAt = 0

  /** One process brings the log into the database: Litestream, as long as it works. */
  function checkpointOneself(oneself: boolean): void {
    if (sqlite.open) sqlite.pragma(`wal_autocheckpoint = ${oneself ? ownCheckpoint : 0}`)
  }

  return {
    run: async (log) => {
      startedAt = Date.now()
      lookAt = measureLag(where.dataDir)
      const started = await startChild(litestream, where, (line) => log.debug({ litestream: line }))
      child = started
      checkpointOneself(false)
      const words = await started.ended
      child = undefined
      lag = undefined
      checkpointOneself(true)
      return words
    },
    age: () => Date.now() - startedAt,
    look: async (touch) => {
      if (!child) return undefined
      const at = Date.now()
      const metrics = await child.metrics().catch(() => '')
      const state = metrics === '' ? undefined : lookAt(metrics, at)
      // If Litestream continues where another one ended, it says nothing until something is written.
      if (state === undefined) touch()
      lag = state ?? (at - startedAt > longLag ? at - startedAt : lag)
      return lag
    },
    get lag() {
      return lag
    },
    stop: (longest) => child?.stop(longest),
  }
}
