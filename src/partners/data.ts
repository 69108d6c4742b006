import { and, type Placeholder, sql } from 'drizzle-orm'
import type { Account } from '../accounts/data/account.ts'
import type { AccountId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'
import { equals, type Placeholders, prepared } from '../db/prepared.ts'
import { accounts } from '../db/schema.ts'

export type Customer = Account

/** A deleted customer does not count as one until it is restored. */
export const livingOf = (partnerId: AccountId | Placeholder) =>
  sql`${accounts.partnerId} = ${partnerId} and ${accounts.deletedAt} is null`

const ownCustomer = prepared(
  (db, { partnerId, identifier }: Placeholders<{ partnerId: AccountId; identifier: string }>) =>
    db
      .select()
      .from(accounts)
      .where(and(livingOf(partnerId), equals(accounts.identifier, identifier)))
      .prepare(),
)

/** Partners see only their own customers; everyone else's and deleted ones are not found. */
export function findCustomer(db: Db, partnerId: AccountId, identifier: string): Customer | undefined {
  return ownCustomer(db).get({ partnerId, identifier })
}

const customerWithId = prepared(
  (db, { partnerId, accountId }: Placeholders<{ partnerId: AccountId; accountId: AccountId }>) =>
    db
      .select()
      .from(accounts)
      .where(and(livingOf(partnerId), equals(accounts.id, accountId)))
      .prepare(),
)

/** The same by its id, for a choice from a list. */
export function findCustomerById(db: Db, partnerId: AccountId, accountId: AccountId): Customer | undefined {
  return customerWithId(db).get({ partnerId, accountId })
}
