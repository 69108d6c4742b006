import { and, asc, eq, gt, gte, lt, lte, min, type SQL, sql } from 'drizzle-orm'
import { type Db, writeUnchecked } from '../../db/open.ts'
import { type Placeholders, prepared } from '../../db/prepared.ts'
import { accounts, deliveries, webhooks } from '../../db/schema.ts'
import { suspensionOf } from '../../db/suspension.ts'
import type { Delivery, Webhook } from '../../records/data/deliveries.ts'
import { longestDelay } from '../pauses.ts'

// What the worker reads and notes. Each step is bounded, however many deliveries wait.

const minute = 60_000
/** So many rows are changed at once: other requests come between. */
const rowsAtOnce = 200
/** Deliveries are listed for so long. */
const deliveriesKeptFor = 30 * 24 * 60 * minute

const dueOf = prepared((db, { after, until, most }: Placeholders<{ after: number; until: number; most: number }>) =>
  db
    .select({ id: webhooks.id })
    .from(webhooks)
    .where(and(lte(webhooks.nextAt, until), gt(webhooks.nextAt, after)))
    .orderBy(asc(webhooks.nextAt))
    .limit(most)
    .prepare(),
)

/** The address that has waited longest for its turn, but those. A clock that was ahead makes none wait for longer than a day. */
export function nextAddress(db: Db, now: number, without: Set<number>): number | undefined {
  const first = (after: number, until: number) =>
    dueOf(db)
      .all({ after, until, most: without.size + 1 })
      .find(({ id }) => !without.has(id))?.id
  return first(-1, now) ?? first(now + longestDelay, Number.MAX_SAFE_INTEGER)
}

/** When the next address but those has something to do: infinite without one. */
export function nextAddressAt(db: Db, without: Set<number>): number {
  const next = db
    .select({ id: webhooks.id, at: webhooks.nextAt })
    .from(webhooks)
    .where(sql`${webhooks.nextAt} is not null`)
    .orderBy(asc(webhooks.nextAt))
    .limit(without.size + 1)
    .all()
    .find(({ id }) => !without.has(id))
  return next?.at ?? Number.POSITIVE_INFINITY
}

export type Trial = { webhook: Webhook; delivery: Delivery }

/**
 * What is to be sent to an address now. Otherwise it does a part of what else is to be done for it, or notes when it has its
 * next turn, and returns undefined.
 */
export function takeNext(db: Db, id: number, now: number): Trial | undefined {
  const row = db
    .select({ webhook: webhooks, account: accounts })
    .from(webhooks)
    .leftJoin(accounts, eq(accounts.id, webhooks.accountId))
    .where(eq(webhooks.id, id))
    .get()
  if (!row) return undefined
  const { webhook, account } = row
  if (webhook.removedAt !== null) return removeSome(db, webhook)
  if (account && account.deletedAt !== null) return withdrawSome(db, webhook)
  if (webhook.offAt !== null) return turn(db, webhook, null)
  if (account && suspensionOf(account)) return turn(db, webhook, now + minute)
  if (webhook.retryFrom !== null) return queueSomeAgain(db, webhook, webhook.retryFrom, now)
  const delivery = firstDue(db, id, now)
  const held = webhook.heldUntil > now && webhook.heldUntil <= now + longestDelay && delivery?.dueAt !== 0
  if (!delivery || held) return turn(db, webhook, nextTurn(db, webhook))
  if (mayStillHear(db, webhook, delivery)) return { webhook, delivery }
  withdraw(db, eq(deliveries.id, delivery.id))
  return undefined
}

/** Of a delivery. */
export const waits = sql`${deliveries.state} = 'waiting'`

function firstDue(db: Db, webhookId: number, now: number): Delivery | undefined {
  const waiting = and(eq(deliveries.webhookId, webhookId), waits)
  const first = (due: SQL) =>
    db
      .select()
      .from(deliveries)
      .where(and(waiting, due))
      .orderBy(asc(deliveries.dueAt), asc(deliveries.id))
      .limit(1)
      .get()
  return first(lte(deliveries.dueAt, now)) ?? first(gt(deliveries.dueAt, now + longestDelay))
}

/** What a partner hears of a customer ends with the tie. */
function mayStillHear(db: Db, { accountId }: Webhook, delivery: Delivery): boolean {
  if (accountId === null || delivery.accountId === null || delivery.accountId === accountId) return true
  const customer = db
    .select({ partnerId: accounts.partnerId })
    .from(accounts)
    .where(eq(accounts.id, delivery.accountId))
    .get()
  return customer?.partnerId === accountId
}

/** When an address has its next turn; null while nothing waits. */
export function nextTurn(db: Db, { id, heldUntil }: Pick<Webhook, 'id' | 'heldUntil'>): number | null {
  const waiting = and(eq(deliveries.webhookId, id), waits)
  const due =
    db
      .select({ at: min(deliveries.dueAt) })
      .from(deliveries)
      .where(waiting)
      .get()?.at ?? null
  return due === null ? null : due === 0 ? 0 : Math.max(due, heldUntil)
}

function turn(db: Db, { id }: Webhook, nextAt: number | null): undefined {
  writeUnchecked(db, (tx) => {
    tx.update(webhooks).set({ nextAt }).where(eq(webhooks.id, id)).run()
  })
}

const withdrawal = { state: 'withdrawn', body: null } as const

function withdraw(db: Db, which: SQL): void {
  writeUnchecked(db, (tx) => {
    tx.update(deliveries).set(withdrawal).where(and(which, waits)).run()
  })
}

/** Some of the deliveries of which this holds, by their ids. */
export const someOf = (tx: Db, which: SQL | undefined) =>
  sql`${deliveries.id} in ${tx.select({ id: deliveries.id }).from(deliveries).where(which).limit(rowsAtOnce)}`

function removeSome(db: Db, { id }: Webhook): undefined {
  writeUnchecked(db, (tx) => {
    const gone = tx
      .delete(deliveries)
      .where(someOf(tx, eq(deliveries.webhookId, id)))
      .run().changes
    if (gone < rowsAtOnce) tx.delete(webhooks).where(eq(webhooks.id, id)).run()
  })
}

/** The account is deleted. */
function withdrawSome(db: Db, { id }: Webhook): undefined {
  writeUnchecked(db, (tx) => {
    const waiting = someOf(tx, and(eq(deliveries.webhookId, id), waits))
    const gone = tx.update(deliveries).set(withdrawal).where(waiting).run().changes
    if (gone < rowsAtOnce) tx.update(webhooks).set({ nextAt: null }).where(eq(webhooks.id, id)).run()
  })
}

/** The number of the first delivery since a time: they rise. */
function firstSince(tx: Db, from: number): number {
  const since = gte(deliveries.createdAt, from)
  const first = tx
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(since)
    .orderBy(asc(deliveries.createdAt))
    .limit(1)
    .get()
  return first?.id ?? Number.MAX_SAFE_INTEGER
}

/** Of what failed since a time, and of what waits for its next try. */
function queueSomeAgain(db: Db, { id }: Webhook, from: number, now: number): undefined {
  writeUnchecked(db, (tx) => {
    const failed = and(
      eq(deliveries.webhookId, id),
      sql`${deliveries.state} = 'failed'`,
      sql`${deliveries.body} is not null`,
      gte(deliveries.id, firstSince(tx, from)),
    )
    const pausing = and(eq(deliveries.webhookId, id), waits, gt(deliveries.dueAt, now))
    const set = { state: 'waiting', dueAt: now } as const
    const again = [
      tx
        .update(deliveries)
        .set({ ...set, attempts: 0 })
        .where(someOf(tx, failed))
        .run().changes,
      tx.update(deliveries).set(set).where(someOf(tx, pausing)).run().changes,
    ]
    if (again.every((changed) => changed < rowsAtOnce))
      tx.update(webhooks).set({ retryFrom: null, nextAt: now }).where(eq(webhooks.id, id)).run()
  })
}

/** Forgets some deliveries of more than 30 days ago. False if there are no more. */
export function forgetDeliveries(db: Db, now: number): boolean {
  return writeUnchecked(db, (tx) => {
    const old = someOf(tx, lt(deliveries.createdAt, now - deliveriesKeptFor))
    return tx.delete(deliveries).where(old).run().changes === rowsAtOnce
  })
}
