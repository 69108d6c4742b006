import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { AccountId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { resources } from './quotas.ts'

/** A named set of limits that a partner keeps. Applied to a customer it is copied: the two have no tie. */
export const plans = sqliteTable(
  'plans',
  {
    id: integer().primaryKey(),
    partnerId: integer('partner_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    name: text().notNull(),
    nameKey: text('name_key').notNull(),
    // New customers of the partner get it.
    isDefault: integer('is_default', { mode: 'boolean' }).notNull().default(false),
    version: integer().notNull().default(1),
  },
  (table) => [
    index('plans_partner').on(table.partnerId),
    uniqueIndex('plans_name').on(table.partnerId, table.nameKey),
    uniqueIndex('plans_one_default').on(table.partnerId).where(sql`is_default`),
  ],
)

// A resource without a row has no limit in the plan.
export const planLimits = sqliteTable(
  'plan_limits',
  {
    planId: integer('plan_id')
      .notNull()
      .references(() => plans.id),
    resourceId: integer('resource_id')
      .notNull()
      .references(() => resources.id),
    amount: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.planId, table.resourceId] }),
    index('plan_limits_resource').on(table.resourceId),
    check('plan_limits_amount', sql`amount >= 0`),
  ],
)
