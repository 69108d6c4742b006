import { and, between, count, eq } from 'drizzle-orm'
import { caretakerOf } from '../../../accounts/data/caretaker.ts'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import { allOrNothing, type Db, write } from '../../../db/open.ts'
import { accounts, quotaRequestAmounts, quotaRequests } from '../../../db/schema.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import { type Actor, type Change, type Person, record } from '../../../records/record.ts'
import { holderOf, NotEnough, type Quota } from '../../arithmetic.ts'
import { findQuotas } from '../../data/limits.ts'
import { end, grant, type NotMore, raises, raisesOfAccount } from './deciding.ts'
import { findOpenRequest, type QuotaRequest } from './reading.ts'
import { tellDeciders } from './telling.ts'

/** What a new request is refused for, by the id of its resource; or as a whole. */
export type Asked = QuotaRequest | 'open-already' | 'too-many' | { notMore: NotMore }

const day = 24 * 3_600_000
/** ASVS 2.4: a request writes letters, so that an account makes so many a day. */
const mostADay = 10
/** Per customer. */
const automaticEvery = 30 * day

/**
 * Asks for more. Amounts are the wished new limits: above the present one, and at least what is allocated; what
 * has no limit has none to raise. It is approved at once where the partner's rule allows it and the pool has enough.
 */
export function askForMore(
  db: Db,
  actor: Person,
  {
    accountId,
    projectId,
    amounts,
    reason,
  }: { accountId: AccountId; projectId: ProjectId | null; amounts: Map<number, number>; reason: string },
  tell: MailContext,
): Asked | undefined {
  return write(db, actor, (tx) => {
    const holder = holderOf(accountId, projectId)
    const quotas = findQuotas(tx, holder)?.quotas
    if (!quotas) return undefined
    const notMore: NotMore = new Map(
      quotas.flatMap(({ resource, own }) => {
        const asked = amounts.get(resource.id)
        return asked === undefined || raises(own, asked) ? [] : [[resource.id, own]]
      }),
    )
    if (notMore.size > 0) return { notMore }
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
    const automatic = approveAutomatically(tx, actor, { request, quotas }, tell)
    tellDeciders(tx, actor.at, { request, quotas, automatic }, tell)
    return automatic ? { ...request, state: 'approved', automatic } : request
  })
}

/**
 * Up to the partner's share of the present limit, also of the account's where a project raises that; once in 30 days,
 * only where the pool has enough, and only while the partner can act.
 */
function approveAutomatically(
  tx: Db,
  actor: Actor,
  { request, quotas }: { request: QuotaRequest; quotas: Quota[] },
  tell: MailContext,
): boolean {
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
    // Where the pool does not have enough, the request stays open.
    allOrNothing(tx, (inner) => grant(inner, byRule, { request, amounts, comment: '', automatic: true }, tell))
    return true
  } catch (error) {
    if (error instanceof NotEnough) return false
    throw error
  }
}

/** A partner's rule: requests for at most this share of the current limit, in per cent, are approved automatically. */
export function findAutomaticShare(db: Db, partnerId: AccountId): number | null {
  return (
    db.select({ share: accounts.automaticShare }).from(accounts).where(eq(accounts.id, partnerId)).get()?.share ?? null
  )
}

/** Null switches it off. False when it is so already. */
export function setAutomaticShare(db: Db, actor: Actor, partnerId: AccountId, share: number | null): boolean {
  return write(db, actor, (tx) => {
    const before = findAutomaticShare(tx, partnerId)
    if (before === share) return false
    tx.update(accounts).set({ automaticShare: share }).where(eq(accounts.id, partnerId)).run()
    record(tx, actor, { kind: 'limit.automatic-changed', accountId: partnerId, change: { share: [before, share] } })
    return true
  })
}

/** Takes an account's request back. False if it has already ended. */
export function cancelRequest(db: Db, actor: Person, accountId: AccountId, id: number): boolean {
  return write(db, actor, (tx) => {
    const request = findOpenRequest(tx, accountId)
    if (request?.id !== id) return false
    end(tx, actor, request, { outcome: { state: 'cancelled', comment: '', automatic: false }, kind: 'limit.cancelled' })
    return true
  })
}
