import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../db/open.ts'
import type { Storage } from '../db/storage.ts'
import { onQueued } from '../records/data/deliveries.ts'
import type { Secrets } from '../secrets.ts'
import { type Outside, OutsideError } from '../web/outside.ts'
import { noteOutcome, type Outcome, setAsideDelivery } from './data/outcomes.ts'
import { forgetDeliveries, nextAddress, nextAddressAt, type Trial, takeNext } from './data/sending.ts'
import { readRetryAfter } from './pauses.ts'
import { signedHeaders } from './signing.ts'

const minute = 60_000
const hour = 60 * minute
/** So many tries are under way at the same time, each to another address. */
const mostFlying = 4
/** So many steps are made before requests get their turn. */
const stepsAtOnce = 10
/** Milliseconds that a try may take. */
export const tryFor = 15_000
/** Milliseconds that stopping waits for tries under way. */
const longestStop = 5_000

type Panel = {
  db: Db
  secrets: Secrets
  storage: Storage
  outside: Outside
  now: () => number
  log: FastifyBaseLogger
  clockIsWrong: () => boolean
}

export type WebhookWorker = { wake: () => void; stop: () => Promise<void> }

/**
 * Posts what happened to the addresses that ask for it, apart from all requests. At least once is what is promised, in no
 * order. Addresses take turns, and each has one try at a time: one that is slow or fails holds up no other. While nothing
 * can be saved nothing is sent, or it would be sent again and again.
 */
export function startWebhookWorker(panel: Panel): WebhookWorker {
  const { db, storage, now, log } = panel
  const flying = new Map<number, Promise<void>>()
  /** What could not even be noted, until the next start. */
  const leftAlone = new Set<number>()
  const ending = new AbortController()
  const send = newTrialSender(panel, leftAlone, ending.signal)
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function wake(): void {
    if (stopped) return
    clearTimeout(timer)
    try {
      if (storage.problem) storage.afterwards(wake)
      else rest(launchDue())
    } catch (error) {
      if (!storage.note(error)) log.error({ err: error }, 'the webhook worker failed')
      rest(minute)
    }
  }

  /** Sleeps for so long, at most a minute. */
  function rest(time: number): void {
    timer = setTimeout(wake, Math.min(minute, Math.max(0, time)))
    timer.unref()
  }

  /** Returns after how many milliseconds there may be more to do. */
  function launchDue(): number {
    const busy = () => new Set([...flying.keys(), ...leftAlone])
    for (let step = 0; step < stepsAtOnce; step++) {
      // Each that lands looks for more.
      if (flying.size >= mostFlying) return minute
      const id = nextAddress(db, now(), busy())
      if (id === undefined) return nextAddressAt(db, busy()) - now()
      const trial = takeNext(db, id, now())
      if (trial) launch(id, trial)
    }
    return 0
  }

  function launch(id: number, trial: Trial): void {
    const flight = send(trial).finally(() => {
      flying.delete(id)
      wake()
    })
    flying.set(id, flight)
  }

  const endWaking = onQueued(db, wake)
  const stopForgetting = startForgetting(panel)
  wake()
  return {
    wake,
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      endWaking()
      stopForgetting()
      const landed = Promise.all(flying.values())
      await Promise.race([landed, new Promise((resolve) => setTimeout(resolve, longestStop).unref())])
      ending.abort(new OutsideError('The panel stops.'))
    },
  }
}

/** Makes a try, and notes what came of it: nothing any more once the signal is given. */
function newTrialSender(panel: Panel, leftAlone: Set<number>, ending: AbortSignal): (trial: Trial) => Promise<void> {
  const { db, storage, now, log } = panel

  async function attempt(trial: Trial): Promise<void> {
    const outcome = await post(panel, trial, ending)
    if (ending.aborted) return
    const done = () => noteOutcome(db, trial, outcome, { now: now(), believed: !panel.clockIsWrong() })
    if (!storage.attempt(done)) storage.afterwards(done)
  }

  function setAside(trial: Trial, error: unknown): void {
    if (ending.aborted || storage.note(error)) return
    log.error({ err: error, delivery: trial.delivery.id }, 'a delivery was set aside')
    try {
      setAsideDelivery(db, trial, 'The panel could not send it.', now())
    } catch (again) {
      if (!storage.note(again)) leftAlone.add(trial.webhook.id)
    }
  }

  return (trial) => attempt(trial).catch((error) => setAside(trial, error))
}

async function post({ secrets, outside, now }: Panel, trial: Trial, signal: AbortSignal): Promise<Outcome> {
  const { webhook, delivery } = trial
  const headers = signedHeaders(secrets, webhook, delivery, now())
  const start = performance.now()
  const took = () => Math.round(performance.now() - start)
  try {
    const { status, headers: answered } = await outside.send({
      method: 'POST',
      url: webhook.url,
      headers,
      body: delivery.body ?? '',
      within: tryFor,
      mostBytes: 0,
      signal,
    })
    const asked = status === 429 || status === 503 ? answered['retry-after'] : undefined
    return { status, error: null, duration: took(), retryAfter: readRetryAfter(asked, now()) }
  } catch (error) {
    if (!(error instanceof OutsideError)) throw error
    return { status: null, error: error.message, duration: took(), retryAfter: null }
  }
}

/** Forgets, every hour and at the start, what was delivered more than 30 days ago. Returns what ends it. */
function startForgetting({ db, storage, clockIsWrong, now }: Panel): () => void {
  let stopped = false
  const work = () => {
    let more = false
    // A clock that is wrong would take what is still needed.
    if (!stopped && !clockIsWrong())
      storage.attempt(() => {
        more = forgetDeliveries(db, now())
      })
    if (more) setImmediate(work)
  }
  const timer = setInterval(work, hour).unref()
  setImmediate(work)
  return () => {
    stopped = true
    clearInterval(timer)
  }
}
