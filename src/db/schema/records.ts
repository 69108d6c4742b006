import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { AccountId, ProjectId, UserId } from '../ids.ts'
import { users } from './people.ts'

// Append-only: triggers refuse UPDATE and DELETE. No foreign keys, so that a record outlives everything
// it names; people are named by id, so that the history shows them as the user's row does.
/** The identifier of the customer that a record of a partner’s own history is about. */
export const describedCustomer = sql<string>`change ->> '$.customer[1]'`

export const records = sqliteTable(
  'records',
  {
    id: integer().primaryKey(),
    at: integer().notNull(),
    kind: text().notNull(),
    accountId: integer('account_id').$type<AccountId>(),
    actorId: integer('actor_id').$type<UserId>(),
    actorAccountId: integer('actor_account_id').$type<AccountId>(),
    bySupport: integer('by_support', { mode: 'boolean' }).notNull(),
    userId: integer('user_id').$type<UserId>(),
    invitationId: integer('invitation_id'),
    projectId: integer('project_id').$type<ProjectId>(),
    letterId: integer('letter_id'),
    // JSON: { field: [before, after] }. Personal data is in personal_changes.
    change: text().notNull(),
    ip: text(),
    requestId: text('request_id'),
    // The API token that the act was done with.
    tokenId: integer('token_id'),
    // Covers the record and the hash of the one before it (records/chain.ts).
    hash: text(),
  },
  (table) => [
    index('records_account').on(table.accountId, table.id),
    index('records_actor_account').on(table.actorAccountId, table.id),
    index('records_actor').on(table.actorId, table.id),
    // When an account came to its partner.
    index('records_moved').on(table.accountId, table.id).where(sql`kind = 'account.moved'`),
    // What a partner changed in the details of one of its customers.
    index('records_described')
      .on(table.accountId, describedCustomer, table.id)
      .where(sql`kind = 'account.customer-described'`),
    // Most records are about none of these.
    index('records_user').on(table.userId, table.id).where(sql`user_id is not null`),
    index('records_project').on(table.projectId).where(sql`project_id is not null`),
    index('records_invitation').on(table.invitationId).where(sql`invitation_id is not null`),
    index('records_letter').on(table.letterId).where(sql`letter_id is not null`),
  ],
)

// The names and e-mails that a record tells of, and what somebody typed, which may hold some: apart from it, so
// that they can go with the person.
export const personalChanges = sqliteTable(
  'personal_changes',
  {
    recordId: integer('record_id')
      .notNull()
      .references(() => records.id),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    // The last three are what the user typed into an act: they stay, except for the names of deleted people in them.
    field: text({ enum: ['name', 'email', 'reason', 'comment', 'remark'] }).notNull(),
    before: text().notNull(),
    after: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.recordId, table.field] }), index('personal_changes_user').on(table.userId)],
)

// What has failed for long, so that Support gets one e-mail about each, also across restarts (operations/troubles).
export const troubles = sqliteTable('troubles', {
  kind: text({ enum: ['backups', 'copies', 'mail', 'replica'] }).primaryKey(),
  since: integer().notNull(),
  // When Support was written to.
  toldAt: integer('told_at'),
})

// One row: who may write to the replica (operations/replica/claim.ts). A newer epoch there means that another machine took over.
export const replication = sqliteTable(
  'replication',
  {
    id: integer().primaryKey(),
    epoch: integer().notNull(),
    // Random: identifies the start and the machine that claimed the epoch.
    claim: text().notNull(),
  },
  () => [check('replication_one', sql`id = 1`)],
)

// One row: what the installation knows of itself. A database and its secrets find each other by it.
export const installation = sqliteTable(
  'installation',
  {
    id: integer().primaryKey(),
    // A known text, sealed with the key in use.
    keyCheck: text('key_check').notNull(),
    // When the panel last ran, by a clock that was believed.
    lastSeenAt: integer('last_seen_at').notNull(),
    // Records dated up to here, but later than now, were made by a clock that was ahead: Support has said so.
    aheadUntil: integer('ahead_until').notNull().default(0),
  },
  () => [check('installation_once', sql`id = 1`)],
)
