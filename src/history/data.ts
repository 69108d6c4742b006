import { and, count, desc, eq, gte, inArray, isNotNull, lt, ne, or, type SQL } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Db } from '../db/open.ts'
import { accounts, invitations, letters, personalChanges, projects, records, users } from '../db/schema.ts'
import { matches } from '../db/search.ts'
import { type AccountKind, type ProjectRole, projectRoleNames, type Role, roleName } from '../policy.ts'
import { type RecordFamily, type RecordKind, recordKinds } from './kinds.ts'
import type { Change } from './record.ts'

/** Whose records: an account's, those of the acts from a partner account in its customers, or all. */
export type Scope = { accountId: number } | { fromAccountId: number } | 'all'

/** Which of them: `from` and `until` are times in milliseconds, `person` is part of a name or e-mail. */
export type Filter = {
  from?: number | undefined
  until?: number | undefined
  person?: string | undefined
  family?: RecordFamily | undefined
}

const actor = alias(users, 'actor')
const subject = alias(users, 'subject')
const actorAccount = alias(accounts, 'actor_account')

function within(scope: Scope, { from, until, person, family }: Filter): SQL | undefined {
  return and(
    ofScope(scope),
    from === undefined ? undefined : gte(records.at, from),
    until === undefined ? undefined : lt(records.at, until),
    // Kinds begin with their family and a full stop; what follows the full stop in ASCII is the slash.
    family && and(gte(records.kind, `${family}.`), lt(records.kind, `${family}/`)),
    person ? or(matches(actor.search, person), matches(subject.search, person)) : undefined,
  )
}

function ofScope(scope: Scope): SQL | undefined {
  if (scope === 'all') return undefined
  if ('accountId' in scope) return eq(records.accountId, scope.accountId)
  return and(
    eq(records.actorAccountId, scope.fromAccountId),
    isNotNull(records.accountId),
    ne(records.accountId, scope.fromAccountId),
  )
}

export function countRecords(db: Db, scope: Scope, filter: Filter = {}): number {
  return (
    db
      .select({ n: count() })
      .from(records)
      .leftJoin(actor, eq(actor.id, records.actorId))
      .leftJoin(subject, eq(subject.id, records.userId))
      .where(within(scope, filter))
      .get()?.n ?? 0
  )
}

/** The newest first. */
export function listRecords(db: Db, scope: Scope, filter: Filter, limit: number, offset: number) {
  const rows = db
    .select({
      id: records.id,
      at: records.at,
      kind: records.kind,
      bySupport: records.bySupport,
      actor: actor.name,
      actorAccount: actorAccount.name,
      actorAccountId: records.actorAccountId,
      accountId: records.accountId,
      account: accounts.name,
      accountKind: accounts.kind,
      subject: subject.name,
      subjectId: records.userId,
      actorId: records.actorId,
      project: projects.name,
      invited: invitations.email,
      letter: letters.subject,
      letterTo: letters.email,
      change: records.change,
      ip: records.ip,
    })
    .from(records)
    .leftJoin(actor, eq(actor.id, records.actorId))
    .leftJoin(actorAccount, eq(actorAccount.id, records.actorAccountId))
    .leftJoin(accounts, eq(accounts.id, records.accountId))
    .leftJoin(subject, eq(subject.id, records.userId))
    .leftJoin(projects, eq(projects.id, records.projectId))
    .leftJoin(invitations, eq(invitations.id, records.invitationId))
    .leftJoin(letters, eq(letters.id, records.letterId))
    .where(within(scope, filter))
    .orderBy(desc(records.id))
    .limit(limit)
    .offset(offset)
    .all()
  const personal = listPersonalChanges(
    db,
    rows.map(({ id }) => id),
  )
  return rows.map((row) => ({
    ...row,
    words: recordKinds[row.kind as RecordKind] ?? row.kind,
    change: [
      ...Object.entries(JSON.parse(row.change) as Change).map(([field, [before, after]]) => ({
        field,
        before: inWords(field, row, before),
        after: inWords(field, row, after),
      })),
      ...personal.filter(({ recordId }) => recordId === row.id),
    ],
    // Whom or what it was done to, unless somebody did it to themselves.
    on: [row.subjectId === row.actorId ? null : row.subject, row.project, row.invited, row.letter, row.letterTo].filter(
      (text) => text !== null,
    ),
  }))
}

function listPersonalChanges(db: Db, recordIds: number[]) {
  return db
    .select({
      recordId: personalChanges.recordId,
      field: personalChanges.field,
      before: personalChanges.before,
      after: personalChanges.after,
    })
    .from(personalChanges)
    .where(inArray(personalChanges.recordId, recordIds))
    .all()
}

/** Roles are shown in the product's words. */
function inWords(
  field: string,
  { kind, accountKind }: { kind: string; accountKind: AccountKind | null },
  value: string | number | null,
) {
  if (field !== 'role' || typeof value !== 'string') return value
  if (kind.startsWith('access.')) return projectRoleNames[value as ProjectRole]
  return roleName(accountKind ?? 'customer', value as Role)
}
