import { and, asc, count, eq, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { isLookedAfterBy } from '../../../accounts/data/caretaker.ts'
import type { AccountId } from '../../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, type PageOf, readPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared } from '../../../db/prepared.ts'
import {
  accounts,
  openQuotaRequest,
  projects,
  quotaRequestAmounts,
  quotaRequests,
  resources,
  users,
} from '../../../db/schema.ts'
import { isOneOf, matches } from '../../../db/search.ts'
import { tiedSince } from '../../../history/data/records.ts'
import type { Resource } from '../../resources/data.ts'

// A customer asks for more than its limits are, for the account or for one of its projects. Its partner decides,
// or Support in its place (accounts/data/caretaker.ts).
// Asking for more never gives less: what has no limit cannot be asked for and gets none, and no limit ends up lower
// than it was, or lower than what is allocated.

export type AskedAmount = { resource: Resource; asked: number; granted: number | null }
export type QuotaRequest = typeof quotaRequests.$inferSelect & {
  account: string
  identifier: string
  /** The customer's partner, whether or not it can decide now. */
  partner: string | null
  requester: string
  requesterEmail: string
  /** A service user asks. */
  byProgram: boolean
  project: string | null
  projectIdentifier: string | null
  /** Who ended it, where a person did. */
  decider: string | null
  amounts: AskedAmount[]
}

const requester = alias(users, 'requester')
const decider = alias(users, 'decider')
const partner = alias(accounts, 'partner')

function selectRequests(
  db: Db,
  { where, orderBy, limit }: Pick<PageOf, 'where' | 'orderBy'> & { limit: PageOf['limit'] | 1 },
) {
  return db
    .select({
      request: quotaRequests,
      account: accounts.name,
      identifier: accounts.identifier,
      partner: partner.name,
      requester: requester.name,
      requesterEmail: requester.email,
      byProgram: requester.service,
      project: projects.name,
      projectIdentifier: projects.identifier,
      decider: decider.name,
    })
    .from(quotaRequests)
    .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
    .innerJoin(requester, eq(requester.id, quotaRequests.requestedBy))
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .leftJoin(projects, eq(projects.id, quotaRequests.projectId))
    .leftJoin(decider, eq(decider.id, quotaRequests.endedBy))
    .where(where)
    .orderBy(...orderBy)
    .limit(limit)
}

const amountsOfRequests = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
  db
    .select({ amount: quotaRequestAmounts, resource: resources })
    .from(quotaRequestAmounts)
    .innerJoin(resources, eq(resources.id, quotaRequestAmounts.resourceId))
    .where(isOneOf(quotaRequestAmounts.requestId, ids))
    .orderBy(asc(resources.id))
    .prepare(),
)

function withAmounts(db: Db, rows: ReturnType<ReturnType<typeof selectRequests>['all']>): QuotaRequest[] {
  const amounts = amountsOfRequests(db).all({ ids: JSON.stringify(rows.map(({ request }) => request.id)) })
  return rows.map(({ request, ...names }) => ({
    ...request,
    ...names,
    amounts: amounts
      .filter(({ amount }) => amount.requestId === request.id)
      .map(({ amount, resource }) => ({ resource, asked: amount.asked, granted: amount.granted })),
  }))
}

export function findOne(db: Db, where: SQL | undefined): QuotaRequest | undefined {
  return withAmounts(db, selectRequests(db, { where, orderBy: [asc(quotaRequests.id)], limit: 1 }).all())[0]
}

export function findOpenRequest(db: Db, accountId: AccountId): QuotaRequest | undefined {
  return findOne(db, and(eq(quotaRequests.accountId, accountId), openQuotaRequest))
}

/** An account's own request, in any state. */
export function findRequest(db: Db, accountId: AccountId, id: number): QuotaRequest | undefined {
  return findOne(db, and(eq(quotaRequests.accountId, accountId), eq(quotaRequests.id, id)))
}

/**
 * A request of one of the accounts that this partner looks after now (null: Support), in any state. What ended before an account
 * came to a partner is not that partner's to see.
 */
export function findCustomerRequest(db: Db, partnerId: AccountId | null, id: number): QuotaRequest | undefined {
  const request = findOne(db, and(eq(quotaRequests.id, id), isLookedAfterBy(partnerId)))
  const isOfEarlier =
    partnerId !== null && request?.endedAt != null && request.endedAt <= tiedSince(db, request.accountId)
  return isOfEarlier ? undefined : request
}

const wordsOfAmounts = ({ amounts }: QuotaRequest) =>
  amounts.map(({ resource, asked }) => `${resource.key}: ${asked}`).join(', ')

/** The open requests of many accounts. */
export const openRequestList = {
  name: 'quota-requests',
  id: quotaRequests.id,
  idOf: (request) => request.id,
  sorts: {
    asked: { words: 'Oldest first', column: quotaRequests.id, order: 'asc', value: (request) => request.id },
  },
  columns: {
    account: { file: ({ account }) => account },
    identifier: { file: ({ identifier }) => identifier },
    project: { file: ({ projectIdentifier }) => projectIdentifier },
    'asked for': { file: wordsOfAmounts },
    reason: { file: ({ reason }) => reason },
    'asked by': { file: ({ requester }) => requester },
    asked: { file: ({ createdAt }) => isoTime(createdAt) },
  },
  filters: {},
} as const satisfies ListSpec<QuotaRequest>

/** The open ones have an index of their own: SQLite reads those few, whatever number has ended. */
const isOpen = sql`${quotaRequests.id} in (select waiting.id from quota_requests as waiting where waiting.state = 'open')`

/** The open requests that this partner (null: Support) decides now. */
export function listOpenRequests(db: Db, partnerId: AccountId | null, query: ListQuery): List<QuotaRequest> {
  const values = partnerId === null ? {} : { partnerId }
  const condition = and(isOpen, isLookedAfterBy(placeholdersOf(values).partnerId ?? null))
  return readPage(db, openRequestList, query, {
    shape: partnerId === null ? 'support' : 'partner',
    values,
    narrowed: matches(db, { table: 'accounts', id: quotaRequests.accountId, text: accounts.search }, query.q),
    rows: ({ where, orderBy, limit }) => selectRequests(db, { where: and(condition, where), orderBy, limit }),
    counted: ({ where, limit }) =>
      db
        .select({ one: quotaRequests.id })
        .from(quotaRequests)
        .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
        .where(and(condition, where))
        .limit(limit),
    seen: (rows) => withAmounts(db, rows),
  })
}

/** The requests of one account: an open one is always the newest. */
export const ownRequestList = {
  name: 'own-requests',
  id: quotaRequests.id,
  idOf: (request) => request.id,
  sorts: {
    asked: { words: 'Newest first', column: quotaRequests.id, order: 'desc', value: (request) => request.id },
  },
  columns: {
    asked: { file: ({ createdAt }) => isoTime(createdAt) },
    'asked by': { file: ({ requester }) => requester },
    project: { file: ({ projectIdentifier }) => projectIdentifier },
    'asked for': { file: wordsOfAmounts },
    state: { file: ({ state }) => state },
    ended: { file: ({ endedAt }) => isoTime(endedAt) },
    note: { file: ({ comment }) => comment },
  },
  filters: {},
} as const satisfies ListSpec<QuotaRequest>

export function listRequestsOf(db: Db, accountId: AccountId, query: ListQuery): List<QuotaRequest> {
  const values = { accountId }
  const condition = equals(quotaRequests.accountId, placeholdersOf(values).accountId)
  return readPage(db, ownRequestList, query, {
    values,
    narrowed: undefined,
    rows: ({ where, orderBy, limit }) => selectRequests(db, { where: and(condition, where), orderBy, limit }),
    counted: ({ where, limit }) =>
      db.select({ one: quotaRequests.id }).from(quotaRequests).where(and(condition, where)).limit(limit),
    seen: (rows) => withAmounts(db, rows),
  })
}

export function countOpenRequests(db: Db, partnerId: AccountId | null): number {
  return (
    db
      .select({ n: count() })
      .from(quotaRequests)
      .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
      .where(and(isOpen, isLookedAfterBy(partnerId)))
      .get()?.n ?? 0
  )
}
