import { and, eq } from 'drizzle-orm'
import { isLookedAfterBy } from '../../../accounts/data/caretaker.ts'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import { allOrNothing, type Db, write } from '../../../db/open.ts'
import { openQuotaRequest, quotaRequestAmounts, quotaRequests } from '../../../db/schema.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import { withdrawLettersOfAct } from '../../../mail/outbox.ts'
import { type Actor, type Change, type Person, record } from '../../../records/record.ts'
import { allocationOf, holderOf, NotEnough, type Quota, type QuotaLevel, type Shortage } from '../../arithmetic.ts'
import { changeLimits, findQuotas } from '../../data/limits.ts'
import { findOne, findOpenRequest, type QuotaRequest } from './reading.ts'
import { tellRequester } from './telling.ts'

/** Amounts that would give nothing more, or less than is allocated: the current state of each, by resource. */
export type NotMore = Map<number, Pick<QuotaLevel, 'limit' | 'allocated'>>

export type Approved = 'approved' | 'ended' | { shortages: Shortage[] } | { notMore: NotMore }

/** A higher limit that holds what is already allocated. A resource without a limit gets none. */
export function raises({ limit, allocated }: QuotaLevel, amount: number): boolean {
  return limit !== null && amount > limit && amount >= allocated
}

/** The open request of this number, if its account is looked after by this partner now (null: by Support). */
function findDecidable(
  db: Db,
  partnerId: AccountId | null,
  accountId: AccountId,
  id: number,
): QuotaRequest | undefined {
  const where = and(eq(quotaRequests.id, id), eq(quotaRequests.accountId, accountId))
  return findOne(db, and(where, openQuotaRequest, isLookedAfterBy(partnerId)))
}

/**
 * Approves a request with these amounts, by resource, and changes the limits in the same transaction. Each is
 * above the present limit and holds what is allocated, or is the present limit: then nothing is given of it. At
 * least one gives more. A resource that has lost its limit is left out.
 */
export function approveRequest(
  db: Db,
  actor: Person,
  {
    partnerId,
    accountId,
    id,
    amounts,
    comment,
  }: { partnerId: AccountId | null; accountId: AccountId; id: number; amounts: Map<number, number>; comment: string },
  tell: MailContext,
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
      const wanted = new Map(decided.map(({ id, amount }) => [id, amount]))
      // Within another write, what was changed before the pool proved too small must be taken back here.
      allOrNothing(tx, (inner) => grant(inner, actor, { request, amounts: wanted, comment, automatic: false }, tell))
      return 'approved'
    })
  } catch (error) {
    if (error instanceof NotEnough) return { shortages: error.shortages }
    throw error
  }
}

/** Changes the limits, ends the request and e-mails the person who made it. Throws NotEnough. */
export function grant(
  tx: Db,
  actor: Actor,
  {
    request,
    amounts,
    comment,
    automatic,
  }: { request: QuotaRequest; amounts: Map<number, number>; comment: string; automatic: boolean },
  tell: MailContext,
): void {
  const { id, accountId, projectId } = request
  const remark = comment || request.reason
  const holder = holderOf(accountId, projectId)
  const raised = raisesOfAccount(findQuotas(tx, holder)?.quotas ?? [], amounts)
  changeLimits(tx, actor, { level: 'account', accountId }, { amounts: raised, remark, quiet: true })
  changeLimits(tx, actor, holder, { amounts, remark, quiet: true })
  for (const [resourceId, granted] of amounts)
    tx.update(quotaRequestAmounts)
      .set({ granted })
      .where(and(eq(quotaRequestAmounts.requestId, id), eq(quotaRequestAmounts.resourceId, resourceId)))
      .run()
  end(tx, actor, request, {
    outcome: { state: 'approved', comment, automatic },
    kind: 'limit.approved',
    change: grantedChange(request, amounts),
  })
  tellRequester(tx, actor, { request: { ...request, state: 'approved', comment, automatic }, amounts }, tell)
}

/** What a project gets beyond what its account has left, the account gets too. Of an account's own quotas: nothing. */
export function raisesOfAccount(quotas: Quota[], amounts: Map<number, number>): Map<number, number> {
  return new Map(
    quotas.flatMap(({ resource, own, above }) => {
      const account = above.find(({ level }) => level === 'account')
      const amount = amounts.get(resource.id)
      if (amount === undefined || !account || account.limit === null) return []
      const needed = account.allocated + amount - allocationOf(own.limit, own.allocated)
      return needed > account.limit ? [[resource.id, needed]] : []
    }),
  )
}

function grantedChange(request: QuotaRequest, amounts: Map<number, number>): Change {
  return Object.fromEntries(
    request.amounts.map(({ resource, asked }) => [resource.key, [asked, amounts.get(resource.id) ?? null]]),
  )
}

/** Declines a request with a reason that the account reads. False if it has already ended. */
export function declineRequest(
  db: Db,
  actor: Person,
  {
    partnerId,
    accountId,
    id,
    comment,
  }: { partnerId: AccountId | null; accountId: AccountId; id: number; comment: string },
  tell: MailContext,
): boolean {
  return write(db, actor, (tx) => {
    const request = findDecidable(tx, partnerId, accountId, id)
    if (!request) return false
    end(tx, actor, request, {
      outcome: { state: 'declined', comment, automatic: false },
      kind: 'limit.declined',
      change: {
        comment: [null, comment],
      },
    })
    tellRequester(tx, actor, { request: { ...request, state: 'declined', comment }, amounts: new Map() }, tell)
    return true
  })
}

/** Ends an open request whose project or partner goes, with the reason. */
export function endRequestOf(
  tx: Db,
  actor: Actor,
  { accountId, comment, projectId }: { accountId: AccountId; comment: string; projectId?: ProjectId | undefined },
): void {
  const request = findOpenRequest(tx, accountId)
  if (!request || (projectId !== undefined && request.projectId !== projectId)) return
  end(tx, actor, request, {
    outcome: { state: 'cancelled', comment, automatic: false },
    kind: 'limit.cancelled',
    change: {
      comment: [null, comment],
    },
  })
}

export function end(
  tx: Db,
  actor: Actor,
  { id, accountId, projectId, createdAt, requestedBy }: QuotaRequest,
  {
    outcome,
    kind,
    change = {},
  }: {
    outcome: Pick<QuotaRequest, 'state' | 'comment' | 'automatic'>
    kind: 'limit.approved' | 'limit.declined' | 'limit.cancelled'
    change?: Change
  },
): void {
  tx.update(quotaRequests)
    .set({ ...outcome, endedAt: actor.at, endedBy: actor.userId })
    .where(eq(quotaRequests.id, id))
    .run()
  withdrawLettersOfAct(tx, { accountId, actAt: createdAt }, 'the request has ended', actor.at)
  record(tx, actor, { kind, accountId, ...(projectId === null ? {} : { projectId }), change, answers: requestedBy })
}
