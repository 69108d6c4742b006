import { and, isNotNull, ne, type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import { equals, placeholdersOf } from '../../db/prepared.ts'
import { describedCustomer, records } from '../../db/schema.ts'

/**
 * Whose records: an account's, also as its partner sees it (since it came to that, without IP addresses), those of the acts from a partner account in its customers, a partner's own about one of
 * its customers, which that does not see, or all.
 */
export type Scope =
  | { accountId: AccountId }
  | { accountId: AccountId; since: number }
  | { fromAccountId: AccountId }
  | { partnerId: AccountId; customer: string }
  | 'all'

export function isOfAccount(scope: Scope): scope is { accountId: AccountId } {
  return typeof scope === 'object' && 'accountId' in scope
}

/** Its partner looks at an account's records. */
export function isOfPartner(scope: Scope): scope is { accountId: AccountId; since: number } {
  return typeof scope === 'object' && 'since' in scope
}

export function isFromPartner(scope: Scope): scope is { fromAccountId: AccountId } {
  return typeof scope === 'object' && 'fromAccountId' in scope
}

/** A partner’s own records about one of its customers. */
export function isAboutCustomer(scope: Scope): boolean {
  return typeof scope === 'object' && 'partnerId' in scope
}

/** A customer that has left its partner is no longer found by what it is called since. */
export function stillOf(scope: Scope): SQL | undefined {
  return isFromPartner(scope)
    ? sql`exists (select 1 from accounts as own where own.id = ${records.accountId} and own.partner_id = ${scope.fromAccountId})`
    : undefined
}

/** How a scope is read: its condition, and what tells it apart. */
export function ofScope(scope: Scope): {
  shape: string
  own: SQL | undefined
  values: Record<string, number | string>
} {
  if (scope === 'all') return { shape: 'all', own: undefined, values: {} }
  if ('since' in scope) {
    const { accountId, since } = placeholdersOf(scope)
    const which = and(equals(records.accountId, accountId), sql`${records.id} >= ${since}`)
    return { shape: 'account since', own: which, values: scope }
  }
  if ('accountId' in scope)
    return { shape: 'account', own: equals(records.accountId, placeholdersOf(scope).accountId), values: scope }
  if ('partnerId' in scope) {
    const { partnerId, customer } = placeholdersOf(scope)
    const which = and(
      equals(records.accountId, partnerId),
      sql`${records.kind} = 'account.customer-described'`,
      sql`${describedCustomer} = ${customer}`,
    )
    return { shape: 'of a customer', own: which, values: scope }
  }
  const from = placeholdersOf(scope).fromAccountId
  const which = and(equals(records.actorAccountId, from), isNotNull(records.accountId), ne(records.accountId, from))
  return { shape: 'from account', own: which, values: scope }
}
