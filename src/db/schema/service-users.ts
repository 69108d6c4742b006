import { sql } from 'drizzle-orm'
import { check, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { users } from './people.ts'

const current = sql`removed_at is null`

// The programs of an account. They are no memberships: whatever counts, lists or tells an account's people does not know them.
export const serviceUsers = sqliteTable(
  'service_users',
  {
    userId: integer('user_id')
      .$type<UserId>()
      .primaryKey()
      .references(() => users.id),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    role: text({ enum: ['admin', 'member'] }).notNull(),
    search: text().notNull(),
    sortKey: text('sort_key').notNull(),
    createdAt: integer('created_at').notNull(),
    // A removed one keeps its row until the account is purged, so that its name goes then.
    removedAt: integer('removed_at'),
    // The person who made it; the maker of the program that did.
    madeBy: integer('made_by')
      .$type<UserId>()
      .references(() => users.id),
    // Made by the partner’s people: it ends with the tie to the partner, and with their membership.
    fromPartner: integer('from_partner', { mode: 'boolean' }).notNull().default(false),
    version: integer().notNull().default(1),
  },
  (table) => [
    index('service_users_name').on(table.accountId, table.sortKey, table.userId, table.search).where(current),
    index('service_users_created').on(table.accountId, table.createdAt, table.userId).where(current),
    index('service_users_account').on(table.accountId),
    check('service_users_role_known', sql`role in ('admin', 'member')`),
  ],
)
