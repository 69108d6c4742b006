import { and, eq, sql } from 'drizzle-orm'
import { type Db, writeUnchecked } from '../../db/open.ts'
import { deliveries, webhooks } from '../../db/schema.ts'
import type { Webhook } from '../../records/data/deliveries.ts'
import { byItself, record } from '../../records/record.ts'
import { holdAfter, longestDelay, mostFailing, nextPause } from '../pauses.ts'
import { nextTurn, type Trial, waits } from './sending.ts'

/** What came of a try: what the address answered, or why it did not. */
export type Outcome = { status: number | null; error: string | null; duration: number; retryAfter: number | null }

const isSuccess = ({ status }: Outcome) => status !== null && status >= 200 && status < 300

/** `believed`: the clock is; otherwise nothing is given up because of the time. */
type Clock = { now: number; believed: boolean }

/** Notes what came of a try. */
export function noteOutcome(db: Db, trial: Trial, outcome: Outcome, clock: Clock): void {
  writeUnchecked(db, (tx) => {
    const { status, error, duration } = outcome
    const { now } = clock
    const { id, attempts } = trial.delivery
    const tried = { status, error, duration, triedAt: now, attempts: attempts + 1 }
    const end = isSuccess(outcome) ? noteSuccess(tx, trial, now) : noteFailure(tx, trial, outcome, clock)
    // Somebody may have removed or withdrawn it during the try.
    tx.update(deliveries)
      .set({ ...tried, ...end })
      .where(and(eq(deliveries.id, id), waits))
      .run()
    const webhook = tx.select().from(webhooks).where(eq(webhooks.id, trial.webhook.id)).get()
    if (!webhook || webhook.removedAt !== null) return
    const nextAt = webhook.offAt === null ? (webhook.retryFrom === null ? nextTurn(tx, webhook) : now) : null
    // At its end of the queue: the addresses of others have their turn first.
    tx.update(webhooks)
      .set({ nextAt: nextAt === null || nextAt === 0 ? nextAt : Math.max(nextAt, now) })
      .where(eq(webhooks.id, webhook.id))
      .run()
  })
}

function noteSuccess(tx: Db, { webhook }: Trial, now: number) {
  tx.update(webhooks)
    .set({ succeededAt: now, failures: 0, failingSince: null, heldUntil: 0 })
    .where(eq(webhooks.id, webhook.id))
    .run()
  return { state: 'delivered', body: null } as const
}

function noteFailure(tx: Db, { webhook, delivery }: Trial, outcome: Outcome, { now, believed }: Clock) {
  // A test is sent once, and says nothing about what else waits.
  if (delivery.recordId === null) return { state: 'failed' } as const
  const current = tx.select().from(webhooks).where(eq(webhooks.id, webhook.id)).get()
  // The address was changed during the try: the next one goes to the new one.
  if (!current || current.url !== webhook.url) return { dueAt: now }
  const failingSince = current.failingSince ?? now
  const failures = current.failures + 1
  const wait = outcome.retryAfter ?? 0
  tx.update(webhooks)
    .set({ failures, failingSince, heldUntil: now + Math.max(wait, holdAfter(failures)) })
    .where(eq(webhooks.id, webhook.id))
    .run()
  const because =
    outcome.status === 410 ? 'gone' : believed && now - failingSince >= mostFailing ? 'failing' : undefined
  if (because && current.offAt === null) switchOff(tx, current, because, now)
  const pause = nextPause(delivery.attempts + 1)
  if (outcome.status === 410 || (pause === undefined && believed)) return { state: 'failed' } as const
  return { dueAt: now + Math.max(wait, pause ?? longestDelay / 2) }
}

function switchOff(tx: Db, { id, accountId, url }: Webhook, because: 'gone' | 'failing', now: number): void {
  tx.update(webhooks)
    .set({ offAt: now, offBecause: because, version: sql`version + 1` })
    .where(eq(webhooks.id, id))
    .run()
  record(tx, byItself(now), {
    kind: 'webhook.switched-off',
    accountId,
    change: { host: [null, new URL(url).host], status: [null, because] },
  })
}

/** Sets aside what could not be sent for a reason that nobody foresaw. */
export function setAsideDelivery(db: Db, { delivery }: Trial, error: string, now: number): void {
  writeUnchecked(db, (tx) => {
    tx.update(deliveries)
      .set({ state: 'failed', error, triedAt: now, attempts: delivery.attempts + 1 })
      .where(and(eq(deliveries.id, delivery.id), waits))
      .run()
  })
}
