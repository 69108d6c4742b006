import { sql } from 'drizzle-orm'
import { check, foreignKey, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { AccountId, ProjectId, UserId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { users } from './people.ts'
import { projects } from './projects.ts'

// What can be limited, in the order in which pages show it.
export const resources = sqliteTable('resources', {
  id: integer().primaryKey(),
  key: text().notNull().unique(),
  name: text().notNull(),
  // Empty if it is counted in pieces.
  unit: text().notNull(),
  version: integer().notNull().default(1),
})

// One row for each limit that was ever set: a partner’s pool, an account’s own, or a project’s. Its
// amount is null where it was set to nothing again.
export const limits = sqliteTable(
  'limits',
  {
    id: integer().primaryKey(),
    level: text({ enum: ['pool', 'account', 'project'] }).notNull(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    projectId: integer('project_id').$type<ProjectId>(),
    resourceId: integer('resource_id')
      .notNull()
      .references(() => resources.id),
    amount: integer(),
    remark: text().notNull(),
    setBy: integer('set_by')
      .$type<UserId>()
      .references(() => users.id),
    // The account that it was set from; none for Support.
    setFrom: integer('set_from')
      .$type<AccountId>()
      .references(() => accounts.id),
    setAt: integer('set_at').notNull(),
    // Of an account’s own limit: the part in use, in per cent, that its people were told of (80 or 100); 0 for none.
    toldUse: integer('told_use').notNull().default(0),
    version: integer().notNull().default(1),
  },
  (table) => [
    uniqueIndex('limits_of_account').on(table.accountId, table.level, table.resourceId).where(sql`project_id is null`),
    uniqueIndex('limits_of_project').on(table.projectId, table.resourceId),
    index('limits_given').on(table.accountId, table.level, table.resourceId, table.amount),
    index('limits_remarks').on(table.id).where(sql`remark <> ''`),
    index('limits_resource').on(table.resourceId),
    foreignKey({
      name: 'limits_project_fk',
      columns: [table.accountId, table.projectId],
      foreignColumns: [projects.accountId, projects.id],
    }),
    check('limits_level', sql`level in ('pool', 'account', 'project')`),
    check('limits_level_of_project', sql`(level = 'project') = (project_id is not null)`),
    check('limits_amount', sql`amount >= 0`),
  ],
)

// What each partner's pool has allocated of a resource. Only triggers write it (src/db/pool-sums.ts).
export const poolSums = sqliteTable(
  'pool_sums',
  {
    partnerId: integer('partner_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    resourceId: integer('resource_id').notNull(),
    amount: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.partnerId, table.resourceId] })],
)

// A customer asks for more: for the account, or for one of its projects.
export const quotaRequests = sqliteTable(
  'quota_requests',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    projectId: integer('project_id').$type<ProjectId>(),
    requestedBy: integer('requested_by')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    reason: text().notNull(),
    state: text({ enum: ['open', 'approved', 'declined', 'cancelled'] })
      .notNull()
      .default('open'),
    createdAt: integer('created_at').notNull(),
    endedAt: integer('ended_at'),
    endedBy: integer('ended_by')
      .$type<UserId>()
      .references(() => users.id),
    comment: text().notNull().default(''),
    // Approved by the partner’s rule, not by a person.
    automatic: integer({ mode: 'boolean' }).notNull().default(false),
  },
  (table) => [
    uniqueIndex('quota_requests_one_open').on(table.accountId).where(sql`state = 'open'`),
    index('quota_requests_account').on(table.accountId, table.id),
    index('quota_requests_requester').on(table.requestedBy),
    foreignKey({
      name: 'quota_requests_project_fk',
      columns: [table.accountId, table.projectId],
      foreignColumns: [projects.accountId, projects.id],
    }),
    check('quota_requests_state', sql`state in ('open', 'approved', 'declined', 'cancelled')`),
  ],
)

export const openQuotaRequest = sql`${quotaRequests.state} = 'open'`

export const quotaRequestAmounts = sqliteTable(
  'quota_request_amounts',
  {
    requestId: integer('request_id')
      .notNull()
      .references(() => quotaRequests.id),
    resourceId: integer('resource_id')
      .notNull()
      .references(() => resources.id),
    asked: integer().notNull(),
    // What was approved, which may be another amount.
    granted: integer(),
  },
  (table) => [
    primaryKey({ columns: [table.requestId, table.resourceId] }),
    index('quota_request_amounts_resource').on(table.resourceId),
    check('quota_request_amounts_asked', sql`asked >= 0`),
    check('quota_request_amounts_granted', sql`granted >= 0`),
  ],
)
