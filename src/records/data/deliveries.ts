import { randomBytes } from 'node:crypto'
import { and, eq, isNull, or, type Placeholder, sql } from 'drizzle-orm'
import type { AccountId, ProjectId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared, preparedInsert } from '../../db/prepared.ts'
import { accounts, deliveries, invitations, projects, webhooks } from '../../db/schema.ts'
import { asksFor, eventType, testEvent, thinChange } from '../events.ts'
import { type Hearer, hearing } from '../hearing.ts'
import type { Actor, Change, What } from '../record.ts'
import { isProgram } from './programs.ts'
import { newWaker } from './waking.ts'

// What webhooks are to be told of a record: written in its transaction, sent by webhooks/worker.ts.

/** In bytes: Standard Webhooks asks for less than 20 kB. */
const longestBody = 19_000

export type Webhook = typeof webhooks.$inferSelect
export type Delivery = typeof deliveries.$inferSelect

/** The addresses that may hear of what happens in an account: its own, its partner’s, and Support’s. A deleted account hears nothing. */
const listeners = prepared((db, { accountId }: Placeholders<{ accountId: AccountId | null }>) =>
  db
    .select({
      id: webhooks.id,
      accountId: webhooks.accountId,
      events: webhooks.events,
    })
    .from(webhooks)
    .leftJoin(accounts, eq(accounts.id, webhooks.accountId))
    .where(
      and(
        or(
          equals(webhooks.accountId, accountId),
          eq(webhooks.accountId, sql`(select partner_id from accounts where id = ${accountId})`),
          isNull(webhooks.accountId),
        ),
        isNull(webhooks.removedAt),
        isNull(webhooks.offAt),
        isNull(accounts.deletedAt),
      ),
    )
    .prepare(),
)

const accountNamed = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db.select({ identifier: accounts.identifier }).from(accounts).where(equals(accounts.id, accountId)).prepare(),
)

const projectOf = prepared((db, { projectId }: Placeholders<{ projectId: ProjectId }>) =>
  db.select({ identifier: projects.identifier }).from(projects).where(equals(projects.id, projectId)).prepare(),
)

const invitedFrom = prepared((db, { id }: Placeholders<{ id: number }>) =>
  db.select({ from: invitations.invitedFrom }).from(invitations).where(equals(invitations.id, id)).prepare(),
)

/** A test (due at 0) is tried at once, everything else when the address may be tried again. */
const startOf = (dueAt: Placeholder) => sql`case when ${dueAt} = 0 then 0 else max(${dueAt}, held_until) end`

const bringForward = prepared((db, { id, dueAt }: Placeholders<{ id: number; dueAt: number }>) =>
  db
    .update(webhooks)
    .set({ nextAt: sql`min(coalesce(next_at, ${startOf(dueAt)}), ${startOf(dueAt)})` })
    .where(equals(webhooks.id, id))
    .prepare(),
)

const newDelivery = preparedInsert(deliveries, (insert) => insert.returning().prepare())

/** Calls back, and wakes, when there is something to deliver. */
export const { listen: onQueued, wake: wakeSending } = newWaker()

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

/** A partner hears of an accepted invitation only if it had sent it. */
function mayHear(tx: Db, { accountId }: Listener, what: What): boolean {
  if (accountId === null || accountId === what.accountId || what.kind !== 'invitation.accepted') return true
  return what.invitationId !== undefined && invitedFrom(tx).get({ id: what.invitationId })?.from === accountId
}

function bodyOf(tx: Db, actor: Actor, what: What, recordId: number): string {
  const account = (accountId: AccountId | null | undefined) => identifierOf(tx, accountId ?? null)
  const project =
    what.projectId === undefined ? null : (projectOf(tx).get({ projectId: what.projectId })?.identifier ?? null)
  const bodyWith = (change: Change) =>
    eventBody(eventType(what.kind), actor.at, {
      account: account(what.accountId),
      project,
      user: what.userId ?? null,
      invitation: what.invitationId ?? null,
      change,
      actor: {
        user: actor.userId,
        account: account(actor.accountId),
        service: isProgram(tx, actor.userId),
        support: actor.bySupport,
      },
      record: recordId,
    })
  const body = bodyWith(thinChange(what.change ?? {}))
  return Buffer.byteLength(body) <= longestBody ? body : bodyWith({})
}

function identifierOf(tx: Db, accountId: AccountId | null): string | null {
  return accountId === null ? null : (accountNamed(tx).get({ accountId })?.identifier ?? null)
}

function eventBody(type: string, at: number, data: object): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data })
}

/** Queues a test, which goes before all that waits. */
export function queueTest(tx: Db, webhook: Webhook, actor: Actor): Delivery {
  const body = eventBody(testEvent, actor.at, { account: identifierOf(tx, webhook.accountId) })
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
  bringForward(tx).run({ id: webhookId, dueAt })
  return queued
}
