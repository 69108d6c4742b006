import { randomBytes } from 'node:crypto'
import { and, eq, isNull, or, sql } from 'drizzle-orm'
import type { AccountId, ProjectId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, perConnection, prepared, preparedInsert } from '../../db/prepared.ts'
import { accounts, deliveries, invitations, projects, webhooks } from '../../db/schema.ts'
import { asksFor, eventType, testEvent, thinChange } from '../events.ts'
import { type Hearer, hearing } from '../hearing.ts'
import type { Actor, Change, What } from '../record.ts'

// What webhooks are to be told of a record: written in its transaction, sent by webhooks/worker.ts.

/** In bytes: Standard Webhooks asks for less than 20 kB. */
const longestBody = 19_000

export type Webhook = typeof webhooks.$inferSelect
export type Delivery = typeof deliveries.$inferSelect

/** The addresses that may hear of what happens in an account: its own, its partner’s, and Support’s. */
const listeners = prepared((db, { accountId }: Placeholders<{ accountId: AccountId | null }>) =>
  db
    .select({
      id: webhooks.id,
      accountId: webhooks.accountId,
      events: webhooks.events,
    })
    .from(webhooks)
    .where(
      and(
        or(
          equals(webhooks.accountId, accountId),
          eq(webhooks.accountId, sql`(select partner_id from accounts where id = ${accountId})`),
          isNull(webhooks.accountId),
        ),
        isNull(webhooks.removedAt),
        isNull(webhooks.offAt),
      ),
    )
    .prepare(),
)

const livingAccount = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ identifier: accounts.identifier, deletedAt: accounts.deletedAt })
    .from(accounts)
    .where(equals(accounts.id, accountId))
    .prepare(),
)

const projectOf = prepared((db, { projectId }: Placeholders<{ projectId: ProjectId }>) =>
  db.select({ identifier: projects.identifier }).from(projects).where(equals(projects.id, projectId)).prepare(),
)

const invitedFrom = prepared((db, { id }: Placeholders<{ id: number }>) =>
  db.select({ from: invitations.invitedFrom }).from(invitations).where(equals(invitations.id, id)).prepare(),
)

const newDelivery = preparedInsert(deliveries, (insert) => insert.returning().prepare())

const wakers = perConnection(() => new Set<() => void>())

/** Calls back, after the transaction, when there is something to deliver. Returns what ends it. */
export function onQueued(db: Db, wake: () => void): () => void {
  wakers(db).add(wake)
  return () => wakers(db).delete(wake)
}

/** Wakes the worker once the transaction has ended: transactions are synchronous. */
export function wakeSending(tx: Db): void {
  setImmediate(() => {
    for (const wake of wakers(tx)) wake()
  })
}

type Listener = Pick<Webhook, 'id' | 'accountId' | 'events'>

/** Queues a record for each address that asks for it. Call it in the transaction of the record. */
export function queueDeliveries(tx: Db, actor: Actor, what: What, recordId: number): void {
  const hearers = hearing[what.kind]
  if (hearers.length === 0) return
  const type = eventType(what.kind)
  const asking = listeners(tx)
    .all({ accountId: what.accountId ?? null })
    .filter((one) => hearers.includes(hearerOf(one, what)) && asksFor(one.events, type) && mayHear(tx, one, what))
  if (asking.length === 0) return
  const body = bodyOf(tx, actor, what, recordId)
  for (const { id } of asking)
    queue(tx, id, { accountId: what.accountId ?? null, recordId, type, body, createdAt: actor.at })
  wakeSending(tx)
}

function hearerOf({ accountId }: Listener, what: What): Hearer {
  if (accountId === null) return 'support'
  return accountId === what.accountId ? 'account' : 'partner'
}

/** A deleted account hears nothing, and a partner of an accepted invitation only if it had sent it. */
function mayHear(tx: Db, { accountId }: Listener, what: What): boolean {
  if (accountId === null) return true
  if (livingAccount(tx).get({ accountId })?.deletedAt !== null) return false
  if (accountId === what.accountId || what.kind !== 'invitation.accepted') return true
  return what.invitationId !== undefined && invitedFrom(tx).get({ id: what.invitationId })?.from === accountId
}

function bodyOf(tx: Db, actor: Actor, what: What, recordId: number): string {
  const account = (accountId: AccountId | null | undefined) =>
    accountId == null ? null : (livingAccount(tx).get({ accountId })?.identifier ?? null)
  const project =
    what.projectId === undefined ? null : (projectOf(tx).get({ projectId: what.projectId })?.identifier ?? null)
  const bodyWith = (change: Change) =>
    eventBody(eventType(what.kind), actor.at, {
      account: account(what.accountId),
      project,
      user: what.userId ?? null,
      invitation: what.invitationId ?? null,
      change,
      actor: { user: actor.userId, account: account(actor.accountId), support: actor.bySupport },
      record: recordId,
    })
  const body = bodyWith(thinChange(what.change ?? {}))
  return Buffer.byteLength(body) <= longestBody ? body : bodyWith({})
}

function eventBody(type: string, at: number, data: object): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data })
}

/** Queues a test, which goes before all that waits. */
export function queueTest(tx: Db, webhook: Webhook, actor: Actor): Delivery {
  const account =
    webhook.accountId === null ? null : (livingAccount(tx).get({ accountId: webhook.accountId })?.identifier ?? null)
  const body = eventBody(testEvent, actor.at, { account })
  const delivery = queue(
    tx,
    webhook.id,
    { accountId: webhook.accountId, recordId: null, type: testEvent, body, createdAt: actor.at },
    0,
  )
  wakeSending(tx)
  return delivery
}

type NewDelivery = Pick<Delivery, 'accountId' | 'recordId' | 'type' | 'body' | 'createdAt'>

function queue(tx: Db, webhookId: number, delivery: NewDelivery, dueAt = delivery.createdAt): Delivery {
  const messageId = `msg_${randomBytes(16).toString('base64url')}`
  const [queued] = newDelivery(tx).all({ ...delivery, webhookId, messageId, dueAt })
  if (!queued) throw new Error('A delivery was not written.')
  // A test is tried at once, everything else when the address may be tried again.
  const from = dueAt === 0 ? sql`0` : sql`max(${dueAt}, held_until)`
  tx.update(webhooks)
    .set({ nextAt: sql`min(coalesce(next_at, ${from}), ${from})` })
    .where(eq(webhooks.id, webhookId))
    .run()
  return queued
}
