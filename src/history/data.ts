import { and, eq, gte, isNotNull, lt, ne, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { betweenDays, isoTime, type List, type ListQuery, type ListSpec, type PageOf, readPage } from '../db/list.ts'
import type { Db } from '../db/open.ts'
import { prepared } from '../db/prepared.ts'
import { accounts, invitations, letters, personalChanges, projects, records, users } from '../db/schema.ts'
import { findMatches, firstText, isOneOf, matches, otherTexts } from '../db/search.ts'
import { type AccountKind, type ProjectRole, projectRoleNames, type Role, roleName } from '../policy.ts'
import { type RecordKind, recordFamilies, recordKinds } from './kinds.ts'
import type { Change } from './record.ts'

/** Whose records: an account's, those of the acts from a partner account in its customers, or all. */
export type Scope = { accountId: number } | { fromAccountId: number } | 'all'

type RecordRow = ReturnType<typeof inFull>[number]

export const recordList = {
  name: 'history',
  id: records.id,
  idOf: (record) => record.id,
  sorts: { newest: { words: 'Newest first', column: records.id, order: 'desc', value: (record) => record.id } },
  columns: {
    when: ({ at }) => isoTime(at),
    who: ({ actor }) => actor,
    from: ({ bySupport, actorAccount }) => (bySupport ? 'Support' : actorAccount),
    what: ({ words }) => words,
    on: ({ on }) => on.join(', '),
    account: ({ account }) => account,
    change: ({ change }) =>
      change.map(({ field, before, after }) => `${field}: ${before ?? '–'} → ${after ?? '–'}`).join('; '),
    'ip address': ({ ip }) => ip,
  },
  filters: { person: 'text', family: recordFamilies, from: 'day', until: 'day' },
} as const satisfies ListSpec<RecordRow>

export type RecordFilter = keyof typeof recordList.filters

const actor = alias(users, 'actor')
const subject = alias(users, 'subject')
const actorAccount = alias(accounts, 'actor_account')

function narrowed(db: Db, scope: Scope, { q, filters }: ListQuery<RecordFilter>): SQL | undefined {
  const { person, family, from, until } = filters
  return and(
    betweenDays(records.at, from, until),
    // Kinds begin with their family and a full stop; what follows the full stop in ASCII is the slash.
    family ? and(gte(records.kind, `${family}.`), lt(records.kind, `${family}/`)) : undefined,
    person ? either(db, scope, person, people) : undefined,
    q
      ? or(either(db, scope, q, [...people, ...objects]), and(stillOf(scope), either(db, scope, q, namesIn(scope))))
      : undefined,
  )
}

/** What was purged is shown by its identifier, which stands after the empty name. */
const nameIn = (text: SQLWrapper) => sql`coalesce(nullif(${firstText(text)}, ''), ${otherTexts(text)})`

/**
 * What a record names, by which it is found: the columns that hold the ids of rows with these texts. `shown` is what
 * the page shows of a text. Nobody but Support, who sees all of it elsewhere, finds a record by more than that: it
 * would tell, letter by letter, the e-mail of whoever acted here.
 */
const people = [
  { table: 'users', id: users.id, text: users.search, shown: firstText(users.search), column: records.actorId },
  { table: 'users', id: users.id, text: users.search, shown: firstText(users.search), column: records.userId },
] as const
const ownNames = [
  {
    table: 'accounts',
    id: accounts.id,
    text: accounts.search,
    shown: nameIn(accounts.search),
    column: records.accountId,
  },
  {
    table: 'projects',
    id: projects.id,
    text: projects.search,
    shown: nameIn(projects.search),
    column: records.projectId,
  },
] as const
const objects = [
  {
    table: 'invitations',
    id: invitations.id,
    text: invitations.search,
    shown: otherTexts(invitations.search),
    column: records.invitationId,
  },
  {
    table: 'letters',
    id: letters.id,
    text: letters.search,
    shown: otherTexts(letters.search),
    column: records.letterId,
  },
] as const

/** The history of one account does not show its name. */
function namesIn(scope: Scope) {
  return typeof scope === 'object' && 'accountId' in scope
    ? ownNames.filter(({ table }) => table !== 'accounts')
    : ownNames
}

/** Whether one of these texts matches. Records of what is rare are looked up, others found on the way. */
function either(
  db: Db,
  scope: Scope,
  q: string,
  texts: readonly (typeof people | typeof objects | typeof ownNames)[number][],
) {
  const rare: SQL[] = []
  const frequent: SQL[] = []
  for (const { table, id, text: all, shown, column } of texts) {
    const text = scope === 'all' ? all : shown
    const ids = findMatches(db, table, text, q)
    if (ids) rare.push(sql`select records.id from records where ${isOneOf(column, ids)}`)
    else
      frequent.push(
        sql`exists (select 1 from ${sql.identifier(table)} where ${id} = ${column} and ${matches(db, table, id, text, q) ?? sql`true`})`,
      )
  }
  return or(rare.length > 0 ? sql`${records.id} in (${sql.join(rare, sql` union all `)})` : undefined, ...frequent)
}

function isFromPartner(scope: Scope): scope is { fromAccountId: number } {
  return typeof scope === 'object' && 'fromAccountId' in scope
}

/** A customer that has left its partner is no longer found by what it is called since. */
function stillOf(scope: Scope): SQL | undefined {
  return isFromPartner(scope)
    ? sql`exists (select 1 from accounts as own where own.id = ${records.accountId} and own.partner_id = ${scope.fromAccountId})`
    : undefined
}

/** How a scope is read: its condition, and what tells it apart. */
function ofScope(scope: Scope): { shape: string; own: SQL | undefined; values: Record<string, number> } {
  if (scope === 'all') return { shape: 'all', own: undefined, values: {} }
  if ('accountId' in scope)
    return { shape: 'account', own: eq(records.accountId, sql.placeholder('accountId')), values: scope }
  const from = sql.placeholder('fromAccountId')
  const own = and(eq(records.actorAccountId, from), isNotNull(records.accountId), ne(records.accountId, from))
  return { shape: 'from account', own, values: scope }
}

/** The newest first. */
export function listRecords(db: Db, scope: Scope, query: ListQuery<RecordFilter>): List<RecordRow> {
  const { shape, own, values } = ofScope(scope)
  return readPage(db, recordList, query, {
    shape,
    values,
    narrowed: narrowed(db, scope, query),
    rows: (page) => selectRecords(db, scope, { ...page, where: and(own, page.where) }),
    counted: ({ where, limit }) => db.select({ one: records.id }).from(records).where(and(own, where)).limit(limit),
    seen: (rows) => inFull(db, rows),
  })
}

/** What was purged has lost its name: its identifier stands for it. */
const nameOf = (row: { name: SQLWrapper; identifier: SQLWrapper }) =>
  sql<string | null>`coalesce(nullif(${row.name}, ''), ${row.identifier})`

/** A partner sees what its customers and their projects are called while they are its own. */
function nameFor(scope: Scope, row: { name: SQLWrapper; identifier: SQLWrapper }) {
  return isFromPartner(scope)
    ? sql<
        string | null
      >`case when ${accounts.partnerId} = ${sql.placeholder('fromAccountId')} then ${nameOf(row)} else ${row.identifier} end`
    : nameOf(row)
}

function selectRecords(db: Db, scope: Scope, { where, orderBy, limit }: PageOf) {
  return db
    .select({
      id: records.id,
      at: records.at,
      kind: records.kind,
      bySupport: records.bySupport,
      actor: actor.name,
      actorAccount: nameOf(actorAccount),
      actorAccountId: records.actorAccountId,
      accountId: records.accountId,
      account: nameFor(scope, accounts),
      accountKind: accounts.kind,
      subject: subject.name,
      subjectId: records.userId,
      actorId: records.actorId,
      project: nameFor(scope, projects),
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
    .where(where)
    .orderBy(...orderBy)
    .limit(limit)
}

/** Records with what they tell of in words. */
function inFull(db: Db, rows: ReturnType<ReturnType<typeof selectRecords>['all']>) {
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

const personalChangesOf = prepared((db) =>
  db
    .select({
      recordId: personalChanges.recordId,
      field: personalChanges.field,
      before: personalChanges.before,
      after: personalChanges.after,
    })
    .from(personalChanges)
    .where(isOneOf(personalChanges.recordId, sql.placeholder('ids')))
    .prepare(),
)

function listPersonalChanges(db: Db, recordIds: number[]) {
  return personalChangesOf(db).all({ ids: JSON.stringify(recordIds) })
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
