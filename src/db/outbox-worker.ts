import type { FastifyBaseLogger } from 'fastify'
import type { Storage } from './storage.ts'

const minute = 60_000
/** Milliseconds that stopping waits for what is under way: a server may take longer to answer. */
const longestStop = 5_000

/** Sends what waits in a table, several at once, apart from all requests. */
export type OutboxWorker = {
  /** What is under way, by a number of its own. */
  flying: ReadonlyMap<number, Promise<void>>
  launch: (id: number, sending: Promise<void>) => void
  wake: () => void
  stop: () => Promise<void>
}

type Outbox = {
  /** In its log lines. */
  name: string
  storage: Storage
  log: FastifyBaseLogger
  /** Launches what is due. Returns after how many milliseconds there may be more: each that lands wakes it, too. */
  launchDue: () => number
  /** In milliseconds. */
  shortestRest: number
}

/** Begins with the first `wake`. While nothing can be saved nothing is launched, or it would be sent again and again. */
export function newOutboxWorker({ name, storage, log, launchDue, shortestRest }: Outbox): OutboxWorker {
  const flying = new Map<number, Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function wake(): void {
    if (stopped) return
    clearTimeout(timer)
    try {
      if (storage.problem) storage.afterwards(wake)
      else rest(launchDue())
    } catch (error) {
      if (!storage.note(error)) log.error({ err: error }, `the ${name} worker failed`)
      rest(minute)
    }
  }

  /** Sleeps for so long, at most a minute. */
  function rest(time: number): void {
    timer = setTimeout(wake, Math.min(minute, Math.max(shortestRest, time)))
    timer.unref()
  }

  function launch(id: number, sending: Promise<void>): void {
    const flight = sending.finally(() => {
      flying.delete(id)
      wake()
    })
    flying.set(id, flight)
  }

  async function stop(): Promise<void> {
    stopped = true
    clearTimeout(timer)
    const landed = Promise.all(flying.values())
    await Promise.race([landed, new Promise((resolve) => setTimeout(resolve, longestStop).unref())])
  }

  return { flying, launch, wake, stop }
}
