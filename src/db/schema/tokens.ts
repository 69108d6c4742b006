import { sql } from 'drizzle-orm'
import { type AnySQLiteColumn, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { users } from './people.ts'

// A token lets a program act as one user in one account. An ended one keeps its row: the history names it.
export const apiTokens = sqliteTable(
  'api_tokens',
  {
    id: integer().primaryKey(),
    // SHA-256 of the token, which is shown once.
    hash: text().notNull().unique(),
    lastFour: text('last_four').notNull(),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    // None for a token of Support, which acts in no account.
    accountId: integer('account_id')
      .$type<AccountId>()
      .references(() => accounts.id),
    // The person who made it, and so has read it: for a service user’s it is not its user.
    madeBy: integer('made_by')
      .$type<UserId>()
      .references(() => users.id),
    // The first of the tokens that replaced one another, which this one is the latest of: none for the first itself.
    firstId: integer('first_id').references((): AnySQLiteColumn => apiTokens.id),
    // Made by the partner’s people, or for a service user of theirs.
    fromPartner: integer('from_partner', { mode: 'boolean' }).notNull().default(false),
    name: text().notNull(),
    // Separated by spaces: members:read projects:write.
    scopes: text().notNull(),
    // Separated by spaces: IP addresses and CIDR ranges. Empty for any address.
    networks: text().notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    endedAt: integer('ended_at'),
    // When its user is next told that it expires soon; none when nothing more is to be said.
    remindAt: integer('remind_at'),
    // Noted once a minute.
    lastUsedAt: integer('last_used_at'),
    lastUsedIp: text('last_used_ip'),
  },
  (table) => [
    index('api_tokens_user').on(table.userId, table.id).where(sql`ended_at is null`),
    index('api_tokens_maker').on(table.madeBy, table.id).where(sql`ended_at is null`),
    index('api_tokens_account').on(table.accountId, table.userId),
    index('api_tokens_remind').on(table.remindAt).where(sql`remind_at is not null`),
  ],
)

// The first answer to a request with an Idempotency-Key, for its repeats: written in the transaction of the act.
export const apiReplays = sqliteTable(
  'api_replays',
  {
    // The first of those that replaced one another: a successor must not do again what was done.
    tokenId: integer('token_id')
      .notNull()
      .references(() => apiTokens.id),
    // SHA-256 of the key, and of what was asked: nothing once the answer is gone.
    keyHash: text('key_hash').notNull(),
    requestHash: text('request_hash').notNull(),
    status: integer().notNull(),
    // Sealed (secrets.ts): it may hold personal data. Nothing once a user whom it named was deleted.
    answer: text().notNull(),
    at: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tokenId, table.keyHash] }), index('api_replays_at').on(table.at)],
)
