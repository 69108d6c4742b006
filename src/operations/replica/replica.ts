import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../config.ts'
import { inOneLine } from '../../db/failure.ts'
import type { Connection } from '../../db/open.ts'
import { StartError } from '../../db/start-error.ts'
import { type Place, placeWords } from '../elsewhere/place.ts'
import { claimEpoch, holdClaim, TakenOver } from './claim.ts'
import type { Claim } from './data.ts'
import { findLitestream, type Litestream } from './litestream.ts'
import { longLag, newRunner, type Runner } from './running.ts'

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
  /** Starts to replicate, and continues until `stop`. */
  start: (log: FastifyBaseLogger) => void
  state: () => ReplicaState
  /** Does something that the replica must not watch, such as emptying the log; then begins a new copy. */
  apart: <Result>(act: () => Promise<Result>) => Promise<Result>
  /** Sends everything that is written, and ends. */
  stop: () => Promise<void>
}

const second = 1_000
/** Between two looks at how far it is behind, and at who holds the replica. */
const [lookEvery, claimEvery] = [second, 10 * second]
/** Litestream is restarted at a lag of so many milliseconds. */
const hungLag = 120 * second
const [shortestPause, longestPause] = [second, 60 * second]
const longestStop = 4 * second
const notUpToDate = 'the replica is not kept up to date'

/**
 * Opens the replica of an installation: finds Litestream, and claims the next epoch. Throws a StartError where there is
 * no Litestream or another machine has taken over. A place that cannot be reached is tried again later.
 */
export async function openReplica(config: Config, db: Connection): Promise<Replica | undefined> {
  const { replicateTo } = config
  if (!replicateTo) return undefined
  const litestream = await findLitestream()
  try {
    return superviseReplica(config, db, { place: replicateTo, litestream, begun: await claimEpoch(db, replicateTo) })
  } catch (error) {
    if (error instanceof TakenOver) throw new StartError(error.message)
    return superviseReplica(config, db, {
      place: replicateTo,
      litestream,
      begun: inOneLine(error) ?? (error as Error).message,
    })
  }
}

function superviseReplica(
  { dataDir, replicateKeepHours: keepHours }: Config,
  db: Connection,
  { place, litestream, begun }: { place: Place; litestream: Litestream; begun: Claim | string },
): Replica {
  const stopping = new AbortController()
  const trouble = newTrouble(typeof begun === 'string' ? begun : undefined)
  const held = holdClaim(db, place, typeof begun === 'string' ? undefined : begun, stopping.signal)
  const runner = newRunner(db, litestream, { dataDir, place, keepHours })
  const where = { where: placeWords(place), version: litestream.version }
  let paused = 0
  let log: FastifyBaseLogger | undefined
  let work: Promise<void> = Promise.resolve()
  const timers: NodeJS.Timeout[] = []
  const ends = () => stopping.signal.aborted || held.lost || paused > 0

  /** Runs Litestream again and again, with growing pauses, until the panel stops. */
  async function supervise(log: FastifyBaseLogger): Promise<void> {
    for (let pause = shortestPause; !ends(); ) {
      try {
        await held.claim()
        if (ends()) return
        const words = await runner.run(log)
        if (!ends()) trouble.begins(`Litestream ended: ${words}.`)
        if (runner.age() > longestPause) pause = shortestPause
      } catch (error) {
        if (error instanceof TakenOver) return lose(error)
        trouble.begins(inOneLine(error) ?? (error as Error).message)
      }
      if (!ends()) await wait(pause, stopping.signal)
      pause = Math.min(pause * 2, longestPause)
    }
  }

  /** Another machine has taken over, and nothing may be written against it: nothing can be saved here from now on. */
  function lose(error: TakenOver): void {
    held.lose()
    trouble.begins(error.message)
    db.$client.pragma('query_only = ON')
    runner.stop(0)
  }

  return {
    start: (to) => {
      log = to
      to.info({ litestream: litestream.version, epoch: held.epoch, to: placeWords(place) }, 'the replica begins')
      trouble.tell(to)
      work = supervise(to)
      timers.push(
        repeat(() => look(runner, held.touch, trouble), lookEvery),
        repeat(async () => held.check().catch(lose), claimEvery),
      )
    },
    state: () => ({ ...where, epoch: held.epoch, lag: runner.lag, trouble: trouble.now }),
    apart: async (act) => {
      paused += 1
      try {
        await runner.stop(longestStop)
        await work
        return await act()
      } finally {
        paused -= 1
        if (!ends() && log) work = supervise(log)
      }
    },
    stop: async () => {
      for (const timer of timers) clearInterval(timer)
      const stopped = runner.stop(longestStop)
      stopping.abort()
      await stopped
      await work
    },
  }
}

/** Checks how far the replica is behind, and restarts Litestream if it hangs. */
async function look(runner: Runner, touch: () => void, trouble: Trouble): Promise<void> {
  const lag = await runner.look(touch)
  if (lag === undefined) return
  if (lag < longLag) trouble.isOver()
  else trouble.begins('Litestream does not send what is written.')
  if (lag > hungLag && runner.age() > hungLag) runner.stop(longestStop)
}

type Trouble = ReturnType<typeof newTrouble>

/** What is wrong, since when; it is logged when it begins and when it ends. */
function newTrouble(words: string | undefined) {
  let now: ReplicaState['trouble'] = words === undefined ? undefined : { since: Date.now(), words }
  let log: FastifyBaseLogger | undefined
  return {
    get now() {
      return now
    },
    begins: (words: string) => {
      if (now?.words !== words) log?.error({ reason: words }, notUpToDate)
      now = { since: now?.since ?? Date.now(), words }
    },
    isOver: () => {
      if (now) log?.info('the replica is kept up to date again')
      now = undefined
    },
    /** Where it is logged from now on. */
    tell: (to: FastifyBaseLogger) => {
      log = to
      if (now) log.error({ reason: now.words }, notUpToDate)
    },
  }
}

function wait(time: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
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
