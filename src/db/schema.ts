// Every time is in milliseconds since 1970 (UTC). Every `search` column holds the folded text that
// lists are searched in, every `sortKey` what they are sorted by (see fold.ts); the latter's indexes end with the
// former, so that a search reads the rows that it finds and no others. A `version` counts the edits of a row.

export * from './schema/accounts.ts'
export * from './schema/invitations.ts'
export * from './schema/mail.ts'
export * from './schema/notifications.ts'
export * from './schema/passkeys.ts'
export * from './schema/people.ts'
export * from './schema/plans.ts'
export * from './schema/projects.ts'
export * from './schema/providers.ts'
export * from './schema/quotas.ts'
export * from './schema/records.ts'
export * from './schema/service-users.ts'
export * from './schema/ties.ts'
export * from './schema/tokens.ts'
export * from './schema/webhooks.ts'
