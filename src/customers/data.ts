import { and, count, desc, eq, sql } from 'drizzle-orm'
import { type Account, createAccount, type NewAccount } from '../accounts/data.ts'
import { type Db, write } from '../db/open.ts'
import { accounts } from '../db/schema.ts'
import { matches } from '../db/search.ts'
import type { Actor } from '../history/record.ts'

export type Customer = Account
export type CustomerRow = Customer & { users: number }

// Drizzle leaves out a column's table where a query has only one, so a subquery names its own.
const users = sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id)`

/** A partner's customers, the newest first. */
export function listCustomers(db: Db, partnerId: number, q: string, limit: number, offset: number): CustomerRow[] {
  return db
    .select({ customer: accounts, users })
    .from(accounts)
    .where(and(eq(accounts.partnerId, partnerId), matches(accounts.search, q)))
    .orderBy(desc(accounts.id))
    .limit(limit)
    .offset(offset)
    .all()
    .map((row) => ({ ...row.customer, users: row.users }))
}

export function countCustomers(db: Db, partnerId: number, q = ''): number {
  return (
    db
      .select({ n: count() })
      .from(accounts)
      .where(and(eq(accounts.partnerId, partnerId), matches(accounts.search, q)))
      .get()?.n ?? 0
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
