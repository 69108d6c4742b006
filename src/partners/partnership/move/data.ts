import { and, eq, isNull } from 'drizzle-orm'
import type { Account } from '../../../accounts/data/account.ts'
import { endSuspensionByPartner, endTie } from '../../../accounts/endings/data/ending.ts'
import { findTies } from '../../../accounts/endings/data/foreseeing.ts'
import { listAdmins } from '../../../accounts/members/data.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { accounts } from '../../../db/schema.ts'
import { suspensionOf } from '../../../db/suspension.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import { allocationOf, type PoolShortage, type Want } from '../../../quotas/arithmetic.ts'
import { findQuotas } from '../../../quotas/data/limits.ts'
import { poolShortages } from '../../../quotas/data/pool.ts'
import { findOpenRequest } from '../../../quotas/requests/data/reading.ts'
import { wantsAtOnce } from '../../../records/data/choices.ts'
import { type Actor, record } from '../../../records/record.ts'

// Support moves a customer to another partner, or to none: then Support looks after it itself.

/** So many admins of each account get the letter. */
const mostLetters = 20

export type Moved = 'moved' | 'unchanged' | 'no-partner' | 'suspended-partner' | { shortages: PoolShortage[] }

/** A partner account that is not deleted, to move a customer to. */
function findPartner(db: Db, identifier: string): Account | undefined {
  const where = and(eq(accounts.identifier, identifier), eq(accounts.kind, 'partner'), isNull(accounts.deletedAt))
  return db.select().from(accounts).where(where).get()
}

/**
 * Moves a customer that is not deleted to the partner with this identifier, or to none (null). Its limits stay, and the
 * pool of the new partner must have them; from now on the new partner or Support decides an open request for more. The
 * admins of all three accounts get an e-mail. Undefined when there is no such customer.
 */
export function moveAccount(
  db: Db,
  actor: Actor,
  { accountId, to }: { accountId: AccountId; to: string | null },
  tell: MailContext,
): Moved | undefined {
  return write(db, actor, (tx) => {
    const where = and(eq(accounts.id, accountId), eq(accounts.kind, 'customer'), isNull(accounts.deletedAt))
    const account = tx.select().from(accounts).where(where).get()
    if (!account) return undefined
    const partner = to === null ? undefined : findPartner(tx, to)
    if (to !== null && !partner) return 'no-partner'
    if (partner && suspensionOf(partner)) return 'suspended-partner'
    const before =
      account.partnerId === null
        ? undefined
        : tx.select().from(accounts).where(eq(accounts.id, account.partnerId)).get()
    if ((partner?.id ?? null) === account.partnerId) return 'unchanged'
    const shortages = partner ? poolShortages(tx, partner.id, takes(tx, accountId)) : []
    if (shortages.length > 0) return { shortages }
    const ended = findTies(tx, account).invitations.total
    endTie(tx, actor, account)
    endSuspensionByPartner(tx, actor, accountId)
    tx.update(accounts)
      .set({ partnerId: partner?.id ?? null })
      .where(where)
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
    tellEverybody(tx, actor, { account, before, after: partner, ended }, tell)
    return 'moved'
  })
}

/** What the customer takes from the pool of its new partner: its number or, where that is more, what it has allocated. */
function takes(tx: Db, accountId: AccountId): Want[] {
  const quotas = findQuotas(tx, { level: 'account', accountId })?.quotas ?? []
  return quotas.map(({ resource, own: { limit, allocated } }) => ({ resource, amount: allocationOf(limit, allocated) }))
}

/** Each side reads who the other is. */
function tellEverybody(
  tx: Db,
  actor: Actor,
  {
    account,
    before,
    after,
    ended,
  }: { account: Account; before: Account | undefined; after: Account | undefined; ended: number },
  { post, publicUrl, panelName, supportEmail }: MailContext,
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
    for (const { userId, name, email } of listAdmins(tx, reader.id, mostLetters))
      if (wantsAtOnce(tx, userId, 'accounts'))
        post(tx, actor.at, {
          kind: 'customer-moved',
          name,
          email,
          // The old partner is told what it lost: it no longer looks after the customer.
          reason: { because: side === 'before' ? 'member' : 'admin', userId, readerOf: reader.id },
          accountId: account.id,
          data: { ...names, side, asks, ended, link },
        })
  }
  write(account, 'customer', `${publicUrl}/customer/account?account=${account.identifier}`)
  if (before) write(before, 'before', `${publicUrl}/partner/customers?account=${before.identifier}`)
  if (after)
    write(after, 'after', `${publicUrl}/partner/customers/${account.identifier}/quotas?account=${after.identifier}`)
}
