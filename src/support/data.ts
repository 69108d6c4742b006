import { and, asc, count, desc, eq, isNull, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Account } from '../accounts/data.ts'
import type { Db } from '../db/open.ts'
import { accounts, users } from '../db/schema.ts'
import { matches } from '../db/search.ts'

// Support sees all accounts and users: the only data functions without a tenant.

export type AccountRow = Account & { partnerName: string | null; users: number; customers: number }

const partner = alias(accounts, 'partner')

export function listAccounts(db: Db, q: string, limit: number, offset: number): AccountRow[] {
  return db
    .select({
      account: accounts,
      partnerName: partner.name,
      users: sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id)`,
      customers: sql<number>`(select count(*) from accounts as customer where customer.partner_id = accounts.id)`,
    })
    .from(accounts)
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(matches(accounts.search, q))
    .orderBy(desc(accounts.id))
    .limit(limit)
    .offset(offset)
    .all()
    .map(({ account, ...more }) => ({ ...account, ...more }))
}

export function countAccounts(db: Db, q: string): number {
  return db.select({ n: count() }).from(accounts).where(matches(accounts.search, q)).get()?.n ?? 0
}

export function findAccountByIdentifier(db: Db, identifier: string): Account | undefined {
  return db.select().from(accounts).where(eq(accounts.identifier, identifier)).get()
}

export function listUsers(db: Db, q: string, limit: number, offset: number) {
  return db
    .select({
      id: users.id,
      name: users.name,
      email: users.email,
      operator: users.operator,
      lastLogInAt: users.lastLogInAt,
      createdAt: users.createdAt,
      disabledAt: users.disabledAt,
      twoFactor: sql<number>`users.totp_secret is not null`,
      accounts: sql<number>`(select count(*) from memberships as own where own.user_id = users.id)`,
      sessions: sql<number>`(select count(*) from sessions as own where own.user_id = users.id)`,
    })
    .from(users)
    .where(and(isNull(users.deletedAt), matches(users.search, q)))
    .orderBy(asc(users.search))
    .limit(limit)
    .offset(offset)
    .all()
}

export function countUsers(db: Db, q: string): number {
  const living = and(isNull(users.deletedAt), matches(users.search, q))
  return db.select({ n: count() }).from(users).where(living).get()?.n ?? 0
}
