import { sql } from 'drizzle-orm'
import {
  type AnySQLiteColumn,
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
import type { AccountId, UserId } from '../ids.ts'
import { living, restorable } from './deletion.ts'
import { invitations } from './invitations.ts'
import { users } from './people.ts'

export const accounts = sqliteTable(
  'accounts',
  {
    id: integer().primaryKey().$type<AccountId>(),
    kind: text({ enum: ['customer', 'partner'] }).notNull(),
    name: text().notNull(),
    identifier: text().notNull().unique(),
    search: text().notNull(),
    sortKey: text('sort_key').notNull().default(''),
    partnerId: integer('partner_id').$type<AccountId>(),
    // Always 'partner': with the foreign key below, only a partner account can have customers,
    // and one that has customers cannot become a customer account.
    partnerKind: text('partner_kind', { enum: ['partner'] })
      .notNull()
      .default('partner'),
    // A partner’s rule for requests of its customers: up to this share of the current limit, in per cent,
    // they are approved automatically.
    automaticShare: integer('automatic_share'),
    createdAt: integer('created_at').notNull(),
    // A partner’s suspension and Support’s are two facts: each lifts only its own.
    suspendedAt: integer('suspended_at'),
    suspendedReason: text('suspended_reason'),
    supportSuspendedAt: integer('support_suspended_at'),
    supportSuspendedReason: text('support_suspended_reason'),
    // A deleted account can be restored for 30 days; then it is purged: its row stays for its identifier,
    // without a name and without a partner.
    deletedAt: integer('deleted_at'),
    deletedBy: integer('deleted_by')
      .$type<UserId>()
      .references(() => users.id),
    purgedAt: integer('purged_at'),
    version: integer().notNull().default(1),
  },
  (table) => [
    unique('accounts_id_kind').on(table.id, table.kind),
    index('accounts_partner').on(table.partnerId, table.id),
    index('accounts_partner_created').on(table.partnerId, table.createdAt, table.id, table.search).where(living),
    index('accounts_partner_name').on(table.partnerId, table.sortKey, table.id, table.search).where(living),
    index('accounts_partner_identifier').on(table.partnerId, table.identifier).where(living),
    index('accounts_name').on(table.sortKey, table.id, table.search).where(living),
    index('accounts_created').on(table.createdAt).where(living),
    // For how many there are.
    index('accounts_of_partners').on(table.id).where(sql`deleted_at is null and kind = 'partner'`),
    index('accounts_suspended')
      .on(table.id)
      .where(sql`deleted_at is null and (suspended_at is not null or support_suspended_at is not null)`),
    // Why one is, or was when it was deleted.
    index('accounts_reasons')
      .on(table.id)
      .where(sql`suspended_reason is not null or support_suspended_reason is not null`),
    index('accounts_deleted').on(table.partnerId, table.deletedAt, table.id).where(restorable),
    index('accounts_deleted_name').on(table.sortKey, table.id, table.search).where(restorable),
    index('accounts_deleted_created').on(table.createdAt).where(restorable),
    index('accounts_deleted_identifier').on(table.identifier).where(restorable),
    foreignKey({
      name: 'accounts_partner_fk',
      columns: [table.partnerId, table.partnerKind],
      foreignColumns: [table.id, table.kind] as [AnySQLiteColumn, AnySQLiteColumn],
    }),
    check('accounts_kind', sql`kind in ('customer', 'partner')`),
    check('accounts_partner_kind', sql`partner_kind = 'partner'`),
    check('accounts_partners_never_nest', sql`kind = 'customer' or partner_id is null`),
    check('accounts_automatic_share', sql`automatic_share between 1 and 100`),
  ],
)

/** A membership that a user does not have as one of the partner's people. */
export const ofOneself = sql`not from_partner`

/** What an account asks of whoever works in it; most accounts have no row. */
export const accountSecurity = sqliteTable('account_security', {
  accountId: integer('account_id')
    .primaryKey()
    .$type<AccountId>()
    .references(() => accounts.id),
  // Ranges of IP addresses, separated by spaces; empty: any address.
  networks: text().notNull().default(''),
  // From this time on, nobody works in it without a second factor.
  secondFactorFrom: integer('second_factor_from'),
  // In milliseconds since the person last proved who they are, and since their session was last used.
  sessionTime: integer('session_time'),
  idleTime: integer('idle_time'),
  version: integer().notNull().default(1),
})

export const memberships = sqliteTable(
  'memberships',
  {
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    role: text({ enum: ['admin', 'member'] }).notNull(),
    // One of the partner’s people: it ends with their membership of the partner account, and with the tie.
    fromPartner: integer('from_partner', { mode: 'boolean' }).notNull().default(false),
    // Their group at the account’s provider of single sign-on made it, and decides about it.
    mapped: integer({ mode: 'boolean' }).notNull().default(false),
    // The user's, kept by triggers: an account's users are searched and sorted by them.
    search: text().notNull().default(''),
    sortKey: text('sort_key').notNull().default(''),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at').notNull(),
    version: integer().notNull().default(1),
  },
  (table) => [
    primaryKey({ columns: [table.accountId, table.userId] }),
    index('memberships_user').on(table.userId, table.lastUsedAt, table.accountId),
    // Few, where a partner's people are in all of its customers: those of partner accounts are among them.
    index('memberships_of_oneself').on(table.userId, table.lastUsedAt, table.accountId).where(ofOneself),
    index('memberships_name').on(table.accountId, table.sortKey, table.userId, table.search),
    index('memberships_joined').on(table.accountId, table.createdAt, table.userId),
    index('memberships_role').on(table.accountId, table.role),
    check('memberships_role_known', sql`role in ('admin', 'member')`),
  ],
)

export const partnerRequests = sqliteTable(
  'partner_requests',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    requestedBy: integer('requested_by')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    state: text({ enum: ['pending', 'granted', 'declined'] })
      .notNull()
      .default('pending'),
    createdAt: integer('created_at').notNull(),
    decidedAt: integer('decided_at'),
  },
  (table) => [
    uniqueIndex('partner_requests_one_pending').on(table.accountId).where(sql`state = 'pending'`),
    index('partner_requests_state').on(table.state, table.id),
    check('partner_requests_state_known', sql`state in ('pending', 'granted', 'declined')`),
  ],
)

export const pendingPartnerRequest = sql`${partnerRequests.state} = 'pending'`

// A file of customers or users that is brought in: checked row by row first, then carried out.
export const imports = sqliteTable(
  'imports',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    kind: text({ enum: ['customers', 'users'] }).notNull(),
    fileName: text('file_name').notNull(),
    state: text({ enum: ['checking', 'ready', 'running', 'done', 'stopped'] })
      .notNull()
      .default('checking'),
    createdBy: integer('created_by')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    createdAt: integer('created_at').notNull(),
    endedAt: integer('ended_at'),
    // From where it was started, for the history of what it does.
    ip: text(),
    requestId: text('request_id'),
    // The file's own names of its columns, and those of them that the panel does not know: JSON.
    header: text(),
    leftOut: text('left_out'),
    // The line whose quotation mark is never closed: what comes after it was not read.
    unreadAfter: integer('unread_after'),
    // Nobody can see it now; its rows are deleted a few at a time.
    discardedAt: integer('discarded_at'),
    stoppedBy: integer('stopped_by')
      .$type<UserId>()
      .references(() => users.id),
  },
  (table) => [
    index('imports_discarded').on(table.discardedAt).where(sql`discarded_at is not null`),
    index('imports_account').on(table.accountId, table.kind, table.id),
    index('imports_state').on(table.state, table.id),
    index('imports_creator').on(table.createdBy),
    check('imports_kind', sql`kind in ('customers', 'users')`),
    check('imports_state_known', sql`state in ('checking', 'ready', 'running', 'done', 'stopped')`),
  ],
)

export const importRows = sqliteTable(
  'import_rows',
  {
    importId: integer('import_id')
      .notNull()
      .references(() => imports.id),
    // The line of the file.
    line: integer().notNull(),
    // What was read, checked: JSON. It is emptied with the rows when the import is old.
    input: text().notNull(),
    // The person or thing that the row is about.
    subject: text().notNull(),
    // Whose e-mail is in it: it is emptied when that user is deleted.
    emailKey: text('email_key'),
    state: text({ enum: ['ready', 'wrong', 'done', 'failed'] }).notNull(),
    // What will happen or has happened, or why not.
    words: text().notNull(),
    // The file's own cells, until the row is done: JSON.
    cells: text(),
    // What the row is found by.
    search: text().notNull().default(''),
    // The panel has it as the row says: there is nothing to do.
    unchanged: integer({ mode: 'boolean' }).notNull().default(false),
    // The invitation that the row has sent.
    invitationId: integer('invitation_id').references(() => invitations.id),
  },
  (table) => [
    primaryKey({ columns: [table.importId, table.line] }),
    index('import_rows_unchanged').on(table.importId, table.line).where(sql`unchanged`),
    index('import_rows_invitation').on(table.invitationId).where(sql`invitation_id is not null`),
    index('import_rows_invited').on(table.importId, table.invitationId).where(sql`invitation_id is not null`),
    index('import_rows_state').on(table.importId, table.state, table.line),
    index('import_rows_search').on(table.importId, table.line, table.search),
    index('import_rows_email').on(table.emailKey).where(sql`email_key is not null`),
    check('import_rows_state_known', sql`state in ('ready', 'wrong', 'done', 'failed')`),
  ],
)
