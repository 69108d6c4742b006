import { sql } from 'drizzle-orm'
import { check, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { AccountId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { records } from './records.ts'

// The addresses that an account or, without one, Support has events posted to.
export const webhooks = sqliteTable(
  'webhooks',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .references(() => accounts.id),
    url: text().notNull(),
    // Separated by spaces: * for all, families such as member.*, and single types such as member.role_changed.
    events: text().notNull(),
    // Sealed (secrets.ts): 32 bytes as base64, and for a day after a rotation those before it.
    secret: text().notNull(),
    earlierSecret: text('earlier_secret'),
    earlierUntil: integer('earlier_until'),
    createdAt: integer('created_at').notNull(),
    offAt: integer('off_at'),
    // Somebody switched it off, its address said that it is gone, or it failed for too long.
    offBecause: text('off_because', { enum: ['person', 'gone', 'failing'] }),
    // It is no longer shown; its deliveries go, and then its row.
    removedAt: integer('removed_at'),
    succeededAt: integer('succeeded_at'),
    // Of the tries since the last success: how many, and when the first was.
    failures: integer().notNull().default(0),
    failingSince: integer('failing_since'),
    // Until then nothing is tried.
    heldUntil: integer('held_until').notNull().default(0),
    // When there is something to do for it: none while nothing waits.
    nextAt: integer('next_at'),
    // What failed since then is still to be put back into the queue.
    retryFrom: integer('retry_from'),
    version: integer().notNull().default(1),
  },
  (table) => [
    index('webhooks_account').on(table.accountId, table.id).where(sql`removed_at is null`),
    index('webhooks_next').on(table.nextAt).where(sql`next_at is not null`),
    check('webhooks_off', sql`off_because in ('person', 'gone', 'failing')`),
  ],
)

// The outbox of webhooks: written in the transaction of the record that it tells, sent by webhooks/worker.ts.
export const deliveries = sqliteTable(
  'deliveries',
  {
    id: integer().primaryKey(),
    webhookId: integer('webhook_id')
      .notNull()
      .references(() => webhooks.id),
    // The account that it tells about: a customer’s, at its partner’s address.
    accountId: integer('account_id')
      .$type<AccountId>()
      .references(() => accounts.id),
    // None for a test.
    recordId: integer('record_id').references(() => records.id),
    // The same at each try.
    messageId: text('message_id').notNull(),
    type: text().notNull(),
    // JSON; removed once it was delivered.
    body: text(),
    state: text({ enum: ['waiting', 'delivered', 'failed', 'withdrawn'] })
      .notNull()
      .default('waiting'),
    attempts: integer().notNull().default(0),
    // What the last try was answered with, or why it was not; and how many milliseconds it took.
    status: integer(),
    error: text(),
    duration: integer(),
    createdAt: integer('created_at').notNull(),
    dueAt: integer('due_at').notNull(),
    triedAt: integer('tried_at'),
  },
  (table) => [
    index('deliveries_due').on(table.webhookId, table.dueAt).where(sql`state = 'waiting'`),
    index('deliveries_webhook').on(table.webhookId, table.id),
    index('deliveries_state').on(table.webhookId, table.state, table.id),
    index('deliveries_account').on(table.accountId).where(sql`account_id is not null`),
    index('deliveries_created').on(table.createdAt),
    check('deliveries_state_known', sql`state in ('waiting', 'delivered', 'failed', 'withdrawn')`),
  ],
)
