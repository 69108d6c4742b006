import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId } from '../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, type PageOf, readPage } from '../../db/list.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared } from '../../db/prepared.ts'
import { accounts, apiTokens, invitations, letters, memberships, projects, records, users } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'
import { recordFamilies } from '../../records/kinds.ts'
import { affectingRenames } from '../names/data.ts'
import { isOfAccount, isOfPartner, ofScope, type Scope } from './scope.ts'
import { narrowed } from './search.ts'
import { inFull } from './words.ts'

type RecordRow = ReturnType<typeof inFull>[number]

export const recordList = {
  name: 'history',
  id: records.id,
  idOf: (record) => record.id,
  sorts: { newest: { words: 'Newest first', column: records.id, order: 'desc', value: (record) => record.id } },
  columns: {
    when: { file: ({ at }) => isoTime(at) },
    who: { file: ({ actor }) => actor?.name ?? null },
    'who is now': { file: ({ actor }) => actor && (actor.now ?? actor.name) },
    side: { file: ({ side }) => side && sideNames[side] },
    from: { file: ({ from }) => from?.name ?? null },
    what: { file: ({ words }) => words },
    on: { file: ({ on }) => on.map(({ name }) => name).join(', ') },
    account: { file: ({ account }) => account?.name ?? null },
    change: {
      file: ({ change }) =>
        change.map(({ field, before, after }) => `${field}: ${before ?? '–'} → ${after ?? '–'}`).join('; '),
    },
    'ip address': { file: ({ ip }) => ip },
    'api token': { file: ({ token }) => token },
  },
  filters: { person: 'text', family: recordFamilies, from: 'day', until: 'day' },
} as const satisfies ListSpec<RecordRow>

/** Whose people somebody acted for in another’s account: read from the record, never from a name. */
const sideNames = { support: 'Support', partner: 'Partner' } as const
export type Side = keyof typeof sideNames

export type RecordFilter = keyof typeof recordList.filters

const actor = alias(users, 'actor')
const subject = alias(users, 'subject')
const actorIn = alias(memberships, 'actor_in')
const subjectIn = alias(memberships, 'subject_in')
const actorAccount = alias(accounts, 'actor_account')

/** The newest first. */
export function listRecords(db: Db, scope: Scope, query: ListQuery<RecordFilter>): List<RecordRow> {
  const { shape, own, values } = ofScope(scope)
  const { recordIds, partnerId } = isOfAccount(scope) ? renamesIn(db, scope) : { recordIds: [], partnerId: undefined }
  const { found, few } = narrowed(db, scope, query)
  const common = {
    narrowed: found,
    seen: (rows: RawRecord[]) => inFull(db, scope, partnerId, rows),
  }
  if (recordIds.length === 0)
    return readPage(db, recordList, query, {
      ...common,
      shape,
      values,
      among: few ? undefined : { table: records, own },
      rows: (page) => selectRecords(db, { ...page, where: and(own, page.where) }),
      counted: ({ where, limit }) => db.select({ one: records.id }).from(records).where(and(own, where)).limit(limit),
    })
  const ofRenames = { ...values, renames: JSON.stringify(recordIds) }
  const renames = (where: SQL | undefined) =>
    db
      .select({ id: records.id })
      .from(records)
      .where(and(isOneOf(records.id, placeholdersOf(ofRenames).renames), where))
  const ofOwn = ({ where, limit }: Pick<PageOf, 'where' | 'limit'>) =>
    db.select({ id: records.id }).from(records).where(and(own, where)).limit(limit)
  return readPage(db, recordList, query, {
    ...common,
    shape: `${shape} with renames`,
    values: ofRenames,
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

export type RawRecord = ReturnType<ReturnType<typeof selectRecords>['all']>[number]

function selectRecords(db: Db, { where, orderBy, limit }: PageOf) {
  return db
    .select({
      id: records.id,
      at: records.at,
      kind: records.kind,
      bySupport: records.bySupport,
      actor: actor.name,
      actorIsOperator: actor.operator,
      actorIsService: actor.service,
      actorDeletedAt: actor.deletedAt,
      /** Of who is a user of the account now: null where they are none. */
      actorFromPartner: actorIn.fromPartner,
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
        deletedAt: accounts.deletedAt,
      },
      accountKind: accounts.kind,
      subject: subject.name,
      subjectIsService: subject.service,
      subjectDeletedAt: subject.deletedAt,
      subjectFromPartner: subjectIn.fromPartner,
      subjectId: records.userId,
      actorId: records.actorId,
      project: {
        id: projects.id,
        name: projects.name,
        identifier: projects.identifier,
        version: projects.version,
        deletedAt: projects.deletedAt,
      },
      invited: invitations.email,
      letter: letters.subject,
      letterTo: letters.email,
      change: records.change,
      ip: records.ip,
      tokenId: records.tokenId,
      tokenEnd: apiTokens.lastFour,
    })
    .from(records)
    .leftJoin(actor, eq(actor.id, records.actorId))
    .leftJoin(actorAccount, eq(actorAccount.id, records.actorAccountId))
    .leftJoin(accounts, eq(accounts.id, records.accountId))
    .leftJoin(subject, eq(subject.id, records.userId))
    .leftJoin(actorIn, and(eq(actorIn.accountId, records.accountId), eq(actorIn.userId, records.actorId)))
    .leftJoin(subjectIn, and(eq(subjectIn.accountId, records.accountId), eq(subjectIn.userId, records.userId)))
    .leftJoin(projects, eq(projects.id, records.projectId))
    .leftJoin(invitations, eq(invitations.id, records.invitationId))
    .leftJoin(letters, eq(letters.id, records.letterId))
    .leftJoin(apiTokens, eq(apiTokens.id, records.tokenId))
    .where(where)
    .orderBy(...orderBy)
    .limit(limit)
}

/** What was renamed elsewhere and so shows in an account’s history. */
function renamesIn(db: Db, scope: Scope & { accountId: AccountId }) {
  const { recordIds, partnerId } = affectingRenames(db, scope.accountId)
  return { recordIds: recordIds.filter((id) => !isOfPartner(scope) || id >= scope.since), partnerId }
}

const lastMove = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ id: records.id, at: records.at })
    .from(records)
    .where(and(equals(records.accountId, accountId), sql`kind = 'account.moved'`))
    .orderBy(desc(records.id))
    .limit(1)
    .prepare(),
)

/** The number of the first record of a customer that is also its present partner’s to see. */
export const firstOfTie = (db: Db, accountId: AccountId) => (lastMove(db).get({ accountId })?.id ?? 0) + 1

/** When a customer came to its present partner; 0 where it never was another's. */
export const tiedSince = (db: Db, accountId: AccountId) => lastMove(db).get({ accountId })?.at ?? 0

/** The history of a customer as its present partner sees it: what was before the tie is not the partner’s. */
export function sinceTie(db: Db, accountId: AccountId): Scope {
  return { accountId, since: firstOfTie(db, accountId) }
}
