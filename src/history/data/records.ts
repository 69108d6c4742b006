import { and, eq, gte, isNotNull, isNull, lt, ne, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { readJson } from '../../db/json.ts'
import { betweenDays, isoTime, type List, type ListQuery, type ListSpec, type PageOf, readPage } from '../../db/list.ts'
import type { Db } from '../../db/open.ts'
import { prepared } from '../../db/prepared.ts'
import { accounts, invitations, letters, personalChanges, projects, records, users } from '../../db/schema.ts'
import { findMatches, firstText, isOneOf, matches, otherTexts } from '../../db/search.ts'
import { type AccountKind, type ProjectRole, projectRoleNames, type Role, roleName } from '../../policy.ts'
import { type RecordKind, recordFamilies, recordKinds } from '../../records/kinds.ts'
import type { Change } from '../../records/record.ts'
import { accountRenames, affectingRenames, nameAt, type Rename, userRenames } from '../names/data.ts'

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
    who: ({ actor }) => actor?.name ?? null,
    'who is now': ({ actor }) => actor && (actor.now ?? actor.name),
    side: ({ side }) => side && sideNames[side],
    from: ({ from }) => from?.name ?? null,
    what: ({ words }) => words,
    on: ({ on }) => on.map(({ name }) => name).join(', '),
    account: ({ account }) => account?.name ?? null,
    change: ({ change }) =>
      change.map(({ field, before, after }) => `${field}: ${before ?? '–'} → ${after ?? '–'}`).join('; '),
    'ip address': ({ ip }) => ip,
  },
  filters: { person: 'text', family: recordFamilies, from: 'day', until: 'day' },
} as const satisfies ListSpec<RecordRow>

/** Whose people somebody acted for in another’s account: read from the record, never from a name. */
const sideNames = { support: 'Support', partner: 'Partner' } as const
type Side = keyof typeof sideNames

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
  return isOfAccount(scope) ? ownNames.filter(({ table }) => table !== 'accounts') : ownNames
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
    // Who renamed another account is that account's own, and not shown.
    const seen =
      isOfAccount(scope) && column === records.actorId
        ? or(isNull(records.accountId), eq(records.accountId, scope.accountId))
        : undefined
    const ids = findMatches(db, table, text, q)
    if (ids) rare.push(sql`select records.id from records where ${and(isOneOf(column, ids), seen)}`)
    else
      frequent.push(
        sql`(exists (select 1 from ${sql.identifier(table)} where ${id} = ${column} and ${matches(db, table, id, text, q) ?? sql`true`}) and ${seen ?? sql`true`})`,
      )
  }
  return or(rare.length > 0 ? sql`${records.id} in (${sql.join(rare, sql` union all `)})` : undefined, ...frequent)
}

function isOfAccount(scope: Scope): scope is { accountId: number } {
  return typeof scope === 'object' && 'accountId' in scope
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

/** What stands for a change that cannot be read any more. */
const unreadable: Change = { details: [null, 'cannot be read'] }

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
  const { recordIds, partnerId } = isOfAccount(scope)
    ? affectingRenames(db, scope.accountId)
    : { recordIds: [], partnerId: undefined }
  const common = {
    narrowed: narrowed(db, scope, query),
    seen: (rows: RawRecord[]) => inFull(db, scope, partnerId, rows),
  }
  if (recordIds.length === 0)
    return readPage(db, recordList, query, {
      ...common,
      shape,
      values,
      rows: (page) => selectRecords(db, { ...page, where: and(own, page.where) }),
      counted: ({ where, limit }) => db.select({ one: records.id }).from(records).where(and(own, where)).limit(limit),
    })
  const renames = (where: SQL | undefined) =>
    db
      .select({ id: records.id })
      .from(records)
      .where(and(isOneOf(records.id, sql.placeholder('renames')), where))
  const ofOwn = ({ where, limit }: Pick<PageOf, 'where' | 'limit'>) =>
    db.select({ id: records.id }).from(records).where(and(own, where)).limit(limit)
  return readPage(db, recordList, query, {
    ...common,
    shape: `${shape} with renames`,
    values: { ...values, renames: JSON.stringify(recordIds) },
    // A page of the account’s own records and the few renames are read by their ids, which SQLite does in their order.
    rows: (page) =>
      selectRecords(db, {
        ...page,
        where: sql`${records.id} in (select id from ${ofOwn(page).orderBy(...page.orderBy)} union all select id from ${renames(page.where)})`,
      }),
    counted: (page) =>
      sql`(select id from ${ofOwn(page)} union all select id from ${renames(page.where)} limit ${page.limit})`,
  })
}

type RawRecord = ReturnType<ReturnType<typeof selectRecords>['all']>[number]

function selectRecords(db: Db, { where, orderBy, limit }: PageOf) {
  return db
    .select({
      id: records.id,
      at: records.at,
      kind: records.kind,
      bySupport: records.bySupport,
      actor: actor.name,
      actorIsOperator: actor.operator,
      actorAccount: {
        id: actorAccount.id,
        name: actorAccount.name,
        identifier: actorAccount.identifier,
        version: actorAccount.version,
      },
      accountId: records.accountId,
      account: {
        id: accounts.id,
        name: accounts.name,
        identifier: accounts.identifier,
        version: accounts.version,
        partnerId: accounts.partnerId,
      },
      accountKind: accounts.kind,
      subject: subject.name,
      subjectId: records.userId,
      actorId: records.actorId,
      project: { id: projects.id, name: projects.name, identifier: projects.identifier, version: projects.version },
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

/** Records with what they tell of in words, and with names as they were then and are now. */
function inFull(db: Db, scope: Scope, partnerId: number | undefined, rows: RawRecord[]) {
  const personal = listPersonalChanges(
    db,
    rows.map(({ id }) => id),
  )
  const renames = renamesOf(db, rows)
  const personAt = (id: number | null, name: string | null, recordId: number) =>
    id === null || name === null ? null : nameAt(name, recordId, renames.users.get(id))
  /** What was purged has lost its name, and what a partner’s customer that has left is called is not the partner’s: the identifier stands for it. */
  const placeAt = (row: Place | null, own: boolean, recordId: number, of: Map<number, Rename[]>) =>
    row && (own && row.name ? nameAt(row.name, recordId, of.get(row.id)) : { name: row.identifier, now: null })

  return rows.map((row) => {
    const { id, kind, subjectId, actorId } = row
    const own = !isFromPartner(scope) || row.account?.partnerId === scope.fromAccountId
    const account = placeAt(row.account, own, id, renames.accounts)
    const ofOthers = isOfAccount(scope) && row.accountId !== scope.accountId
    const elsewhere = ofOthers && row.accountId !== null
    const side = sideOf(scope, partnerId, row)
    return {
      id,
      at: row.at,
      bySupport: row.bySupport,
      words: recordKinds[kind as RecordKind] ?? kind,
      // Who renamed another’s account, and from where any rename was made, is that account’s and person’s own.
      actor: elsewhere ? null : personAt(actorId, row.actor, id),
      ip: ofOthers ? null : row.ip,
      /** The record of another account or of a person alone, which affects this history. */
      ofOthers,
      side,
      from: elsewhere || showsFrom(scope, side, row) ? placeAt(row.actorAccount, true, id, renames.accounts) : null,
      /** The account itself, or that of the partner whose history it is: a page need not say so. */
      fromOwn: isFromPartner(scope) || (!elsewhere && row.actorAccount?.id === row.accountId),
      account,
      change: [
        ...Object.entries(readJson<Change>(row.change, unreadable)).map(([field, [before, after]]) => ({
          field,
          before: inWords(field, row, before),
          after: inWords(field, row, after),
        })),
        ...personal.filter(({ recordId }) => recordId === id),
      ],
      // Whom or what it was done to, unless somebody did it to themselves.
      on: [
        elsewhere ? account : null,
        subjectId === actorId ? null : personAt(subjectId, row.subject, id),
        placeAt(row.project, own, id, renames.projects),
        ...[row.invited, row.letter, row.letterTo].map((name) => (name === null ? null : { name, now: null })),
      ].filter((named) => named !== null),
    }
  })
}

type Place = { id: number; name: string; identifier: string }

/** Which account somebody acted from is told where it is the account itself or its partner; Support sees all. */
function showsFrom(scope: Scope, side: Side | null, { actorAccount, accountId, bySupport }: RawRecord): boolean {
  return !bySupport && (side === 'partner' || scope === 'all' || isFromPartner(scope) || actorAccount?.id === accountId)
}

/** The renames of everybody and everything that these records name. */
function renamesOf(db: Db, rows: RawRecord[]) {
  const renamed = rows.flatMap(({ account, actorAccount, project, accountId }) => [
    ...[account, actorAccount].flatMap((one) => (one && one.version > 1 ? [one.id] : [])),
    ...(project && project.version > 1 && accountId !== null ? [accountId] : []),
  ])
  const people = rows.flatMap(({ actorId, subjectId }) => [actorId, subjectId].filter((id) => id !== null))
  return { users: userRenames(db, people), ...accountRenames(db, renamed) }
}

/** What people do to their own membership they do as themselves, but for what only a partner’s people can do. */
const partnersOwn = ['member.added-self', 'member.removed-self']

/** Whether somebody acted as Support, or from the partner’s account: by the record’s columns, whatever they are called. */
function sideOf(scope: Scope, partnerId: number | undefined, row: RawRecord): Side | null {
  if (row.bySupport) return 'support'
  const { kind, actorAccount, accountId, actorId, subjectId } = row
  if (isOfAccount(scope) && accountId === null) {
    if (row.actorIsOperator) return 'support'
    return actorAccount && actorAccount.id === partnerId ? 'partner' : null
  }
  if (isOfAccount(scope) && accountId !== scope.accountId) return 'partner'
  if (isFromPartner(scope) || !actorAccount || accountId === null || actorAccount.id === accountId) return null
  return actorId === subjectId && !partnersOwn.includes(kind) ? null : 'partner'
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
