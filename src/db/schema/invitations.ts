import { sql } from 'drizzle-orm'
import {
  check,
  foreignKey,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  unique,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'
import type { AccountId, ProjectId, UserId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { users } from './people.ts'
import { projects } from './projects.ts'

export const invitations = sqliteTable(
  'invitations',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    email: text().notNull(),
    emailKey: text('email_key').notNull(),
    name: text().notNull(),
    search: text().notNull(),
    role: text({ enum: ['admin', 'member'] }).notNull(),
    // Who sent it last, and from which account; none for Support. It ends when they lose the right to send it.
    invitedBy: integer('invited_by')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    invitedFrom: integer('invited_from')
      .$type<AccountId>()
      .references(() => accounts.id),
    state: text({ enum: ['pending', 'accepted', 'cancelled', 'expired'] })
      .notNull()
      .default('pending'),
    createdAt: integer('created_at').notNull(),
    sentAt: integer('sent_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    // The expiry that its sender was told of.
    toldExpiry: integer('told_expiry').notNull().default(0),
    endedAt: integer('ended_at'),
    acceptedBy: integer('accepted_by')
      .$type<UserId>()
      .references(() => users.id),
  },
  (table) => [
    unique('invitations_account_id').on(table.accountId, table.id),
    uniqueIndex('invitations_one_pending').on(table.accountId, table.emailKey).where(sql`state = 'pending'`),
    index('invitations_pending').on(table.accountId, table.state, table.id),
    index('invitations_to').on(table.emailKey, table.state),
    // For the deletion of a user.
    index('invitations_accepted').on(table.acceptedBy).where(sql`accepted_by is not null`),
    index('invitations_by').on(table.invitedBy),
    index('invitations_expiring').on(table.expiresAt).where(sql`state = 'pending' and told_expiry <> expires_at`),
    index('invitations_from').on(table.invitedBy, table.invitedFrom).where(sql`state = 'pending'`),
    check('invitations_role', sql`role in ('admin', 'member')`),
    check('invitations_state', sql`state in ('pending', 'accepted', 'cancelled', 'expired')`),
  ],
)

/**
 * The state is written out here and below, not bound: SQLite uses an index of only these rows if it sees the state. With
 * a bound state it would look at the value, and compile the statement again, each time.
 */
export const pendingInvitation = sql`${invitations.state} = 'pending'`

// An invitation's links: the one in the letter, and one for each time the link was copied.
export const invitationTokens = sqliteTable(
  'invitation_tokens',
  {
    hash: text().primaryKey(),
    invitationId: integer('invitation_id')
      .notNull()
      .references(() => invitations.id),
    // Only a mailed link proves that the person who follows it owns the mailbox.
    kind: text({ enum: ['mailed', 'copied'] })
      .notNull()
      .default('mailed'),
    // Who had it made, and from which account; none for Support.
    madeBy: integer('made_by')
      .$type<UserId>()
      .references(() => users.id),
    madeFrom: integer('made_from')
      .$type<AccountId>()
      .references(() => accounts.id),
    createdAt: integer('created_at').notNull(),
    supersededAt: integer('superseded_at'),
  },
  (table) => [
    index('invitation_tokens_invitation').on(table.invitationId),
    index('invitation_tokens_by').on(table.madeBy).where(sql`made_by is not null`),
    index('invitation_tokens_maker').on(table.madeBy, table.madeFrom).where(sql`superseded_at is null`),
    check('invitation_tokens_kind', sql`kind in ('mailed', 'copied')`),
  ],
)

export const invitationProjects = sqliteTable(
  'invitation_projects',
  {
    accountId: integer('account_id').$type<AccountId>().notNull(),
    invitationId: integer('invitation_id').notNull(),
    projectId: integer('project_id').$type<ProjectId>().notNull(),
    role: text({ enum: ['admin', 'user', 'reader'] }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.invitationId, table.projectId] }),
    index('invitation_projects_project').on(table.projectId),
    foreignKey({
      name: 'invitation_projects_invitation_fk',
      columns: [table.accountId, table.invitationId],
      foreignColumns: [invitations.accountId, invitations.id],
    }),
    foreignKey({
      name: 'invitation_projects_project_fk',
      columns: [table.accountId, table.projectId],
      foreignColumns: [projects.accountId, projects.id],
    }),
    check('invitation_projects_role', sql`role in ('admin', 'user', 'reader')`),
  ],
)
