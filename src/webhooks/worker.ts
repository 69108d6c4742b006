import type { FastifyBaseLogger } from 'fastify'
import { forgetHourly } from '../db/forgetting.ts'
import type { Db } from '../db/open.ts'
import { newOutboxWorker } from '../db/outbox-worker.ts'
import type { Storage } from '../db/storage.ts'
import { onQueued } from '../records/data/deliveries.ts'
import type { Secrets } from '../secrets.ts'
import { type Outside, OutsideError } from '../web/outside.ts'
import { noteOutcome, type Outcome, setAsideDelivery } from './data/outcomes.ts'
import { forgetDeliveries, nextAddress, nextAddressAt, type Trial, takeNext } from './data/sending.ts'
import { readRetryAfter } from './pauses.ts'
import { signedHeaders } from './signing.ts'

const minute = 60_000
/** So many tries are under way at the same time, each to another address. */
const mostFlying = 4
/** So many steps are made before requests get their turn. */
const stepsAtOnce = 10
/** Milliseconds that a try may take. */
const tryFor = 15_000

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
  /** What could not even be noted, until the next start. */
  const leftAlone = new Set<number>()
  const ending = new AbortController()
  const send = newTrialSender(panel, leftAlone, ending.signal)
  const worker = newOutboxWorker({ name: 'webhook', storage, log, launchDue, shortestRest: 0 })

  function launchDue(): number {
    const busy = () => new Set([...worker.flying.keys(), ...leftAlone])
    for (let step = 0; step < stepsAtOnce; step++) {
      // Each that lands looks for more.
      if (worker.flying.size >= mostFlying) return minute
      const id = nextAddress(db, now(), busy())
      if (id === undefined) return nextAddressAt(db, busy()) - now()
      const trial = takeNext(db, id, now())
      if (trial) worker.launch(id, send(trial))
    }
    return 0
  }

  const endWaking = onQueued(db, worker.wake)
  // What was delivered more than 30 days ago.
  const stopForgetting = forgetHourly(panel, () => forgetDeliveries(db, now()))
  worker.wake()
  return {
    wake: worker.wake,
    stop: async () => {
      endWaking()
      stopForgetting()
      await worker.stop()
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
