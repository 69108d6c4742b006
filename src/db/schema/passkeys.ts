import { blob, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { UserId } from '../ids.ts'
import { users } from './people.ts'

export const passkeys = sqliteTable(
  'passkeys',
  {
    id: integer().primaryKey(),
    // What the authenticator knows it by.
    credentialId: text('credential_id').notNull().unique(),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    // The host of PUBLIC_URL when it was added: browsers offer it at no other.
    host: text().notNull(),
    publicKey: blob('public_key', { mode: 'buffer' }).notNull(),
    // How often it was used, where the authenticator counts; 0 stays 0.
    counter: integer().notNull(),
    transports: text().notNull(),
    deviceType: text('device_type', { enum: ['singleDevice', 'multiDevice'] }).notNull(),
    backedUp: integer('backed_up', { mode: 'boolean' }).notNull(),
    // It recognises its user, by PIN or body. Without that it is a second step only.
    verifies: integer({ mode: 'boolean' }).notNull(),
    name: text().notNull(),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at'),
  },
  (table) => [index('passkeys_user').on(table.userId, table.host), index('passkeys_host').on(table.host)],
)

// SHA-256 of each challenge that was answered, until it would no longer be taken anyway.
export const usedChallenges = sqliteTable(
  'used_challenges',
  {
    hash: text().primaryKey(),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('used_challenges_expires').on(table.expiresAt)],
)
