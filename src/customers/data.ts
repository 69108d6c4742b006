import { and, eq, isNotNull, isNull, not, type SQL, sql } from 'drizzle-orm'
import { type Account, createAccount, type NewAccount } from '../accounts/data.ts'
import { betweenDays, countRows, type List, type ListQuery, type ListSpec, readPage } from '../db/list.ts'
import { type Db, write } from '../db/open.ts'
import { accounts } from '../db/schema.ts'
import { matches } from '../db/search.ts'
import type { Actor } from '../history/record.ts'
import { hasAdmin } from '../members/data.ts'
import { hasLimitAt, nearLimit } from '../quotas/data.ts'

export type Customer = Account
export type CustomerRow = Customer & { users: number }

// Drizzle leaves out a column's table where a query has only one, so a subquery names its own.
const users = sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id)`

/** What a list of customers can be sorted and narrowed down by. */
export const customerList = {
  name: 'customers',
  id: accounts.id,
  idOf: (customer) => customer.id,
  sorts: {
    created: { words: 'Newest first', column: accounts.id, order: 'desc', value: (customer) => customer.id },
    name: { words: 'Name', column: accounts.search, order: 'asc', value: (customer) => customer.search },
    identifier: {
      words: 'Identifier',
      column: accounts.identifier,
      order: 'asc',
      value: (customer) => customer.identifier,
    },
  },
  filters: {
    status: { active: 'Active', suspended: 'Suspended' },
    limits: { over: 'Over a limit', near: 'Near a limit or over it' },
    admin: { none: 'Without a Customer Admin' },
    from: 'day',
    until: 'day',
  },
} as const satisfies ListSpec<CustomerRow>

export type CustomerFilter = keyof typeof customerList.filters

/** A partner's customers. */
export function listCustomers(db: Db, partnerId: number, query: ListQuery<CustomerFilter>): List<CustomerRow> {
  const own = and(eq(accounts.partnerId, partnerId), narrowed(db, query))
  return readPage(
    customerList,
    query,
    ({ where, orderBy, limit }) =>
      db
        .select({ customer: accounts, users })
        .from(accounts)
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit)
        .all()
        .map((row) => ({ ...row.customer, users: row.users })),
    (most) => countRows(db, db.select({ one: accounts.id }).from(accounts).where(own).limit(most)),
  )
}

function narrowed(db: Db, { q, filters }: ListQuery<CustomerFilter>): SQL | undefined {
  const { status, limits, admin, from, until } = filters
  return and(
    matches(db, 'accounts', accounts.id, accounts.search, q),
    status === 'active' ? isNull(accounts.suspendedAt) : undefined,
    status === 'suspended' ? isNotNull(accounts.suspendedAt) : undefined,
    limits === 'over' ? hasLimitAt(100, true) : undefined,
    limits === 'near' ? hasLimitAt(nearLimit) : undefined,
    admin === 'none' ? not(hasAdmin) : undefined,
    betweenDays(accounts.createdAt, from, until),
  )
}

/** Partners see only their own customers; everyone else's are not found. */
export function findCustomer(db: Db, partnerId: number, identifier: string): Customer | undefined {
  return db
    .select()
    .from(accounts)
    .where(and(eq(accounts.partnerId, partnerId), eq(accounts.identifier, identifier)))
    .get()
}

/** Creates a customer without any member. Undefined when the identifier was ever given out, to whomever. */
export function createCustomer(db: Db, actor: Actor, partnerId: number, customer: NewAccount): Customer | undefined {
  return write(db, (tx) => createAccount(tx, actor, { ...customer, kind: 'customer', partnerId }))
}
