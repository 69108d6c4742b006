import { sql } from 'drizzle-orm'
import { foreignKey, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../ids.ts'
import { accounts, memberships } from './accounts.ts'

export const users = sqliteTable(
  'users',
  {
    id: integer().primaryKey().$type<UserId>(),
    email: text().notNull(),
    emailKey: text('email_key').notNull().unique(),
    name: text().notNull(),
    search: text().notNull(),
    sortKey: text('sort_key').notNull().default(''),
    passwordHash: text('password_hash').notNull(),
    operator: integer({ mode: 'boolean' }).notNull().default(false),
    // A program's user (serviceUsers): no person, so without e-mail and password, and in no list of people.
    service: integer({ mode: 'boolean' }).notNull().default(false),
    createdAt: integer('created_at').notNull(),
    // When the mailbox’s owner followed a link that was mailed to it. Nobody else’s invitations are shown before.
    emailProvedAt: integer('email_proved_at'),
    // Noted once a minute while they use the panel.
    lastSeenAt: integer('last_seen_at'),
    disabledAt: integer('disabled_at'),
    // A deleted user keeps a row without name and e-mail, for what it did in accounts that go on.
    deletedAt: integer('deleted_at'),
    // Two-factor login: the sealed TOTP secret, and the last time step whose code was used.
    totpSecret: text('totp_secret'),
    totpStep: integer('totp_step'),
    // 32 random bytes by which authenticators know the user; made with the first passkey.
    passkeyHandle: text('passkey_handle'),
    // How the panel looks to them: empty as the device and UTC have it. The zone may be that of the browser they last logged in with.
    theme: text({ enum: ['', 'light', 'dark'] })
      .notNull()
      .default(''),
    timeZone: text('time_zone').notNull().default(''),
    zoneByBrowser: integer('zone_by_browser', { mode: 'boolean' }).notNull().default(true),
    numbers: text({ enum: ['', 'point', 'space'] })
      .notNull()
      .default(''),
    version: integer().notNull().default(1),
  },
  (table) => [
    index('users_operators').on(table.id).where(sql`operator`),
    index('users_disabled').on(table.id).where(sql`disabled_at is not null`),
    index('users_living').on(table.deletedAt, table.service, table.createdAt),
    index('users_name').on(table.deletedAt, table.service, table.sortKey, table.id, table.search),
  ],
)

export const passwordResets = sqliteTable(
  'password_resets',
  {
    // SHA-256 of the token in the letter's link.
    hash: text().primaryKey(),
    userId: integer('user_id')
      .$type<UserId>()
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
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    email: text().notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('email_changes_user').on(table.userId)],
)

// Who a user is at a provider of single sign-on. The provider’s number for them is the key, never an e-mail.
export const identities = sqliteTable(
  'identities',
  {
    id: integer().primaryKey(),
    issuer: text().notNull(),
    subject: text().notNull(),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at'),
  },
  (table) => [
    uniqueIndex('identities_subject').on(table.issuer, table.subject),
    uniqueIndex('identities_user').on(table.userId, table.issuer),
  ],
)

export const sessions = sqliteTable(
  'sessions',
  {
    id: integer().primaryKey(),
    // SHA-256 of the id in the cookie.
    hash: text().notNull().unique(),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    // A column of its own, so that a slow request cannot undo a switch. It may name an account that
    // the user is no longer in: then the user is asked to choose.
    activeAccountId: integer('active_account_id')
      .$type<AccountId>()
      .references(() => accounts.id),
    createdAt: integer('created_at').notNull(),
    lastSeenAt: integer('last_seen_at').notNull(),
    // The second factor was given too. Without it, a user who has one is not logged in yet.
    secondFactor: integer('second_factor', { mode: 'boolean' }).notNull(),
    // When the person last proved to be the user; asked again before what matters most.
    provedAt: integer('proved_at').notNull(),
    ip: text().notNull(),
    browser: text().notNull(),
    // The identity that began it by single sign-on, the provider’s own session, and whether the provider asked for both factors.
    identityId: integer('identity_id').references(() => identities.id),
    ssoSid: text('sso_sid'),
    ssoFactors: integer('sso_factors', { mode: 'boolean' }).notNull().default(false),
    // The account whose own provider it was; none where it was the installation’s.
    ssoAccountId: integer('sso_account_id')
      .$type<AccountId>()
      .references(() => accounts.id),
    // It began in a browser that the user had never logged in with since the password was set.
    newBrowser: integer('new_browser', { mode: 'boolean' }).notNull().default(false),
    // The longest time that it was not used since the person last proved who they are.
    longestIdle: integer('longest_idle').notNull().default(0),
  },
  (table) => [
    index('sessions_identity').on(table.identityId).where(sql`identity_id is not null`),
    index('sessions_sso_sid').on(table.ssoSid).where(sql`sso_sid is not null`),
    index('sessions_sso_account').on(table.ssoAccountId).where(sql`sso_account_id is not null`),
    index('sessions_user').on(table.userId),
    index('sessions_last_seen').on(table.lastSeenAt),
    index('sessions_created').on(table.createdAt),
  ],
)

export const recoveryCodes = sqliteTable(
  'recovery_codes',
  {
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    hash: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.hash] })],
)

// How often somebody tried a throttled act: stored, so that a restart forgets nothing.
export const throttles = sqliteTable(
  'throttles',
  {
    key: text().primaryKey(),
    tries: integer().notNull(),
    at: integer().notNull(),
  },
  (table) => [index('throttles_at').on(table.at)],
)

/** How a user last chose to see a list: sort, rows and view, where it is not as everybody sees it first. */
export const listChoices = sqliteTable(
  'list_choices',
  {
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    list: text().notNull(),
    // As in the list’s address, without what was searched for or typed.
    query: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.list] })],
)

/** A list as a user wants to find it again, under a name of theirs: for nobody else, and while they are in the account. */
export const savedViews = sqliteTable(
  'saved_views',
  {
    id: integer().primaryKey(),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    // None for Support’s lists.
    accountId: integer('account_id').$type<AccountId>(),
    list: text().notNull(),
    name: text().notNull(),
    // What is searched for: people type names and e-mails there.
    search: text().notNull(),
    // Filters, sort and rows, as in the list’s address.
    query: text().notNull(),
  },
  (table) => [
    index('saved_views_user').on(table.userId, table.list, table.accountId),
    index('saved_views_member').on(table.accountId, table.userId),
    foreignKey({
      columns: [table.accountId, table.userId],
      foreignColumns: [memberships.accountId, memberships.userId],
    }),
  ],
)
