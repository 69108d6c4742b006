import { and, asc, count, eq, isNull, type SQL } from 'drizzle-orm'
import type { Account } from '../accounts/data.ts'
import { type Db, write } from '../db/open.ts'
import { accounts, partnerRequests, pendingPartnerRequest, users } from '../db/schema.ts'
import { type Actor, type Person, record } from '../history/record.ts'
import { allowPartnerRequest } from '../mail/allowance.ts'
import type { Post } from '../mail/outbox.ts'
import type { Member } from '../members/data.ts'
import { listLeaving } from '../partner-ties/data.ts'
import { endRequestOf } from '../quota-requests/data.ts'

export type PartnerRequest = typeof partnerRequests.$inferSelect

/** Asks Support to make a customer account a partner account. False when it was asked already. Throws a TooMany. */
export function requestPartnership(db: Db, actor: Person, accountId: number, tellSupport: (tx: Db) => void): boolean {
  return write(db, (tx) => {
    const asked = tx
      .insert(partnerRequests)
      .values({ accountId, requestedBy: actor.userId, createdAt: actor.at })
      .onConflictDoNothing()
      .run().changes
    if (!asked) return false
    allowPartnerRequest(tx, actor.at, accountId)
    record(tx, actor, { kind: 'partner.requested', accountId })
    tellSupport(tx)
    return true
  })
}

export function findPendingRequest(db: Db, accountId: number): PartnerRequest | undefined {
  return db
    .select()
    .from(partnerRequests)
    .where(and(eq(partnerRequests.accountId, accountId), pendingPartnerRequest))
    .get()
}

/** The oldest pending requests. */
export function listPendingRequests(db: Db, limit: number) {
  return db
    .select({
      id: partnerRequests.id,
      at: partnerRequests.createdAt,
      account: accounts.name,
      identifier: accounts.identifier,
      requester: users.name,
      email: users.email,
    })
    .from(partnerRequests)
    .innerJoin(accounts, eq(accounts.id, partnerRequests.accountId))
    .innerJoin(users, eq(users.id, partnerRequests.requestedBy))
    .where(pendingPartnerRequest)
    .orderBy(asc(partnerRequests.id))
    .limit(limit)
    .all()
}

export function countPendingRequests(db: Db): number {
  return db.select({ n: count() }).from(partnerRequests).where(pendingPartnerRequest).get()?.n ?? 0
}

type Tell = { post: Post; publicUrl: string }

/**
 * Rule 9: turns a customer account into a partner account, which nobody looks after but Support. All its members
 * stay; returned are those whom its former partner has brought in.
 */
export function makePartner(db: Db, actor: Actor, accountId: number, tell: Tell): Member[] {
  return write(db, (tx) => {
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    if (account?.kind !== 'customer' || account.deletedAt !== null) return []
    const stay = listLeaving(tx, account)
    endRequestOf(tx, actor, accountId, 'The account became a partner account.')
    const partner =
      account.partnerId === null
        ? undefined
        : tx.select().from(accounts).where(eq(accounts.id, account.partnerId)).get()
    tx.update(accounts).set({ kind: 'partner', partnerId: null }).where(eq(accounts.id, accountId)).run()
    record(tx, actor, {
      kind: 'account.became-partner',
      accountId,
      change: {
        kind: ['customer', 'partner'],
        ...(partner ? { partner: [partner.name, null] as [string, null] } : {}),
      },
    })
    if (partner)
      record(tx, actor, {
        kind: 'account.customer-left',
        accountId: partner.id,
        change: { customer: [`${account.name} (${account.identifier})`, null] },
      })
    decide(tx, actor, account, 'granted', tell)
    return stay
  })
}

export function declineRequest(db: Db, actor: Actor, accountId: number, tell: Tell): boolean {
  return write(db, (tx) => {
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    if (!account || !decide(tx, actor, account, 'declined', tell)) return false
    record(tx, actor, { kind: 'partner.declined', accountId })
    return true
  })
}

/** Ends a pending request and writes to whoever made it. */
function decide(
  tx: Db,
  actor: Actor,
  account: Account,
  state: 'granted' | 'declined',
  { post, publicUrl }: Tell,
): boolean {
  const request = findPendingRequest(tx, account.id)
  if (!request) return false
  tx.update(partnerRequests).set({ state, decidedAt: actor.at }).where(eq(partnerRequests.id, request.id)).run()
  const requester = tx.select().from(users).where(eq(users.id, request.requestedBy)).get()
  if (requester && requester.disabledAt === null) {
    post(tx, actor.at, {
      kind: 'partner-decision',
      accountId: account.id,
      email: requester.email,
      name: requester.name,
      userId: requester.id,
      data: {
        account: account.name,
        granted: state === 'granted',
        link: `${publicUrl}/customer/account?account=${account.identifier}`,
      },
    })
  }
  return true
}

/**
 * Turns a partner account back into a customer account. 'customers' while it has customers, 'deleted'
 * while it has ones that can still be restored: the schema refuses both.
 */
export function makeCustomer(db: Db, actor: Actor, accountId: number): 'made' | 'customers' | 'deleted' {
  return write(db, (tx) => {
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    if (account?.kind !== 'partner') return 'made'
    const has = (which?: SQL) =>
      tx
        .select({ id: accounts.id })
        .from(accounts)
        .where(and(eq(accounts.partnerId, accountId), which))
        .limit(1)
        .get() !== undefined
    if (has(isNull(accounts.deletedAt))) return 'customers'
    if (has()) return 'deleted'
    tx.update(accounts).set({ kind: 'customer' }).where(eq(accounts.id, accountId)).run()
    record(tx, actor, { kind: 'account.became-customer', accountId, change: { kind: ['partner', 'customer'] } })
    return 'made'
  })
}
