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

// Every time is in milliseconds since 1970 (UTC). Every `search` column holds the folded text that
// lists are searched in, every `sortKey` what they are sorted by (see fold.ts); the latter's indexes end with the
// former, so that a search reads the rows that it finds and no others. A `version` counts the edits of a row.

// What lists leave out is left out of their indexes. Of accounts and projects:
const living = sql`deleted_at is null`
/** Deleted, and not yet purged. */
const restorable = sql`deleted_at is not null and purged_at is null`

export const users = sqliteTable(
  'users',
  {
    id: integer().primaryKey(),
    email: text().notNull(),
    emailKey: text('email_key').notNull().unique(),
    name: text().notNull(),
    search: text().notNull(),
    sortKey: text('sort_key').notNull().default(''),
    passwordHash: text('password_hash').notNull(),
    operator: integer({ mode: 'boolean' }).notNull().default(false),
    createdAt: integer('created_at').notNull(),
    // When the mailbox’s owner followed a link that was mailed to it. Nobody else’s invitations are shown before.
    emailProvedAt: integer('email_proved_at'),
    // Noted once a minute while they use the panel.
    lastSeenAt: integer('last_seen_at'),
    disabledAt: integer('disabled_at'),
    // A deleted user keeps a row without name and e-mail, for what it did in accounts that go on.
    deletedAt: integer('deleted_at'),
    // Two-factor log-in: the sealed TOTP secret, and the last time step whose code was used.
    totpSecret: text('totp_secret'),
    totpStep: integer('totp_step'),
    version: integer().notNull().default(1),
  },
  (table) => [
    index('users_living').on(table.deletedAt, table.createdAt),
    index('users_name').on(table.deletedAt, table.sortKey, table.id, table.search),
  ],
)

export const accounts = sqliteTable(
  'accounts',
  {
    id: integer().primaryKey(),
    kind: text({ enum: ['customer', 'partner'] }).notNull(),
    name: text().notNull(),
    identifier: text().notNull().unique(),
    search: text().notNull(),
    sortKey: text('sort_key').notNull().default(''),
    partnerId: integer('partner_id'),
    // Always 'partner': with the foreign key below, only a partner account can have customers,
    // and one that has customers cannot become a customer account.
    partnerKind: text('partner_kind', { enum: ['partner'] })
      .notNull()
      .default('partner'),
    // A partner’s rule for requests of its customers: up to this share of the current limit, in per cent,
    // they are approved by themselves.
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
    deletedBy: integer('deleted_by').references(() => users.id),
    purgedAt: integer('purged_at'),
    version: integer().notNull().default(1),
  },
  (table) => [
    unique('accounts_id_kind').on(table.id, table.kind),
    index('accounts_partner').on(table.partnerId, table.id),
    index('accounts_partner_created').on(table.partnerId, table.createdAt).where(living),
    index('accounts_partner_name').on(table.partnerId, table.sortKey, table.id, table.search).where(living),
    index('accounts_partner_identifier').on(table.partnerId, table.identifier).where(living),
    index('accounts_name').on(table.sortKey, table.id, table.search).where(living),
    index('accounts_created').on(table.createdAt).where(living),
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

export const memberships = sqliteTable(
  'memberships',
  {
    accountId: integer('account_id')
      .notNull()
      .references(() => accounts.id),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    role: text({ enum: ['admin', 'member'] }).notNull(),
    // One of the partner’s people: it ends with their membership of the partner account, and with the tie.
    fromPartner: integer('from_partner', { mode: 'boolean' }).notNull().default(false),
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
    index('memberships_name').on(table.accountId, table.sortKey, table.userId, table.search),
    index('memberships_joined').on(table.accountId, table.createdAt, table.userId),
    index('memberships_role').on(table.accountId, table.role),
    check('memberships_role_known', sql`role in ('admin', 'member')`),
  ],
)

export const projects = sqliteTable(
  'projects',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
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
    deletedBy: integer('deleted_by').references(() => users.id),
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
    accountId: integer('account_id').notNull(),
    projectId: integer('project_id').notNull(),
    userId: integer('user_id').notNull(),
    role: text({ enum: ['admin', 'user', 'reader'] }).notNull(),
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
    accountId: integer('account_id').notNull(),
    projectId: integer('project_id').notNull(),
    userId: integer('user_id').notNull(),
    role: text({ enum: ['admin', 'user', 'reader'] }).notNull(),
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
    accountId: integer('account_id').notNull(),
    projectId: integer('project_id').notNull(),
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

export const invitations = sqliteTable(
  'invitations',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .notNull()
      .references(() => accounts.id),
    email: text().notNull(),
    emailKey: text('email_key').notNull(),
    name: text().notNull(),
    search: text().notNull(),
    role: text({ enum: ['admin', 'member'] }).notNull(),
    // Who sent it last, and from which account; none for Support. It ends when they lose the right to send it.
    invitedBy: integer('invited_by')
      .notNull()
      .references(() => users.id),
    invitedFrom: integer('invited_from').references(() => accounts.id),
    state: text({ enum: ['pending', 'accepted', 'cancelled', 'expired'] })
      .notNull()
      .default('pending'),
    createdAt: integer('created_at').notNull(),
    sentAt: integer('sent_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    endedAt: integer('ended_at'),
    acceptedBy: integer('accepted_by').references(() => users.id),
  },
  (table) => [
    unique('invitations_account_id').on(table.accountId, table.id),
    uniqueIndex('invitations_one_pending').on(table.accountId, table.emailKey).where(sql`state = 'pending'`),
    index('invitations_pending').on(table.accountId, table.state, table.id),
    index('invitations_to').on(table.emailKey, table.state),
    index('invitations_from').on(table.invitedBy, table.invitedFrom).where(sql`state = 'pending'`),
    check('invitations_role', sql`role in ('admin', 'member')`),
    check('invitations_state', sql`state in ('pending', 'accepted', 'cancelled', 'expired')`),
  ],
)

/**
 * The state is written out here and below, not bound: an index of these rows alone serves only where SQLite sees
 * the state, and a bound one it looks at, and compiles the statement anew, each time.
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
    // Only a mailed link proves the mailbox of whoever follows it.
    kind: text({ enum: ['mailed', 'copied'] })
      .notNull()
      .default('mailed'),
    // Who had it made, and from which account; none for Support.
    madeBy: integer('made_by').references(() => users.id),
    madeFrom: integer('made_from').references(() => accounts.id),
    createdAt: integer('created_at').notNull(),
    supersededAt: integer('superseded_at'),
  },
  (table) => [
    index('invitation_tokens_invitation').on(table.invitationId),
    index('invitation_tokens_maker').on(table.madeBy, table.madeFrom).where(sql`superseded_at is null`),
    check('invitation_tokens_kind', sql`kind in ('mailed', 'copied')`),
  ],
)

export const invitationProjects = sqliteTable(
  'invitation_projects',
  {
    accountId: integer('account_id').notNull(),
    invitationId: integer('invitation_id').notNull(),
    projectId: integer('project_id').notNull(),
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

// What can be limited, in the order in which pages show it.
export const resources = sqliteTable('resources', {
  id: integer().primaryKey(),
  key: text().notNull().unique(),
  name: text().notNull(),
  // Empty for what is counted in pieces.
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
      .notNull()
      .references(() => accounts.id),
    projectId: integer('project_id'),
    resourceId: integer('resource_id')
      .notNull()
      .references(() => resources.id),
    amount: integer(),
    remark: text().notNull(),
    setBy: integer('set_by').references(() => users.id),
    // The account that it was set from; none for Support.
    setFrom: integer('set_from').references(() => accounts.id),
    setAt: integer('set_at').notNull(),
    version: integer().notNull().default(1),
  },
  (table) => [
    uniqueIndex('limits_of_account').on(table.accountId, table.level, table.resourceId).where(sql`project_id is null`),
    uniqueIndex('limits_of_project').on(table.projectId, table.resourceId),
    index('limits_given').on(table.accountId, table.level, table.resourceId, table.amount),
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

// A customer asks for more: for the account, or for one of its projects.
export const quotaRequests = sqliteTable(
  'quota_requests',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .notNull()
      .references(() => accounts.id),
    projectId: integer('project_id'),
    requestedBy: integer('requested_by')
      .notNull()
      .references(() => users.id),
    reason: text().notNull(),
    state: text({ enum: ['open', 'approved', 'declined', 'cancelled'] })
      .notNull()
      .default('open'),
    createdAt: integer('created_at').notNull(),
    endedAt: integer('ended_at'),
    endedBy: integer('ended_by').references(() => users.id),
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

export const partnerRequests = sqliteTable(
  'partner_requests',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .notNull()
      .references(() => accounts.id),
    requestedBy: integer('requested_by')
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

export const passwordResets = sqliteTable(
  'password_resets',
  {
    // SHA-256 of the token in the letter's link.
    hash: text().primaryKey(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    expiresAt: integer('expires_at').notNull(),
    usedAt: integer('used_at'),
  },
  (table) => [index('password_resets_user').on(table.userId)],
)

export const emailChanges = sqliteTable(
  'email_changes',
  {
    // SHA-256 of the token in the letter's link.
    hash: text().primaryKey(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    email: text().notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('email_changes_user').on(table.userId)],
)

export const sessions = sqliteTable(
  'sessions',
  {
    id: integer().primaryKey(),
    // SHA-256 of the id in the cookie.
    hash: text().notNull().unique(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    // A column of its own, so that a slow request cannot undo a switch. It may name an account that
    // the user is no longer in: then the user is asked to choose.
    activeAccountId: integer('active_account_id').references(() => accounts.id),
    createdAt: integer('created_at').notNull(),
    lastSeenAt: integer('last_seen_at').notNull(),
    // The second factor was given too. Without it, a user who has one is not logged in yet.
    secondFactor: integer('second_factor', { mode: 'boolean' }).notNull(),
    // When the person last proved to be the user; asked again before what matters most.
    provedAt: integer('proved_at').notNull(),
    ip: text().notNull(),
    browser: text().notNull(),
  },
  (table) => [
    index('sessions_user').on(table.userId),
    index('sessions_last_seen').on(table.lastSeenAt),
    index('sessions_created').on(table.createdAt),
  ],
)

export const recoveryCodes = sqliteTable(
  'recovery_codes',
  {
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    hash: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.hash] })],
)

// How often somebody tried what is throttled: kept here, so that a restart forgets nothing.
export const throttles = sqliteTable(
  'throttles',
  {
    key: text().primaryKey(),
    tries: integer().notNull(),
    at: integer().notNull(),
  },
  (table) => [index('throttles_at').on(table.at)],
)

// The outbox: written in the transaction of what the letter tells about, sent by mail/worker.ts.
export const letters = sqliteTable(
  'letters',
  {
    id: integer().primaryKey(),
    messageId: text('message_id').notNull().unique(),
    email: text().notNull(),
    name: text().notNull(),
    subject: text().notNull(),
    search: text().notNull(),
    // Sealed (secrets.ts), since letters carry links; removed once a mail server has taken the letter.
    body: text(),
    invitationId: integer('invitation_id').references(() => invitations.id),
    // Whose letter it is, where that is known: it forgets the person when the user is deleted.
    userId: integer('user_id').references(() => users.id),
    // The account that it tells about: while that is deleted, the letter does not go out.
    accountId: integer('account_id').references(() => accounts.id),
    // Why its reader gets it: checked again before it is sent (mail/reasons.ts).
    reason: text({ enum: ['none', 'invitation', 'token', 'member', 'admin', 'user', 'support'] })
      .notNull()
      .default('none'),
    // The account whose member or admin the reader must still be; of a removal, must not be again.
    readerOf: integer('reader_of').references(() => accounts.id),
    // SHA-256 of the token in its link: of a password reset or a change of e-mail.
    tokenHash: text('token_hash'),
    state: text({ enum: ['waiting', 'sent', 'kept', 'failed', 'withdrawn'] })
      .notNull()
      .default('waiting'),
    // What goes first: 0 what somebody waits for, 1 what one person sent, 2 what a file brought.
    priority: integer().notNull().default(1),
    attempts: integer().notNull().default(0),
    error: text(),
    createdAt: integer('created_at').notNull(),
    dueAt: integer('due_at').notNull(),
    giveUpAt: integer('give_up_at').notNull(),
    doneAt: integer('done_at'),
  },
  (table) => [
    index('letters_due').on(table.priority, table.dueAt).where(sql`state = 'waiting'`),
    index('letters_state').on(table.state, table.createdAt),
    index('letters_created').on(table.createdAt),
    index('letters_invitation').on(table.invitationId),
    index('letters_email').on(table.email),
    index('letters_user').on(table.userId),
    index('letters_account').on(table.accountId),
    check('letters_reason', sql`reason in ('none', 'invitation', 'token', 'member', 'admin', 'user', 'support')`),
    check('letters_state', sql`state in ('waiting', 'sent', 'kept', 'failed', 'withdrawn')`),
  ],
)

// The people whom a letter’s text names, beside its reader: its text goes when one of them is deleted.
export const letterPeople = sqliteTable(
  'letter_people',
  {
    letterId: integer('letter_id')
      .notNull()
      .references(() => letters.id),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
  },
  (table) => [primaryKey({ columns: [table.letterId, table.userId] }), index('letter_people_user').on(table.userId)],
)

// A file of customers or users that is brought in: checked row by row first, then carried out.
export const imports = sqliteTable(
  'imports',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .notNull()
      .references(() => accounts.id),
    kind: text({ enum: ['customers', 'users'] }).notNull(),
    fileName: text('file_name').notNull(),
    state: text({ enum: ['checking', 'ready', 'running', 'done', 'stopped'] })
      .notNull()
      .default('checking'),
    createdBy: integer('created_by')
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
    // Nobody sees it any more; its rows are deleted some at a time.
    discardedAt: integer('discarded_at'),
    stoppedBy: integer('stopped_by').references(() => users.id),
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
    // Whom or what the row is about.
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

// Append-only: triggers refuse UPDATE and DELETE. No foreign keys, so that a record outlives all it
// speaks of; people are named by id, so that what is shown follows the user's row.
export const records = sqliteTable(
  'records',
  {
    id: integer().primaryKey(),
    at: integer().notNull(),
    kind: text().notNull(),
    accountId: integer('account_id'),
    actorId: integer('actor_id'),
    actorAccountId: integer('actor_account_id'),
    bySupport: integer('by_support', { mode: 'boolean' }).notNull(),
    userId: integer('user_id'),
    invitationId: integer('invitation_id'),
    projectId: integer('project_id'),
    letterId: integer('letter_id'),
    // JSON: { field: [before, after] }. What is personal stands in personal_changes.
    change: text().notNull(),
    ip: text(),
    requestId: text('request_id'),
  },
  (table) => [
    index('records_account').on(table.accountId, table.id),
    index('records_actor_account').on(table.actorAccountId, table.id),
    index('records_actor').on(table.actorId, table.id),
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
      .notNull()
      .references(() => users.id),
    // The last three are what the user typed into an act: they stay, but for the names of deleted people in them.
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
    // Random: which start of which machine claimed the epoch.
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
