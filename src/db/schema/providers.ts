import { sql } from 'drizzle-orm'
import { check, foreignKey, index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { AccountId, ProjectId, UserId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { users } from './people.ts'
import { projects } from './projects.ts'

// The provider of single sign-on that an account brings along. It counts while one of the account’s domains is proved.
export const accountProviders = sqliteTable(
  'account_providers',
  {
    accountId: integer('account_id')
      .$type<AccountId>()
      .primaryKey()
      .references(() => accounts.id),
    issuer: text().notNull(),
    clientId: text('client_id').notNull(),
    // Sealed (secrets.ts).
    clientSecret: text('client_secret').notNull(),
    // It alone gives out addresses of the account’s domains: what it says of an address needs no other proof.
    emailTrusted: integer('email_trusted', { mode: 'boolean' }).notNull().default(false),
    // What becomes of people whom the panel does not know yet.
    newPeople: text('new_people', { enum: ['off', 'user', 'groups'] })
      .notNull()
      .default('off'),
    // The claim that names a person’s groups.
    groupClaim: text('group_claim'),
    // From this time on, nobody works in the account whose session did not begin there, apart from one admin.
    requiredFrom: integer('required_from'),
    exemptUserId: integer('exempt_user_id')
      .$type<UserId>()
      .references(() => users.id),
    createdAt: integer('created_at').notNull(),
    version: integer().notNull().default(1),
  },
  (table) => [
    index('account_providers_client').on(table.issuer, table.clientId),
    index('account_providers_exempt').on(table.exemptUserId).where(sql`exempt_user_id is not null`),
    check('account_providers_new_people', sql`new_people in ('off', 'user', 'groups')`),
  ],
)

// A domain that an account says is its own. It is proved while a TXT record of it holds the token.
export const accountDomains = sqliteTable(
  'account_domains',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    // In its ASCII form, in lower case.
    domain: text().notNull(),
    token: text().notNull(),
    provedAt: integer('proved_at'),
    // When the name server last answered.
    checkedAt: integer('checked_at'),
    // Since when a proved domain has lacked the record.
    failingSince: integer('failing_since'),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('account_domains_account').on(table.accountId, table.domain),
    uniqueIndex('account_domains_proved').on(table.domain).where(sql`proved_at is not null`),
    index('account_domains_checked').on(table.checkedAt, table.id).where(sql`proved_at is not null`),
  ],
)

// What the people of a group become at their log-in: a role in the account and, where a project is named, one in it.
export const providerGroups = sqliteTable(
  'provider_groups',
  {
    id: integer().primaryKey(),
    accountId: integer('account_id')
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id),
    value: text().notNull(),
    role: text({ enum: ['admin', 'member'] }).notNull(),
    projectId: integer('project_id').$type<ProjectId>(),
    projectRole: text('project_role', { enum: ['admin', 'user', 'reader'] }),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('provider_groups_account').on(table.accountId, table.value).where(sql`project_id is null`),
    uniqueIndex('provider_groups_project')
      .on(table.accountId, table.value, table.projectId)
      .where(sql`project_id is not null`),
    index('provider_groups_of_project').on(table.projectId).where(sql`project_id is not null`),
    foreignKey({
      name: 'provider_groups_project_fk',
      columns: [table.accountId, table.projectId],
      foreignColumns: [projects.accountId, projects.id],
    }),
    check('provider_groups_role', sql`role in ('admin', 'member')`),
    check('provider_groups_project_role', sql`project_role in ('admin', 'user', 'reader')`),
    check('provider_groups_both', sql`(project_id is null) = (project_role is null)`),
  ],
)
