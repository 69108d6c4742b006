import { sql } from 'drizzle-orm'
import { check, foreignKey, index, integer, primaryKey, sqliteTable, text, unique } from 'drizzle-orm/sqlite-core'
import type { AccountId, ProjectId, UserId } from '../ids.ts'
import { accounts, memberships } from './accounts.ts'
import { restorable } from './deletion.ts'
import { users } from './people.ts'
import { resources } from './quotas.ts'

export const projects = sqliteTable(
  'projects',
  {
    id: integer().primaryKey().$type<ProjectId>(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    name: text().notNull(),
    identifier: text().notNull(),
    search: text().notNull(),
    sortKey: text('sort_key').notNull().default(''),
    createdAt: integer('created_at').notNull(),
    // A deleted project can be restored for 30 days; then it is purged. It keeps its row, so that its
    // identifier is never given out again.
    deletedAt: integer('deleted_at'),
    deletedBy: integer('deleted_by')
      .$type<UserId>()
      .references(() => users.id),
    purgedAt: integer('purged_at'),
    version: integer().notNull().default(1),
  },
  (table) => [
    unique('projects_account_identifier').on(table.accountId, table.identifier),
    unique('projects_account_id').on(table.accountId, table.id),
    index('projects_alive').on(table.accountId, table.deletedAt, table.id),
    index('projects_name').on(table.accountId, table.deletedAt, table.sortKey, table.id, table.search),
    index('projects_deleted').on(table.accountId, table.deletedAt, table.id).where(restorable),
  ],
)

export const projectAccess = sqliteTable(
  'project_access',
  {
    accountId: integer('account_id').$type<AccountId>().notNull(),
    projectId: integer('project_id').$type<ProjectId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    role: text({ enum: ['admin', 'user', 'reader'] }).notNull(),
    // As in memberships.
    mapped: integer({ mode: 'boolean' }).notNull().default(false),
    // The user's, kept by triggers: a project's people are searched and sorted by them.
    search: text().notNull().default(''),
    sortKey: text('sort_key').notNull().default(''),
    createdAt: integer('created_at').notNull(),
    version: integer().notNull().default(1),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.userId] }),
    index('project_access_name').on(table.accountId, table.projectId, table.sortKey, table.userId, table.search),
    index('project_access_member').on(table.accountId, table.userId),
    foreignKey({
      name: 'project_access_project_fk',
      columns: [table.accountId, table.projectId],
      foreignColumns: [projects.accountId, projects.id],
    }),
    foreignKey({
      name: 'project_access_membership_fk',
      columns: [table.accountId, table.userId],
      foreignColumns: [memberships.accountId, memberships.userId],
    }),
    check('project_access_role', sql`role in ('admin', 'user', 'reader')`),
  ],
)

// Who had access to a deleted project, and what it was given, for its restoration: apart from what
// counts, so that no query of the living has to leave them out.
export const keptAccess = sqliteTable(
  'kept_access',
  {
    accountId: integer('account_id').$type<AccountId>().notNull(),
    projectId: integer('project_id').$type<ProjectId>().notNull(),
    userId: integer('user_id').$type<UserId>().notNull(),
    role: text({ enum: ['admin', 'user', 'reader'] }).notNull(),
    // As in memberships.
    mapped: integer({ mode: 'boolean' }).notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.userId] }),
    index('kept_access_member').on(table.accountId, table.userId),
    foreignKey({
      name: 'kept_access_project_fk',
      columns: [table.accountId, table.projectId],
      foreignColumns: [projects.accountId, projects.id],
    }),
    foreignKey({
      name: 'kept_access_membership_fk',
      columns: [table.accountId, table.userId],
      foreignColumns: [memberships.accountId, memberships.userId],
    }),
    check('kept_access_role', sql`role in ('admin', 'user', 'reader')`),
  ],
)

export const keptLimits = sqliteTable(
  'kept_limits',
  {
    accountId: integer('account_id').$type<AccountId>().notNull(),
    projectId: integer('project_id').$type<ProjectId>().notNull(),
    resourceId: integer('resource_id')
      .notNull()
      .references(() => resources.id),
    amount: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.resourceId] }),
    index('kept_limits_resource').on(table.resourceId),
    foreignKey({
      name: 'kept_limits_project_fk',
      columns: [table.accountId, table.projectId],
      foreignColumns: [projects.accountId, projects.id],
    }),
    check('kept_limits_amount', sql`amount >= 0`),
  ],
)
