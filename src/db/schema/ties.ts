import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { AccountId } from '../ids.ts'
import { accounts } from './accounts.ts'

/** What a partner stores about a customer, visible to nobody else. It is deleted when the two part. */
export const ties = sqliteTable(
  'ties',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .unique()
      .references(() => accounts.id),
    partnerId: integer('partner_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    contactName: text('contact_name').notNull(),
    contactEmail: text('contact_email').notNull(),
    contactPhone: text('contact_phone').notNull(),
    contactAddress: text('contact_address').notNull(),
    // The partner’s own number for the customer.
    reference: text().notNull(),
    referenceKey: text('reference_key').notNull(),
    note: text().notNull(),
    // Contact, reference and tags, but not the note.
    search: text().notNull(),
    // With a partner that a customer comes back to, another tie begins.
    createdAt: integer('created_at').notNull().default(0),
    version: integer().notNull().default(1),
  },
  (table) => [uniqueIndex('ties_reference').on(table.partnerId, table.referenceKey).where(sql`reference_key <> ''`)],
)

export const tieTags = sqliteTable(
  'tie_tags',
  {
    tieId: integer('tie_id')
      .notNull()
      .references(() => ties.id),
    partnerId: integer('partner_id').$type<AccountId>().notNull(),
    tag: text().notNull(),
    tagKey: text('tag_key').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tieId, table.tagKey] }),
    index('tie_tags_partner').on(table.partnerId, table.tagKey, table.tieId),
  ],
)
