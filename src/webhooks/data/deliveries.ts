import { and, count, eq, sql } from 'drizzle-orm'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, placeholdersOf } from '../../db/prepared.ts'
import { deliveries, webhooks } from '../../db/schema.ts'
import { type Delivery, wakeSending } from '../../records/data/deliveries.ts'
import type { Actor } from '../../records/record.ts'
import { findWebhook, recordOf, type WhichWebhook } from './webhooks.ts'

const deliveryStates = {
  waiting: 'Waiting',
  delivered: 'Delivered',
  failed: 'Failed',
  withdrawn: 'Withdrawn',
} as const satisfies Record<Delivery['state'], string>

/** The newest first. What the receiver answered is not kept: it could be the inside of somebody’s network. */
export const deliveryList = {
  name: 'deliveries',
  id: deliveries.id,
  idOf: ({ id }) => id,
  sorts: { newest: { words: 'Newest first', column: deliveries.id, order: 'desc', value: ({ id }) => id } },
  columns: {
    event: { head: 'Event', file: ({ type }) => type },
    id: { file: ({ messageId }) => messageId },
    time: { head: 'Time', look: 'muted', label: true, file: ({ createdAt }) => isoTime(createdAt) },
    state: { head: 'Status', label: true, file: ({ state }) => state },
    tries: { head: 'Tries', look: 'number', label: true, file: ({ attempts }) => attempts },
    'last try': { file: ({ triedAt }) => isoTime(triedAt) },
    answer: { head: 'Answer', look: 'main wrap', label: true, file: ({ status, error }) => status ?? error },
    duration: { head: 'Duration', look: 'number', label: true, file: ({ duration }) => duration },
  },
  filters: { state: deliveryStates },
} as const satisfies ListSpec<Delivery>

export type DeliveryFilter = keyof typeof deliveryList.filters

/** The deliveries of an address of the last 30 days. */
export function listDeliveries(db: Db, webhookId: number, query: ListQuery<DeliveryFilter>): List<Delivery> {
  const values = { webhookId }
  const condition = equals(deliveries.webhookId, placeholdersOf(values).webhookId)
  const { state } = query.filters
  return readPage(db, deliveryList, query, {
    values,
    narrowed: state ? eq(deliveries.state, state as Delivery['state']) : undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select()
        .from(deliveries)
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ id: deliveries.id }).from(deliveries).where(and(condition, where)).limit(limit),
    seen: (rows) => rows,
  })
}

export type WhichDelivery = WhichWebhook & { delivery: number }

export function findDelivery(db: Db, which: WhichDelivery): Delivery | undefined {
  if (!findWebhook(db, which)) return undefined
  return db
    .select()
    .from(deliveries)
    .where(and(eq(deliveries.id, which.delivery), eq(deliveries.webhookId, which.id)))
    .get()
}

/** Up to this many are counted. */
export const deliveriesCounted = 1_000

/** How many deliveries of an address are in this state, up to `deliveriesCounted`. */
export function countDeliveries(db: Db, webhookId: number, state: 'waiting' | 'failed'): number {
  const rows = db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(eq(deliveries.webhookId, webhookId), eq(deliveries.state, state)))
    .limit(deliveriesCounted)
    .as('counted')
  return db.select({ n: count() }).from(rows).get()?.n ?? 0
}

/** Sends a delivery again that failed, or at once one that waits. `ended` if it was delivered or withdrawn. */
export function retryDelivery(db: Db, actor: Actor, which: WhichDelivery): Delivery | 'ended' | 'inactive' | undefined {
  return write(db, actor, (tx) => {
    const webhook = findWebhook(tx, which)
    const delivery = findDelivery(tx, which)
    if (!webhook || !delivery) return undefined
    if (webhook.offAt !== null) return 'inactive'
    if (delivery.body === null || (delivery.state !== 'failed' && delivery.state !== 'waiting')) return 'ended'
    const [again] = tx
      .update(deliveries)
      .set({ state: 'waiting', dueAt: 0, attempts: delivery.state === 'failed' ? 0 : delivery.attempts })
      .where(eq(deliveries.id, delivery.id))
      .returning()
      .all()
    tx.update(webhooks).set({ nextAt: sql`0` }).where(eq(webhooks.id, webhook.id)).run()
    recordOf(tx, actor, 'webhook.retried', webhook)
    wakeSending(tx)
    return again
  })
}
