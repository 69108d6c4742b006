import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../config.ts'
import { inOneLine } from '../../db/failure.ts'
import type { Connection } from '../../db/open.ts'
import { StartError } from '../../db/start-error.ts'
import { type Place, placeWords } from '../elsewhere/place.ts'
import { type Child, startChild } from './child.ts'
import { claimEpoch, stillHeld, TakenOver } from './claim.ts'
import { type Claim, saveClaim } from './data.ts'
import { measureLag } from './lag.ts'
import { findLitestream, type Litestream } from './litestream.ts'

export type ReplicaState = {
  where: string
  version: string
  /** Of this start; undefined until the place could be reached. */
  epoch: number | undefined
  /** Milliseconds; undefined while nothing is sent. */
  lag: number | undefined
  /** What is wrong, since when; undefined while all is well. */
  trouble: { since: number; words: string } | undefined
}

export type Replica = {
  /** Begins to replicate, and goes on until `stop`. */
  start: (log: FastifyBaseLogger) => void
  state: () => ReplicaState
  /** Does something that the replica must not watch, such as emptying the log; then begins a new copy. */
  apart: <Result>(act: () => Promise<Result>) => Promise<Result>
  /** Sends what is written, and ends. */
  stop: () => Promise<void>
}

const second = 1_000
/** Between two looks at how far it is behind, and at who holds the replica. */
const [lookEvery, claimEvery] = [second, 10 * second]
/** A lag of so much is a trouble; of so much more Litestream is started anew. */
const [longLag, hungLag] = [30 * second, 120 * second]
const touchEvery = 3 * second
const [shortestPause, longestPause] = [second, 60 * second]
const longestStop = 4 * second
const notUpToDate = 'the replica is not kept up to date'
/** Pages of the log after which SQLite itself brings them into the database, while Litestream does not. */
const ownCheckpoint = 1_000

/**
 * Opens the replica of an installation: finds Litestream, and claims the next epoch. Throws a StartError where there is
 * no Litestream or another machine has taken over. A place that cannot be reached is tried again later.
 */
export async function openReplica(config: Config, db: Connection): Promise<Replica | undefined> {
  const { replicateTo } = config
  if (!replicateTo) return undefined
  const litestream = await findLitestream()
  try {
    return superviseReplica(config, db, replicateTo, litestream, await claimEpoch(db, replicateTo))
  } catch (error) {
    if (error instanceof TakenOver) throw new StartError(error.message)
    return superviseReplica(config, db, replicateTo, litestream, inOneLine(error) ?? (error as Error).message)
  }
}

function superviseReplica(
  { dataDir, replicateKeepHours: keepHours }: Config,
  db: Connection,
  place: Place,
  litestream: Litestream,
  begun: Claim | string,
): Replica {
  const sqlite = db.$client
  const stopping = new AbortController()
  let claim = typeof begun === 'string' ? undefined : begun
  let child: Child | undefined
  let lag: number | undefined
  let trouble: ReplicaState['trouble'] = typeof begun === 'string' ? { since: Date.now(), words: begun } : undefined
  let log: FastifyBaseLogger | undefined
  let lookAt = measureLag(dataDir)
  let startedAt = 0
  let touchedAt = 0
  let lost = false
  let paused = 0
  let work: Promise<void> = Promise.resolve()
  const timers: NodeJS.Timeout[] = []

  function begins(words: string): void {
    if (trouble?.words !== words) log?.error({ reason: words }, notUpToDate)
    trouble = { since: trouble?.since ?? Date.now(), words }
  }

  function isWell(): void {
    if (trouble) log?.info('the replica is kept up to date again')
    trouble = undefined
  }

  /** One process brings the log into the database: Litestream, as long as it works. */
  function checkpointOneself(oneself: boolean): void {
    if (sqlite.open) sqlite.pragma(`wal_autocheckpoint = ${oneself ? ownCheckpoint : 0}`)
  }

  /** Runs Litestream again and again, with growing pauses, until the panel stops. */
  async function supervise(): Promise<void> {
    for (let pause = shortestPause; !ends(); ) {
      try {
        await run()
        if (Date.now() - startedAt > longestPause) pause = shortestPause
      } catch (error) {
        if (error instanceof TakenOver) return lose(error)
        begins(inOneLine(error) ?? (error as Error).message)
      }
      if (!ends()) await wait(pause)
      pause = Math.min(pause * 2, longestPause)
    }
  }

  const ends = () => stopping.signal.aborted || lost || paused > 0

  async function run(): Promise<void> {
    claim ??= await claimEpoch(db, place, stopping.signal)
    if (ends()) return
    startedAt = Date.now()
    lookAt = measureLag(dataDir)
    const started = await startChild(litestream, { dataDir, place, keepHours }, (line) =>
      log?.debug({ litestream: line }),
    )
    child = started
    checkpointOneself(false)
    const words = await started.ended
    child = undefined
    lag = undefined
    checkpointOneself(true)
    if (!ends()) begins(`Litestream ended: ${words}.`)
  }

  /** Whoever has taken over must not be written against: nothing can be saved here from now on. */
  function lose(error: TakenOver): void {
    lost = true
    begins(error.message)
    sqlite.pragma('query_only = ON')
    child?.stop(0)
  }

  async function look(): Promise<void> {
    if (!child) return
    const at = Date.now()
    const metrics = await child.metrics().catch(() => '')
    const found = metrics === '' ? undefined : lookAt(metrics, at)
    if (found === undefined) giveItSomething(at)
    lag = found ?? (at - startedAt > longLag ? at - startedAt : lag)
    if (lag === undefined) return
    if (lag < longLag) isWell()
    else begins('Litestream does not send what is written.')
    if (lag > hungLag && at - startedAt > hungLag) child.stop(longestStop)
  }

  /** Litestream that goes on where another ended says nothing until something is written. */
  function giveItSomething(at: number): void {
    if (!claim || lost || at - touchedAt < touchEvery) return
    touchedAt = at
    try {
      saveClaim(db, claim)
    } catch {
      // What cannot be saved is told elsewhere.
    }
  }

  async function checkClaim(): Promise<void> {
    if (!claim || lost) return
    try {
      await stillHeld(place, claim, stopping.signal)
    } catch (error) {
      // What cannot be reached is Litestream's trouble as well.
      if (error instanceof TakenOver) lose(error)
    }
  }

  const wait = (time: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, time)
      stopping.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    })

  return {
    start: (to) => {
      log = to
      log.info({ litestream: litestream.version, epoch: claim?.epoch, to: placeWords(place) }, 'the replica begins')
      if (trouble) log.error({ reason: trouble.words }, notUpToDate)
      work = supervise()
      timers.push(repeat(look, lookEvery), repeat(checkClaim, claimEvery))
    },
    state: () => ({ where: placeWords(place), version: litestream.version, epoch: claim?.epoch, lag, trouble }),
    apart: async (act) => {
      paused += 1
      try {
        await child?.stop(longestStop)
        await work
        return await act()
      } finally {
        paused -= 1
        if (!ends()) work = supervise()
      }
    },
    stop: async () => {
      for (const timer of timers) clearInterval(timer)
      const stopped = child?.stop(longestStop)
      stopping.abort()
      await stopped
      await work
    },
  }
}

/** Does something again and again, never twice at once. */
function repeat(act: () => Promise<void>, every: number): NodeJS.Timeout {
  let working = false
  return setInterval(() => {
    if (working) return
    working = true
    act().finally(() => {
      working = false
    })
  }, every).unref()
}
