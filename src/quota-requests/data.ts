import { and, asc, count, desc, eq, gt, inArray, isNull, type SQL } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { allOrNothing, type Db, write } from '../db/open.ts'
import {
  accounts,
  openQuotaRequest,
  projects,
  quotaRequestAmounts,
  quotaRequests,
  resources,
  users,
} from '../db/schema.ts'
import { type Actor, type Change, type Person, record } from '../history/record.ts'
import { type Letter, type Post, withdrawLettersOfAct } from '../mail/outbox.ts'
import { listAdmins } from '../members/data.ts'
import {
  type Amounts,
  changeLimits,
  findQuotas,
  type Holder,
  NotEnough,
  type Quota,
  type Shortage,
  taken,
} from '../quotas/data.ts'
import type { Resource } from '../resources/data.ts'

// A customer asks for more than its limits are, for the account or for one of its projects. The
// partner who looks after it decides; for an account without a partner, Support does.

export type AskedAmount = { resource: Resource; asked: number; granted: number | null }
export type QuotaRequest = typeof quotaRequests.$inferSelect & {
  account: string
  identifier: string
  requester: string
  requesterEmail: string
  project: string | null
  projectIdentifier: string | null
  /** Who ended it, where a person did. */
  decider: string | null
  amounts: AskedAmount[]
}

/** What a new request is refused for, by the id of its resource; or as a whole. */
export type Asked = QuotaRequest | 'open-already' | 'too-many' | Map<number, string>
export type Approved = 'approved' | 'ended' | { shortages: Shortage[] } | { tooLittle: Map<number, number> }

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

/** Looked after by this partner; null is Support, for the accounts without one. */
function lookedAfterBy(partnerId: number | null): SQL | undefined {
  return partnerId === null
    ? and(isNull(accounts.partnerId), isNull(accounts.deletedAt))
    : eq(accounts.partnerId, partnerId)
}

function listRequests(db: Db, where: SQL | undefined, order: SQL, limit: number): QuotaRequest[] {
  const rows = db
    .select({
      request: quotaRequests,
      account: accounts.name,
      identifier: accounts.identifier,
      requester: requester.name,
      requesterEmail: requester.email,
      project: projects.name,
      projectIdentifier: projects.identifier,
      decider: decider.name,
    })
    .from(quotaRequests)
    .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
    .innerJoin(requester, eq(requester.id, quotaRequests.requestedBy))
    .leftJoin(projects, eq(projects.id, quotaRequests.projectId))
    .leftJoin(decider, eq(decider.id, quotaRequests.endedBy))
    .where(where)
    .orderBy(order)
    .limit(limit)
    .all()
  const amounts = db
    .select({ amount: quotaRequestAmounts, resource: resources })
    .from(quotaRequestAmounts)
    .innerJoin(resources, eq(resources.id, quotaRequestAmounts.resourceId))
    .where(
      inArray(
        quotaRequestAmounts.requestId,
        rows.map(({ request }) => request.id),
      ),
    )
    .orderBy(asc(resources.id))
    .all()
  return rows.map(({ request, ...names }) => ({
    ...request,
    ...names,
    amounts: amounts
      .filter(({ amount }) => amount.requestId === request.id)
      .map(({ amount, resource }) => ({ resource, asked: amount.asked, granted: amount.granted })),
  }))
}

export function findOpenRequest(db: Db, accountId: number): QuotaRequest | undefined {
  const open = and(eq(quotaRequests.accountId, accountId), openQuotaRequest)
  return listRequests(db, open, asc(quotaRequests.id), 1)[0]
}

/** An account's own request, however it stands. */
export function findRequest(db: Db, accountId: number, id: number): QuotaRequest | undefined {
  const own = and(eq(quotaRequests.accountId, accountId), eq(quotaRequests.id, id))
  return listRequests(db, own, asc(quotaRequests.id), 1)[0]
}

/** The requests of an account, the last first: an open one is always the last. */
export function listRequestsOf(db: Db, accountId: number, limit: number): QuotaRequest[] {
  return listRequests(db, eq(quotaRequests.accountId, accountId), desc(quotaRequests.id), limit)
}

/** The open requests that this partner (null: Support) decides, the oldest first. */
export function listOpenRequests(db: Db, partnerId: number | null, limit: number): QuotaRequest[] {
  const open = and(openQuotaRequest, lookedAfterBy(partnerId))
  return listRequests(db, open, asc(quotaRequests.id), limit)
}

export function countOpenRequests(db: Db, partnerId: number | null): number {
  return (
    db
      .select({ n: count() })
      .from(quotaRequests)
      .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
      .where(and(openQuotaRequest, lookedAfterBy(partnerId)))
      .get()?.n ?? 0
  )
}

/**
 * Asks for more. Amounts are the wished new limits: more than the present one or, where there is none,
 * than what is given out. It is approved at once where the partner's rule allows it and the pool has enough.
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
    const wrong = new Map(
      quotas.flatMap(({ resource, own }) => {
        const asked = amounts.get(resource.id)
        const now = own.limit ?? own.given
        return asked !== undefined && asked <= now ? [[resource.id, notMore(own.limit, now)]] : []
      }),
    )
    if (wrong.size > 0) return wrong
    if (findOpenRequest(tx, accountId)) return 'open-already'
    const today = and(eq(quotaRequests.accountId, accountId), gt(quotaRequests.createdAt, actor.at - day))
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

const notMore = (limit: number | null, now: number) =>
  limit === null
    ? `${now} are given out already. Ask for more than that.`
    : `The limit is ${now} already. Ask for more than that.`

function holderOf(accountId: number, projectId: number | null): Holder {
  return projectId === null ? { level: 'account', accountId } : { level: 'project', accountId, projectId }
}

/** Up to the partner's share of the present limit, once in 30 days, and only where the pool has enough. */
function approveAutomatically(tx: Db, actor: Actor, request: QuotaRequest, quotas: Quota[], tell: Tell): boolean {
  const { accountId } = request
  const share = automaticShareOf(tx, accountId)
  if (share === null) return false
  const within = request.amounts.every(({ resource, asked }) => {
    const limit = quotas.find((quota) => quota.resource.id === resource.id)?.own.limit ?? 0
    return asked - limit <= (limit * share) / 100
  })
  const earlier = tx
    .select({ id: quotaRequests.id })
    .from(quotaRequests)
    .where(
      and(
        eq(quotaRequests.accountId, accountId),
        eq(quotaRequests.automatic, true),
        gt(quotaRequests.endedAt, actor.at - automaticEvery),
      ),
    )
    .get()
  if (!within || earlier) return false
  const byRule: Actor = { ...actor, userId: null, accountId: partnerOf(tx, accountId) }
  const amounts = new Map(request.amounts.map(({ resource, asked }) => [resource.id, asked]))
  try {
    // Where the pool has not enough, the request stays open.
    allOrNothing(tx, (inner) => grant(inner, byRule, request, amounts, { comment: '', automatic: true }, tell))
    return true
  } catch (error) {
    if (error instanceof NotEnough) return false
    throw error
  }
}

function partnerOf(db: Db, accountId: number): number | null {
  return db.select({ id: accounts.partnerId }).from(accounts).where(eq(accounts.id, accountId)).get()?.id ?? null
}

function automaticShareOf(db: Db, accountId: number): number | null {
  const partner = alias(accounts, 'partner')
  return (
    db
      .select({ share: partner.automaticShare })
      .from(accounts)
      .innerJoin(partner, eq(partner.id, accounts.partnerId))
      .where(eq(accounts.id, accountId))
      .get()?.share ?? null
  )
}

/** A partner's rule: up to which share of the present limit, in per cent, a request is approved by itself. */
export function findAutomaticShare(db: Db, partnerId: number): number | null {
  return (
    db.select({ share: accounts.automaticShare }).from(accounts).where(eq(accounts.id, partnerId)).get()?.share ?? null
  )
}

/** Null switches it off. */
export function setAutomaticShare(db: Db, actor: Actor, partnerId: number, share: number | null): void {
  write(db, actor, (tx) => {
    const before = findAutomaticShare(tx, partnerId)
    if (before === share) return
    tx.update(accounts).set({ automaticShare: share }).where(eq(accounts.id, partnerId)).run()
    record(tx, actor, { kind: 'limit.automatic-changed', accountId: partnerId, change: { share: [before, share] } })
  })
}

/** The open request of this number, if its account is looked after by this partner (null: Support). */
function findDecidable(db: Db, partnerId: number | null, accountId: number, id: number): QuotaRequest | undefined {
  const open = and(
    eq(quotaRequests.id, id),
    eq(quotaRequests.accountId, accountId),
    openQuotaRequest,
    lookedAfterBy(partnerId),
  )
  return listRequests(db, open, asc(quotaRequests.id), 1)[0]
}

/**
 * Approves a request with these amounts, by resource, and changes the limits in the same transaction.
 * None may be below the present limit; at least one must be above it.
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
      const now = new Map(quotas.map(({ resource, own }) => [resource.id, own.limit ?? 0]))
      const asked = new Map(request.amounts.map(({ resource }) => [resource.id, amounts.get(resource.id) ?? 0]))
      const below = [...asked].filter(([id, amount]) => amount < (now.get(id) ?? 0))
      const above = [...asked].filter(([id, amount]) => amount > (now.get(id) ?? 0))
      if (below.length > 0 || above.length === 0) {
        const wrong = below.length > 0 ? below : [...asked]
        return { tooLittle: new Map(wrong.map(([id]) => [id, now.get(id) ?? 0])) }
      }
      grant(tx, actor, request, asked, { comment, automatic: false }, tell)
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
  changeLimits(tx, actor, { level: 'account', accountId }, raisesOfAccount(tx, holder, amounts), remark)
  changeLimits(tx, actor, holder, amounts, remark)
  for (const [resourceId, granted] of amounts)
    tx.update(quotaRequestAmounts)
      .set({ granted })
      .where(and(eq(quotaRequestAmounts.requestId, id), eq(quotaRequestAmounts.resourceId, resourceId)))
      .run()
  end(tx, actor, request, { state: 'approved', comment, automatic }, 'limit.approved', grantedChange(request, amounts))
  tellRequester(tx, actor, { ...request, state: 'approved', comment, automatic }, amounts, tell)
}

/** What a project gets beyond what its account has left, the account gets too. */
function raisesOfAccount(tx: Db, holder: Holder, amounts: Map<number, number>): Amounts {
  if (holder.level !== 'project') return new Map()
  const quotas = findQuotas(tx, holder)?.quotas ?? []
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

/** The partner's admins read that somebody asks, or that the rule has approved it already. */
function tellDeciders(
  tx: Db,
  at: number,
  request: QuotaRequest,
  quotas: Quota[],
  automatic: boolean,
  { post, publicUrl, supportEmail, panelName }: Tell,
): void {
  const partnerId = partnerOf(tx, request.accountId)
  const partner = partnerId === null ? undefined : tx.select().from(accounts).where(eq(accounts.id, partnerId)).get()
  const readers: Pick<Letter, 'name' | 'email' | 'reason'>[] =
    partnerId === null
      ? [{ name: `${panelName} Support`, email: supportEmail ?? '', reason: { because: 'support' } as const }].filter(
          ({ email }) => email,
        )
      : listAdmins(tx, partnerId, mostLetters).map(({ userId, name, email }) => ({
          name,
          email,
          reason: { because: 'admin', userId, readerOf: partnerId } as const,
        }))
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
          const now = quotas.find((quota) => quota.resource.id === resource.id)?.own.limit ?? null
          return { name: unitOf(resource), now: now === null ? 'no limit of its own' : String(now), asked }
        }),
        link: partner
          ? `${publicUrl}/partner/customers/${request.identifier}/quotas?account=${partner.identifier}`
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
  { post, publicUrl, panelName }: Tell,
): void {
  const user = tx.select().from(users).where(eq(users.id, request.requestedBy)).get()
  if (!user || user.disabledAt !== null) return
  const partnerId = partnerOf(tx, request.accountId)
  const partner = partnerId === null ? undefined : tx.select().from(accounts).where(eq(accounts.id, partnerId)).get()
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
      decider: partner?.name ?? `${panelName} Support`,
      person: person?.name ?? '',
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
