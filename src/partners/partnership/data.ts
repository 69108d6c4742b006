import { and, count, eq, isNull, type SQL } from 'drizzle-orm'
import type { Account } from '../../accounts/data/account.ts'
import { endSuspensionByPartner, endTie } from '../../accounts/endings/data/ending.ts'
import { discardImport, endImport } from '../../accounts/imports/ending/data.ts'
import type { Config } from '../../config.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { accounts, imports, partnerRequests, pendingPartnerRequest, users } from '../../db/schema.ts'
import { matches } from '../../db/search.ts'
import { allowPartnerRequest } from '../../mail/allowance.ts'
import { type Post, withdrawLettersOfAct } from '../../mail/outbox.ts'
import { changeLimits, findQuotas } from '../../quotas/data/limits.ts'
import { removePlansOf } from '../../quotas/plans/data/plans.ts'
import { setAutomaticShare } from '../../quotas/requests/data/asking.ts'
import { endRequestOf } from '../../quotas/requests/data/deciding.ts'
import { wantsAtOnce } from '../../records/data/choices.ts'
import { type Actor, type Person, record } from '../../records/record.ts'

export type PartnerRequest = typeof partnerRequests.$inferSelect

/** Whether the installation lets an account ask: a partner's customers would ask to leave it. */
export function mayAskToBePartner(
  { kind, partnerId }: Pick<Account, 'kind' | 'partnerId'>,
  who: Config['partnerRequests'],
): boolean {
  return kind === 'customer' && (who === 'everyone' || (who === 'direct' && partnerId === null))
}

/**
 * Asks Support to make a customer account a partner account. False when it was asked already, undefined where it may not ask.
 * Throws a TooMany.
 */
export function requestPartnership(
  db: Db,
  actor: Person,
  { accountId, who }: { accountId: AccountId; who: Config['partnerRequests'] },
  tellSupport: (tx: Db) => void,
): boolean | undefined {
  return write(db, actor, (tx) => {
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    if (!account || !mayAskToBePartner(account, who)) return undefined
    const asked = tx
      .insert(partnerRequests)
      .values({ accountId, requestedBy: actor.userId, createdAt: actor.at })
      .onConflictDoNothing()
      .run().changes
    if (!asked) return false
    allowPartnerRequest(tx, actor, accountId)
    record(tx, actor, { kind: 'partner.requested', accountId })
    tellSupport(tx)
    return true
  })
}

export function findPendingRequest(db: Db, accountId: AccountId): PartnerRequest | undefined {
  return db
    .select()
    .from(partnerRequests)
    .where(and(eq(partnerRequests.accountId, accountId), pendingPartnerRequest))
    .get()
}

export type PendingRequest = {
  id: number
  at: number
  account: string
  identifier: string
  requester: string
  email: string
}

export const partnerRequestList = {
  name: 'partner-requests',
  id: partnerRequests.id,
  idOf: (request) => request.id,
  sorts: {
    asked: { words: 'Oldest first', column: partnerRequests.id, order: 'asc', value: (request) => request.id },
  },
  columns: {
    account: { file: ({ account }) => account },
    identifier: { file: ({ identifier }) => identifier },
    'asked by': { file: ({ requester }) => requester },
    'e-mail': { file: ({ email }) => email },
    asked: { file: ({ at }) => isoTime(at) },
  },
  filters: {},
} as const satisfies ListSpec<PendingRequest>

/** The pending requests to become a partner. */
export function listPendingRequests(db: Db, query: ListQuery): List<PendingRequest> {
  return readPage(db, partnerRequestList, query, {
    values: {},
    narrowed: matches(db, { table: 'accounts', id: partnerRequests.accountId, text: accounts.search }, query.q),
    rows: ({ where, orderBy, limit }) =>
      db
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
        .where(and(pendingPartnerRequest, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db
        .select({ one: partnerRequests.id })
        .from(partnerRequests)
        .innerJoin(accounts, eq(accounts.id, partnerRequests.accountId))
        .where(and(pendingPartnerRequest, where))
        .limit(limit),
    seen: (rows) => rows,
  })
}

export function countPendingRequests(db: Db): number {
  return db.select({ n: count() }).from(partnerRequests).where(pendingPartnerRequest).get()?.n ?? 0
}

type Tell = { post: Post; publicUrl: string }

/**
 * Rule 9: turns a customer account into a partner account, which nobody looks after but Support. What ties it to a
 * former partner ends. False where it is one already.
 */
export function makePartner(db: Db, actor: Actor, accountId: AccountId, tell: Tell): boolean {
  return write(db, actor, (tx) => {
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    if (account?.kind !== 'customer' || account.deletedAt !== null) return false
    endTie(tx, actor, account)
    endSuspensionByPartner(tx, actor, accountId)
    endRequestOf(tx, actor, { accountId, comment: 'The account became a partner account.' })
    const partner =
      account.partnerId === null
        ? undefined
        : tx.select().from(accounts).where(eq(accounts.id, account.partnerId)).get()
    tx.update(accounts).set({ kind: 'partner', partnerId: null }).where(eq(accounts.id, accountId)).run()
    // Version 0.2.0 kept both when a partner account became a customer account.
    endPoolAndRule(tx, actor, accountId)
    const answers = decide(tx, actor, { account, state: 'granted' }, tell)
    record(tx, actor, {
      kind: 'account.became-partner',
      accountId,
      answers,
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
    return true
  })
}

export function declinePartnerRequest(db: Db, actor: Actor, accountId: AccountId, tell: Tell): boolean {
  return write(db, actor, (tx) => {
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    const answers = account && decide(tx, actor, { account, state: 'declined' }, tell)
    if (answers === undefined) return false
    record(tx, actor, { kind: 'partner.declined', accountId, answers })
    return true
  })
}

/** Ends a pending request, and e-mails and returns the person who made it. */
function decide(
  tx: Db,
  actor: Actor,
  { account, state }: { account: Account; state: 'granted' | 'declined' },
  { post, publicUrl }: Tell,
): UserId | undefined {
  const request = findPendingRequest(tx, account.id)
  if (!request) return undefined
  tx.update(partnerRequests).set({ state, decidedAt: actor.at }).where(eq(partnerRequests.id, request.id)).run()
  withdrawLettersOfAct(tx, { accountId: account.id, actAt: request.createdAt }, 'the request has ended', actor.at)
  const requester = tx.select().from(users).where(eq(users.id, request.requestedBy)).get()
  if (requester && requester.disabledAt === null && wantsAtOnce(tx, requester.id, 'answers')) {
    post(tx, actor.at, {
      kind: 'partner-decision',
      reason: { because: 'member', userId: requester.id, readerOf: account.id },
      accountId: account.id,
      email: requester.email,
      name: requester.name,
      data: {
        account: account.name,
        granted: state === 'granted',
        link: `${publicUrl}/customer/account?account=${account.identifier}`,
      },
    })
  }
  return request.requestedBy
}

/**
 * Turns a partner account back into a customer account; its plans are deleted. 'customers' while it has customers, 'deleted'
 * while it has ones that can still be restored: the schema refuses both. 'unchanged' when it is no partner account.
 */
export function makeCustomer(
  db: Db,
  actor: Actor,
  accountId: AccountId,
): 'made' | 'unchanged' | 'customers' | 'deleted' {
  return write(db, actor, (tx) => {
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    if (account?.kind !== 'partner') return 'unchanged'
    const has = (which?: SQL) =>
      tx
        .select({ id: accounts.id })
        .from(accounts)
        .where(and(eq(accounts.partnerId, accountId), which))
        .limit(1)
        .get() !== undefined
    if (has(isNull(accounts.deletedAt))) return 'customers'
    if (has()) return 'deleted'
    endPoolAndRule(tx, actor, accountId)
    removePlansOf(tx, actor, accountId)
    endCustomerImports(tx, actor, accountId)
    tx.update(accounts).set({ kind: 'customer' }).where(eq(accounts.id, accountId)).run()
    record(tx, actor, { kind: 'account.became-customer', accountId, change: { kind: ['partner', 'customer'] } })
    return 'made'
  })
}

/** Files of customers that were read, or are being imported, would wait for the account to be a partner again. */
function endCustomerImports(tx: Db, actor: Actor, accountId: AccountId): void {
  const where = and(eq(imports.accountId, accountId), eq(imports.kind, 'customers'))
  for (const { id, state } of tx.select({ id: imports.id, state: imports.state }).from(imports).where(where).all())
    if (state === 'running') endImport(tx, actor, { importId: id, accountId, state: 'stopped' })
    else discardImport(tx, actor, { id, accountId })
}

/** Ends what belongs to a partner account alone: its pool, and its rule for requests of customers. */
function endPoolAndRule(tx: Db, actor: Actor, accountId: AccountId): void {
  const pool = { level: 'pool', accountId } as const
  const amounts = new Map((findQuotas(tx, pool)?.quotas ?? []).map(({ resource }) => [resource.id, null]))
  changeLimits(tx, actor, pool, { amounts, remark: '' })
  setAutomaticShare(tx, actor, accountId, null)
}
