import { and, asc, between, count, eq, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { listAdmins } from '../../../accounts/members/data.ts'
import { sideOf } from '../../../accounts/notices/data.ts'
import { isoTime, type List, type ListQuery, type ListSpec, type PageOf, readPage } from '../../../db/list.ts'
import { allOrNothing, type Db, write } from '../../../db/open.ts'
import { prepared } from '../../../db/prepared.ts'
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
import { type Letter, type Post, withdrawLettersOfAct } from '../../../mail/outbox.ts'
import { caretakerOf, isLookedAfterBy } from '../../../partners/partnership/caretaker.ts'
import { type Actor, type Change, type Person, record } from '../../../records/record.ts'
import {
  changeLimits,
  findQuotas,
  type Holder,
  NotEnough,
  type Quota,
  type Shortage,
  type Step,
  taken,
} from '../../data/limits.ts'
import type { Resource } from '../../resources/data.ts'

// A customer asks for more than its limits are, for the account or for one of its projects. Whoever looks after
// the account now decides: its partner, or Support (partners/partnership/caretaker.ts).
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
  project: string | null
  projectIdentifier: string | null
  /** Who ended it, where a person did. */
  decider: string | null
  amounts: AskedAmount[]
}

/** Amounts that would give nothing more, or less than is allocated: how each of them stands now, by resource. */
export type NotMore = Map<number, Pick<Step, 'limit' | 'given'>>

/** What a new request is refused for, by the id of its resource; or as a whole. */
export type Asked = QuotaRequest | 'open-already' | 'too-many' | NotMore
export type Approved = 'approved' | 'ended' | { shortages: Shortage[] } | { notMore: NotMore }

export type Tell = { post: Post; publicUrl: string; supportEmail: string | undefined; panelName: string }

const day = 24 * 3_600_000
/** ASVS 2.4: a request writes letters, so that an account makes so many a day. */
const mostADay = 10
/** Per customer. */
const automaticEvery = 30 * day
/** So many admins of a partner get the letter. */
const mostLetters = 20

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

const amountsOfRequests = prepared((db) =>
  db
    .select({ amount: quotaRequestAmounts, resource: resources })
    .from(quotaRequestAmounts)
    .innerJoin(resources, eq(resources.id, quotaRequestAmounts.resourceId))
    .where(isOneOf(quotaRequestAmounts.requestId, sql.placeholder('ids')))
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

function findOne(db: Db, where: SQL | undefined): QuotaRequest | undefined {
  return withAmounts(db, selectRequests(db, { where, orderBy: [asc(quotaRequests.id)], limit: 1 }).all())[0]
}

export function findOpenRequest(db: Db, accountId: number): QuotaRequest | undefined {
  return findOne(db, and(eq(quotaRequests.accountId, accountId), openQuotaRequest))
}

/** An account's own request, however it stands. */
export function findRequest(db: Db, accountId: number, id: number): QuotaRequest | undefined {
  return findOne(db, and(eq(quotaRequests.accountId, accountId), eq(quotaRequests.id, id)))
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
    account: ({ account }) => account,
    identifier: ({ identifier }) => identifier,
    project: ({ projectIdentifier }) => projectIdentifier,
    'asked for': wordsOfAmounts,
    reason: ({ reason }) => reason,
    'asked by': ({ requester }) => requester,
    asked: ({ createdAt }) => isoTime(createdAt),
  },
  filters: {},
} as const satisfies ListSpec<QuotaRequest>

/** The open ones have an index of their own: SQLite reads those few, whatever number has ended. */
const isOpen = sql`${quotaRequests.id} in (select waiting.id from quota_requests as waiting where waiting.state = 'open')`

/** The open requests that this partner (null: Support) decides now. */
export function listOpenRequests(db: Db, partnerId: number | null, query: ListQuery): List<QuotaRequest> {
  const own = and(isOpen, isLookedAfterBy(partnerId === null ? null : sql.placeholder('partnerId')))
  return readPage(db, openRequestList, query, {
    shape: partnerId === null ? 'support' : 'partner',
    values: partnerId === null ? {} : { partnerId },
    narrowed: matches(db, 'accounts', quotaRequests.accountId, accounts.search, query.q),
    rows: ({ where, orderBy, limit }) => selectRequests(db, { where: and(own, where), orderBy, limit }),
    counted: ({ where, limit }) =>
      db
        .select({ one: quotaRequests.id })
        .from(quotaRequests)
        .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
        .where(and(own, where))
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
    asked: ({ createdAt }) => isoTime(createdAt),
    'asked by': ({ requester }) => requester,
    project: ({ projectIdentifier }) => projectIdentifier,
    'asked for': wordsOfAmounts,
    state: ({ state }) => state,
    ended: ({ endedAt }) => isoTime(endedAt),
    note: ({ comment }) => comment,
  },
  filters: {},
} as const satisfies ListSpec<QuotaRequest>

export function listRequestsOf(db: Db, accountId: number, query: ListQuery): List<QuotaRequest> {
  const own = eq(quotaRequests.accountId, sql.placeholder('accountId'))
  return readPage(db, ownRequestList, query, {
    values: { accountId },
    narrowed: undefined,
    rows: ({ where, orderBy, limit }) => selectRequests(db, { where: and(own, where), orderBy, limit }),
    counted: ({ where, limit }) =>
      db.select({ one: quotaRequests.id }).from(quotaRequests).where(and(own, where)).limit(limit),
    seen: (rows) => withAmounts(db, rows),
  })
}

export function countOpenRequests(db: Db, partnerId: number | null): number {
  return (
    db
      .select({ n: count() })
      .from(quotaRequests)
      .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
      .where(and(isOpen, isLookedAfterBy(partnerId)))
      .get()?.n ?? 0
  )
}

/**
 * Asks for more. Amounts are the wished new limits: above the present one, and at least what is allocated; what
 * has no limit has none to raise. It is approved at once where the partner's rule allows it and the pool has enough.
 */
export function askForMore(
  db: Db,
  actor: Person,
  accountId: number,
  { projectId, amounts, reason }: { projectId: number | null; amounts: Map<number, number>; reason: string },
  tell: Tell,
): Asked | undefined {
  return write(db, actor, (tx) => {
    const holder = holderOf(accountId, projectId)
    const quotas = findQuotas(tx, holder)?.quotas
    if (!quotas) return undefined
    const wrong: NotMore = new Map(
      quotas.flatMap(({ resource, own }) => {
        const asked = amounts.get(resource.id)
        return asked === undefined || raises(own, asked) ? [] : [[resource.id, own]]
      }),
    )
    if (wrong.size > 0) return wrong
    if (findOpenRequest(tx, accountId)) return 'open-already'
    const today = and(
      eq(quotaRequests.accountId, accountId),
      between(quotaRequests.createdAt, actor.at - day, actor.at),
    )
    if ((tx.select({ n: count() }).from(quotaRequests).where(today).get()?.n ?? 0) >= mostADay) return 'too-many'

    const [created] = tx
      .insert(quotaRequests)
      .values({ accountId, projectId, requestedBy: actor.userId, reason, createdAt: actor.at })
      .returning()
      .all()
    if (!created) throw new Error('The request was not written.')
    const change: Change = {}
    for (const { resource, own } of quotas) {
      const asked = amounts.get(resource.id)
      if (asked === undefined) continue
      tx.insert(quotaRequestAmounts).values({ requestId: created.id, resourceId: resource.id, asked }).run()
      change[resource.key] = [own.limit, asked]
    }
    record(tx, actor, {
      kind: 'limit.requested',
      accountId,
      ...(projectId === null ? {} : { projectId }),
      change: { ...change, reason: [null, reason] },
    })
    const request = findOpenRequest(tx, accountId)
    if (!request) throw new Error('The request is not there.')
    const automatic = approveAutomatically(tx, actor, request, quotas, tell)
    tellDeciders(tx, actor.at, request, quotas, automatic, tell)
    return automatic ? { ...request, state: 'approved', automatic } : request
  })
}

/** A higher limit that holds what is allocated already. What has no limit gets none. */
function raises({ limit, given }: Step, amount: number): boolean {
  return limit !== null && amount > limit && amount >= given
}

function holderOf(accountId: number, projectId: number | null): Holder {
  return projectId === null ? { level: 'account', accountId } : { level: 'project', accountId, projectId }
}

/**
 * Up to the partner's share of the present limit, also of the account's where a project raises that; once in 30 days,
 * only where the pool has enough, and only while the partner can act.
 */
function approveAutomatically(tx: Db, actor: Actor, request: QuotaRequest, quotas: Quota[], tell: Tell): boolean {
  const { accountId } = request
  const caretaker = caretakerOf(tx, { id: accountId })
  const share = caretaker && findAutomaticShare(tx, caretaker.id)
  if (!share) return false
  const amounts = new Map(request.amounts.map(({ resource, asked }) => [resource.id, asked]))
  const small = (amount: number, limit: number | null | undefined) =>
    amount - (limit ?? 0) <= ((limit ?? 0) * share) / 100
  const raised = raisesOfAccount(quotas, amounts)
  const within = quotas.every(({ resource, own, above }) => {
    const [amount, ofAccount] = [amounts.get(resource.id), raised.get(resource.id)]
    const account = above.find(({ level }) => level === 'account')
    return (
      (amount === undefined || small(amount, own.limit)) &&
      (ofAccount === undefined || small(ofAccount, account?.limit))
    )
  })
  const earlier = tx
    .select({ id: quotaRequests.id })
    .from(quotaRequests)
    .where(
      and(
        eq(quotaRequests.accountId, accountId),
        eq(quotaRequests.automatic, true),
        between(quotaRequests.endedAt, actor.at - automaticEvery, actor.at),
      ),
    )
    .get()
  if (!within || earlier) return false
  const byRule: Actor = { ...actor, userId: null, accountId: caretaker.id }
  try {
    // Where the pool has not enough, the request stays open.
    allOrNothing(tx, (inner) => grant(inner, byRule, request, amounts, { comment: '', automatic: true }, tell))
    return true
  } catch (error) {
    if (error instanceof NotEnough) return false
    throw error
  }
}

/** A partner's rule: up to which share of the present limit, in per cent, a request is approved by itself. */
export function findAutomaticShare(db: Db, partnerId: number): number | null {
  return (
    db.select({ share: accounts.automaticShare }).from(accounts).where(eq(accounts.id, partnerId)).get()?.share ?? null
  )
}

/** Null switches it off. False when it is so already. */
export function setAutomaticShare(db: Db, actor: Actor, partnerId: number, share: number | null): boolean {
  return write(db, actor, (tx) => {
    const before = findAutomaticShare(tx, partnerId)
    if (before === share) return false
    tx.update(accounts).set({ automaticShare: share }).where(eq(accounts.id, partnerId)).run()
    record(tx, actor, { kind: 'limit.automatic-changed', accountId: partnerId, change: { share: [before, share] } })
    return true
  })
}

/** The open request of this number, if its account is looked after by this partner now (null: by Support). */
function findDecidable(db: Db, partnerId: number | null, accountId: number, id: number): QuotaRequest | undefined {
  const own = and(eq(quotaRequests.id, id), eq(quotaRequests.accountId, accountId))
  return findOne(db, and(own, openQuotaRequest, isLookedAfterBy(partnerId)))
}

/**
 * Approves a request with these amounts, by resource, and changes the limits in the same transaction. Each is
 * above the present limit and holds what is allocated, or is the present limit: then nothing is given of it. At
 * least one gives more. A resource that has lost its limit is left out.
 */
export function approveRequest(
  db: Db,
  actor: Person,
  { partnerId, accountId, id }: { partnerId: number | null; accountId: number; id: number },
  { amounts, comment }: { amounts: Map<number, number>; comment: string },
  tell: Tell,
): Approved {
  try {
    return write(db, actor, (tx) => {
      const request = findDecidable(tx, partnerId, accountId, id)
      if (!request) return 'ended'
      const quotas = findQuotas(tx, holderOf(accountId, request.projectId))?.quotas ?? []
      const decided = quotas.flatMap(({ resource, own }) => {
        const amount = amounts.get(resource.id)
        const asked = request.amounts.some(({ resource: { id } }) => id === resource.id)
        return asked && amount !== undefined ? [{ id: resource.id, own, amount }] : []
      })
      const wrong = decided.filter(
        ({ own, amount }) => own.limit === null || (amount !== own.limit && !raises(own, amount)),
      )
      if (wrong.length > 0 || !decided.some(({ own, amount }) => raises(own, amount)))
        return { notMore: new Map((wrong.length > 0 ? wrong : decided).map(({ id, own }) => [id, own])) }
      grant(
        tx,
        actor,
        request,
        new Map(decided.map(({ id, amount }) => [id, amount])),
        { comment, automatic: false },
        tell,
      )
      return 'approved'
    })
  } catch (error) {
    if (error instanceof NotEnough) return { shortages: error.shortages }
    throw error
  }
}

/** Changes the limits, ends the request and writes to whoever made it. Throws NotEnough. */
function grant(
  tx: Db,
  actor: Actor,
  request: QuotaRequest,
  amounts: Map<number, number>,
  { comment, automatic }: { comment: string; automatic: boolean },
  tell: Tell,
): void {
  const { id, accountId, projectId } = request
  const remark = comment || request.reason
  const holder = holderOf(accountId, projectId)
  const raised = raisesOfAccount(findQuotas(tx, holder)?.quotas ?? [], amounts)
  changeLimits(tx, actor, { level: 'account', accountId }, raised, remark)
  changeLimits(tx, actor, holder, amounts, remark)
  for (const [resourceId, granted] of amounts)
    tx.update(quotaRequestAmounts)
      .set({ granted })
      .where(and(eq(quotaRequestAmounts.requestId, id), eq(quotaRequestAmounts.resourceId, resourceId)))
      .run()
  end(tx, actor, request, { state: 'approved', comment, automatic }, 'limit.approved', grantedChange(request, amounts))
  tellRequester(tx, actor, { ...request, state: 'approved', comment, automatic }, amounts, tell)
}

/** What a project gets beyond what its account has left, the account gets too. Of an account's own quotas: nothing. */
function raisesOfAccount(quotas: Quota[], amounts: Map<number, number>): Map<number, number> {
  return new Map(
    quotas.flatMap(({ resource, own, above }) => {
      const account = above.find(({ level }) => level === 'account')
      const amount = amounts.get(resource.id)
      if (amount === undefined || !account || account.limit === null) return []
      const needed = account.given + amount - taken(own.limit, own.given)
      return needed > account.limit ? [[resource.id, needed]] : []
    }),
  )
}

function grantedChange(request: QuotaRequest, amounts: Map<number, number>): Change {
  return Object.fromEntries(
    request.amounts.map(({ resource, asked }) => [resource.key, [asked, amounts.get(resource.id) ?? null]]),
  )
}

/** Declines a request with the reason that its people read. False when it has ended meanwhile. */
export function declineRequest(
  db: Db,
  actor: Person,
  { partnerId, accountId, id }: { partnerId: number | null; accountId: number; id: number },
  comment: string,
  tell: Tell,
): boolean {
  return write(db, actor, (tx) => {
    const request = findDecidable(tx, partnerId, accountId, id)
    if (!request) return false
    end(tx, actor, request, { state: 'declined', comment, automatic: false }, 'limit.declined', {
      comment: [null, comment],
    })
    tellRequester(tx, actor, { ...request, state: 'declined', comment }, new Map(), tell)
    return true
  })
}

/** Takes an account's request back. False when it has ended meanwhile. */
export function cancelRequest(db: Db, actor: Person, accountId: number, id: number): boolean {
  return write(db, actor, (tx) => {
    const request = findOpenRequest(tx, accountId)
    if (request?.id !== id) return false
    end(tx, actor, request, { state: 'cancelled', comment: '', automatic: false }, 'limit.cancelled')
    return true
  })
}

/** Ends an open request whose project or partner goes, with the reason. */
export function endRequestOf(tx: Db, actor: Actor, accountId: number, comment: string, projectId?: number): void {
  const request = findOpenRequest(tx, accountId)
  if (!request || (projectId !== undefined && request.projectId !== projectId)) return
  end(tx, actor, request, { state: 'cancelled', comment, automatic: false }, 'limit.cancelled', {
    comment: [null, comment],
  })
}

function end(
  tx: Db,
  actor: Actor,
  { id, accountId, projectId, createdAt }: QuotaRequest,
  outcome: Pick<QuotaRequest, 'state' | 'comment' | 'automatic'>,
  kind: 'limit.approved' | 'limit.declined' | 'limit.cancelled',
  change: Change = {},
): void {
  tx.update(quotaRequests)
    .set({ ...outcome, endedAt: actor.at, endedBy: actor.userId })
    .where(eq(quotaRequests.id, id))
    .run()
  withdrawLettersOfAct(tx, accountId, createdAt, 'the request has ended', actor.at)
  record(tx, actor, { kind, accountId, ...(projectId === null ? {} : { projectId }), change })
}

const unitOf = ({ name, unit }: Resource) => (unit ? `${name} (${unit})` : name)

/** Whoever decides reads that somebody asks, or that the rule has approved it already. */
function tellDeciders(
  tx: Db,
  at: number,
  request: QuotaRequest,
  quotas: Quota[],
  automatic: boolean,
  { post, publicUrl, supportEmail, panelName }: Tell,
): void {
  const caretaker = caretakerOf(tx, { id: request.accountId })
  const readers: Pick<Letter, 'name' | 'email' | 'reason'>[] = caretaker
    ? listAdmins(tx, caretaker.id, mostLetters).map(({ userId, name, email }) => ({
        name,
        email,
        reason: { because: 'admin', userId, readerOf: caretaker.id } as const,
      }))
    : [{ name: `${panelName} Support`, email: supportEmail ?? '', reason: { because: 'support' } as const }].filter(
        ({ email }) => email,
      )
  for (const reader of readers) {
    post(tx, at, {
      kind: 'quota-request',
      ...reader,
      accountId: request.accountId,
      names: [request.requestedBy],
      data: {
        requester: request.requester,
        requesterEmail: request.requesterEmail,
        account: request.account,
        project: request.project ?? '',
        reason: request.reason,
        automatic,
        lines: request.amounts.map(({ resource, asked }) => {
          const now = quotas.find((quota) => quota.resource.id === resource.id)?.own.limit
          return { name: unitOf(resource), now: String(now ?? 0), asked }
        }),
        link: caretaker
          ? `${publicUrl}/partner/customers/${request.identifier}/quotas?account=${caretaker.identifier}`
          : `${publicUrl}/support/accounts/${request.identifier}/quotas`,
      },
    })
  }
}

function tellRequester(
  tx: Db,
  actor: Actor,
  request: QuotaRequest,
  amounts: Map<number, number>,
  { post, publicUrl }: Tell,
): void {
  const user = tx.select().from(users).where(eq(users.id, request.requestedBy)).get()
  if (!user || user.disabledAt !== null) return
  const caretaker = actor.bySupport ? null : caretakerOf(tx, { id: request.accountId })
  // A rule decides for its partner, while the requester acts.
  const decider = request.automatic && caretaker ? { ...actor, accountId: caretaker.id } : actor
  const account = { id: request.accountId, name: request.account, partnerId: caretaker?.id ?? null }
  const person = actor.userId === null ? undefined : tx.select().from(users).where(eq(users.id, actor.userId)).get()
  post(tx, actor.at, {
    kind: 'quota-decision',
    accountId: request.accountId,
    name: user.name,
    email: user.email,
    reason: { because: 'member', userId: user.id, readerOf: request.accountId },
    names: [actor.userId],
    data: {
      account: request.account,
      project: request.project ?? '',
      approved: request.state === 'approved',
      automatic: request.automatic,
      person: person?.name ?? '',
      side: sideOf(tx, decider, account),
      comment: request.comment,
      lines: request.amounts.map(({ resource, asked }) => ({
        name: unitOf(resource),
        asked,
        granted: amounts.get(resource.id) ?? null,
      })),
      link: `${publicUrl}/customer/quotas?account=${request.identifier}`,
    },
  })
}
