import { and, eq, inArray, isNull, max } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Account } from '../accounts/data.ts'
import { type Db, write } from '../db/open.ts'
import { accounts, memberships, records, users } from '../db/schema.ts'
import { type Actor, record } from '../history/record.ts'
import type { Post } from '../mail/outbox.ts'
import { countMembers, listAdmins, listMembersById, type Member, removeMember } from '../members/data.ts'
import { adminRole } from '../policy.ts'
import { findOpenRequest } from '../quota-requests/data.ts'
import { findQuotas, taken } from '../quotas/data.ts'
import type { Resource } from '../resources/data.ts'

// Support moves a customer to another partner, or to none: then Support looks after it itself.

export type Tell = { post: Post; publicUrl: string; panelName: string; supportEmail: string | undefined }

/** So many admins of each account get the letter. */
const mostLetters = 20

/** What the pool of the new partner cannot give. */
export type PoolShortage = { resource: Resource; takes: number; left: number }

export type Moved =
  | 'moved'
  | 'same'
  | 'no-partner'
  | 'suspended-partner'
  /** It would be left with users, but without an admin. */
  | 'last-admin'
  | PoolShortage[]

/**
 * Who goes when the account leaves its partner: the partner's users who added themselves. Whom the
 * customer invited stays, also where that is somebody of the partner.
 */
export function listLeaving(db: Db, account: Pick<Account, 'id' | 'partnerId'>): Member[] {
  if (account.partnerId === null) return []
  const ofPartner = alias(memberships, 'of_partner')
  const inBoth = db
    .select({ userId: memberships.userId })
    .from(ofPartner)
    .innerJoin(memberships, eq(memberships.userId, ofPartner.userId))
    .where(and(eq(ofPartner.accountId, account.partnerId), eq(memberships.accountId, account.id)))
  // How each of them came into the account the last time: the history knows.
  const came = db
    .select({ userId: records.userId, kind: records.kind, last: max(records.id) })
    .from(records)
    .where(
      and(
        eq(records.accountId, account.id),
        inArray(records.kind, ['member.added-self', 'member.joined']),
        inArray(records.userId, inBoth),
      ),
    )
    .groupBy(records.userId)
    .all()
  const added = came.flatMap(({ userId, kind }) => (userId !== null && kind === 'member.added-self' ? [userId] : []))
  return listMembersById(db, account.id, added)
}

/** A living partner account, for the choice of whom to move to. */
function findPartner(db: Db, identifier: string): Account | undefined {
  const own = and(eq(accounts.identifier, identifier), eq(accounts.kind, 'partner'), isNull(accounts.deletedAt))
  return db.select().from(accounts).where(own).get()
}

/**
 * Moves a living customer to the partner of this identifier, or to none (null). Its limits stay, and the
 * pool of the new partner must have them; an open request for more is decided by whoever looks after it
 * from now on. The admins of all three accounts get a letter. Undefined when there is no such customer.
 */
export function moveAccount(db: Db, actor: Actor, accountId: number, to: string | null, tell: Tell): Moved | undefined {
  return write(db, (tx) => {
    const own = and(eq(accounts.id, accountId), eq(accounts.kind, 'customer'), isNull(accounts.deletedAt))
    const account = tx.select().from(accounts).where(own).get()
    if (!account) return undefined
    const partner = to === null ? undefined : findPartner(tx, to)
    if (to !== null && !partner) return 'no-partner'
    if (partner?.suspendedAt) return 'suspended-partner'
    const before =
      account.partnerId === null
        ? undefined
        : tx.select().from(accounts).where(eq(accounts.id, account.partnerId)).get()
    if ((partner?.id ?? null) === account.partnerId) return 'same'
    const short = partner ? shortagesOf(tx, accountId, partner.id) : []
    if (short.length > 0) return short
    const leaving = listLeaving(tx, account)
    if (leavesNoAdmin(tx, accountId, leaving)) return 'last-admin'

    for (const { userId } of adminsLast(leaving)) removeMember(tx, actor, accountId, userId, 'member.removed', true)
    tx.update(accounts)
      .set({ partnerId: partner?.id ?? null })
      .where(own)
      .run()
    const [from, now] = [before?.name ?? null, partner?.name ?? null]
    record(tx, actor, { kind: 'account.moved', accountId, change: { partner: [from, now] } })
    const customer = `${account.name} (${account.identifier})`
    if (before)
      record(tx, actor, { kind: 'account.customer-left', accountId: before.id, change: { customer: [customer, null] } })
    if (partner)
      record(tx, actor, {
        kind: 'account.customer-came',
        accountId: partner.id,
        change: { customer: [null, customer] },
      })
    tellEverybody(tx, actor, account, before, partner, tell)
    return 'moved'
  })
}

/** What the customer takes from the pool of its new partner: its number or, where that is more, what it has given out. */
function shortagesOf(tx: Db, accountId: number, partnerId: number): PoolShortage[] {
  const pool = findQuotas(tx, { level: 'pool', accountId: partnerId })?.quotas ?? []
  const own = findQuotas(tx, { level: 'account', accountId })?.quotas ?? []
  return pool.flatMap(({ resource, own: { left } }) => {
    const quota = own.find((one) => one.resource.id === resource.id)
    const takes = quota ? taken(quota.own.limit, quota.own.given) : 0
    return left === null || takes === 0 || takes <= left ? [] : [{ resource, takes, left: Math.max(0, left) }]
  })
}

/** Rule 7: an account with members keeps at least one admin, who is not disabled. */
function leavesNoAdmin(tx: Db, accountId: number, leaving: Member[]): boolean {
  if (leaving.length === 0 || leaving.length === countMembers(tx, accountId)) return false
  const going = new Set(leaving.map(({ userId }) => userId))
  const admins = tx
    .select({ userId: memberships.userId })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.accountId, accountId), eq(memberships.role, adminRole), isNull(users.disabledAt)))
    .all()
  return admins.length > 0 && admins.every(({ userId }) => going.has(userId))
}

/** Where all go, the last admin goes last. */
function adminsLast(leaving: Member[]): Member[] {
  return leaving.toSorted((one, other) => Number(one.role === adminRole) - Number(other.role === adminRole))
}

/** Each side reads who the other is. */
function tellEverybody(
  tx: Db,
  actor: Actor,
  account: Account,
  before: Account | undefined,
  after: Account | undefined,
  { post, publicUrl, panelName, supportEmail }: Tell,
): void {
  const asks = after !== undefined && findOpenRequest(tx, account.id) !== undefined
  const names = {
    account: account.name,
    identifier: account.identifier,
    before: before?.name ?? '',
    after: after?.name ?? '',
    support: `${panelName} Support`,
    supportEmail: supportEmail ?? '',
  }
  const write = (reader: Account, side: 'customer' | 'before' | 'after', link: string) => {
    for (const admin of listAdmins(tx, reader.id, mostLetters))
      post(tx, actor.at, {
        kind: 'customer-moved',
        ...admin,
        accountId: account.id,
        data: { ...names, side, asks, link },
      })
  }
  write(account, 'customer', `${publicUrl}/customer/account?account=${account.identifier}`)
  if (before) write(before, 'before', `${publicUrl}/partner/customers?account=${before.identifier}`)
  if (after)
    write(after, 'after', `${publicUrl}/partner/customers/${account.identifier}/quotas?account=${after.identifier}`)
}
