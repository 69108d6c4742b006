import { and, asc, count, eq, isNull, sql } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import { type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, placeholdersOf } from '../../db/prepared.ts'
import { webhooks } from '../../db/schema.ts'
import { type Delivery, queueTest, type Webhook, wakeSending } from '../../records/data/deliveries.ts'
import { type Actor, type Change, record } from '../../records/record.ts'
import type { Secrets } from '../../secrets.ts'
import { newWebhookSecret } from '../signing.ts'

// The addresses of an account, or of Support (null). Another’s is not found.

export type WebhookOwner = AccountId | null
export type WhichWebhook = { owner: WebhookOwner; id: number }

export const mostWebhooks = 10

/** After a rotation, the earlier secret signs too, in milliseconds. */
const earlierSecretFor = 24 * 3_600_000

const ownedBy = (owner: WebhookOwner) =>
  and(owner === null ? isNull(webhooks.accountId) : eq(webhooks.accountId, owner), isNull(webhooks.removedAt))

export const webhookList = {
  name: 'webhooks',
  id: webhooks.id,
  idOf: ({ id }) => id,
  sorts: { oldest: { words: 'Oldest first', column: webhooks.id, order: 'asc', value: ({ id }) => id } },
  columns: {
    url: { head: 'Address', look: 'main' },
    events: { head: 'Events', label: true },
    state: { head: 'Status', label: true },
    succeeded: { head: 'Last success', look: 'muted', label: true },
  },
  filters: {},
} as const satisfies ListSpec<Webhook>

export function listWebhooks(db: Db, accountId: AccountId, query: ListQuery): List<Webhook> {
  const values = { accountId }
  const condition = and(equals(webhooks.accountId, placeholdersOf(values).accountId), isNull(webhooks.removedAt))
  return readPage(db, webhookList, query, {
    values,
    narrowed: undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select()
        .from(webhooks)
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ id: webhooks.id }).from(webhooks).where(and(condition, where)).limit(limit),
    seen: (rows) => rows,
  })
}

/** All of an owner’s addresses, the oldest first: there are at most ten. */
export function allWebhooks(db: Db, owner: WebhookOwner): Webhook[] {
  return db.select().from(webhooks).where(ownedBy(owner)).orderBy(asc(webhooks.id)).limit(mostWebhooks).all()
}

export function findWebhook(db: Db, { owner, id }: WhichWebhook): Webhook | undefined {
  return db
    .select()
    .from(webhooks)
    .where(and(ownedBy(owner), eq(webhooks.id, id)))
    .get()
}

/** An address, and what it asks for: events, separated by spaces. */
export type WebhookWish = Pick<Webhook, 'url' | 'events'>

/** The history names only the host: the rest of an address may be a secret of its receiver. */
const hostOf = (url: string) => new URL(url).host

/** Adds an address; `secret` is shown once. `full` if the owner has as many as there may be. */
export function createWebhook(
  db: Db,
  actor: Actor,
  { owner, ...wish }: WebhookWish & { owner: WebhookOwner },
  secrets: Secrets,
): { webhook: Webhook; secret: string } | 'full' {
  return write(db, actor, (tx) => {
    const there = tx.select({ all: count() }).from(webhooks).where(ownedBy(owner)).get()?.all ?? 0
    if (there >= mostWebhooks) return 'full'
    const { shown, sealed } = newWebhookSecret(secrets)
    const [webhook] = tx
      .insert(webhooks)
      .values({ ...wish, accountId: owner, secret: sealed, createdAt: actor.at })
      .returning()
      .all()
    if (!webhook) throw new Error('The webhook was not saved.')
    record(tx, actor, {
      kind: 'webhook.created',
      accountId: owner,
      change: { host: [null, hostOf(wish.url)], events: [null, wish.events] },
    })
    return { webhook, secret: shown }
  })
}

export type WebhookEdit = WebhookWish & { on: boolean; version?: number }

/** Changes an address, or switches it on or off. `stale` if it is no longer at the version that the edit was made on. */
export function changeWebhook(
  db: Db,
  actor: Actor,
  which: WhichWebhook,
  { url, events, on, version }: WebhookEdit,
): 'saved' | 'unchanged' | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const before = findWebhook(tx, which)
    if (!before) return undefined
    const wasOn = before.offAt === null
    if (before.url === url && before.events === events && wasOn === on) return 'unchanged'
    if (version !== undefined && version !== before.version) return 'stale'
    const fresh = { failures: 0, failingSince: null, heldUntil: 0, nextAt: actor.at }
    tx.update(webhooks)
      .set({
        url,
        events,
        version: before.version + 1,
        // What waited for the earlier address goes to the new one at once.
        ...(before.url !== url || (on && !wasOn) ? fresh : {}),
        ...(on ? { offAt: null, offBecause: null } : wasOn ? { offAt: actor.at, offBecause: 'person' as const } : {}),
      })
      .where(eq(webhooks.id, before.id))
      .run()
    const change: Change = { host: [before.url === url ? null : hostOf(before.url), hostOf(url)] }
    if (before.events !== events) change.events = [before.events, events]
    if (wasOn !== on) change.status = wasOn ? ['on', 'off'] : ['off', 'on']
    record(tx, actor, { kind: 'webhook.changed', accountId: which.owner, change })
    wakeSending(tx)
    return 'saved'
  })
}

/** Makes a new secret. The earlier one signs for a day more, and the one before it no longer. */
export function rotateWebhookSecret(db: Db, actor: Actor, which: WhichWebhook, secrets: Secrets): string | undefined {
  return write(db, actor, (tx) => {
    const webhook = findWebhook(tx, which)
    if (!webhook) return undefined
    const { shown, sealed } = newWebhookSecret(secrets)
    tx.update(webhooks)
      .set({
        secret: sealed,
        earlierSecret: webhook.secret,
        earlierUntil: actor.at + earlierSecretFor,
        version: webhook.version + 1,
      })
      .where(eq(webhooks.id, webhook.id))
      .run()
    recordOf(tx, actor, 'webhook.secret-rotated', webhook)
    return shown
  })
}

/** Removes an address: nothing more is sent there. Its deliveries go in the background. */
export function removeWebhook(db: Db, actor: Actor, which: WhichWebhook): Webhook | undefined {
  return write(db, actor, (tx) => {
    const webhook = findWebhook(tx, which)
    if (!webhook) return undefined
    tx.update(webhooks).set({ removedAt: actor.at, nextAt: actor.at }).where(eq(webhooks.id, webhook.id)).run()
    record(tx, actor, {
      kind: 'webhook.removed',
      accountId: which.owner,
      change: { host: [hostOf(webhook.url), null] },
    })
    wakeSending(tx)
    return webhook
  })
}

/** Sends a test, once. `inactive` if the address is switched off. */
export function testWebhook(db: Db, actor: Actor, which: WhichWebhook): Delivery | 'inactive' | undefined {
  return write(db, actor, (tx) => {
    const webhook = findWebhook(tx, which)
    if (!webhook) return undefined
    if (webhook.offAt !== null) return 'inactive'
    recordOf(tx, actor, 'webhook.tested', webhook)
    return queueTest(tx, webhook, actor)
  })
}

/** Puts all that failed since a time back into the queue, in the background; and tries again what waits. */
export function retrySince(db: Db, actor: Actor, which: WhichWebhook, from: number): Webhook | 'inactive' | undefined {
  return write(db, actor, (tx) => {
    const webhook = findWebhook(tx, which)
    if (!webhook) return undefined
    if (webhook.offAt !== null) return 'inactive'
    const retryFrom = sql`min(coalesce(retry_from, ${from}), ${from})`
    tx.update(webhooks).set({ retryFrom, heldUntil: 0, nextAt: actor.at }).where(eq(webhooks.id, webhook.id)).run()
    recordOf(tx, actor, 'webhook.retried', webhook)
    wakeSending(tx)
    return webhook
  })
}

type ActKind = 'webhook.secret-rotated' | 'webhook.tested' | 'webhook.retried'

export function recordOf(tx: Db, actor: Actor, kind: ActKind, { accountId, url }: Webhook): void {
  record(tx, actor, { kind, accountId, change: { host: [null, hostOf(url)] } })
}
