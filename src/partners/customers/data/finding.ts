import { type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { candidates, holds, isOneOf, searchWords } from '../../../db/search.ts'
import type { Searched } from '../../../db/triggers.ts'

// What a partner finds in its customers: people and projects. The first few, in no order.

/** Something of a customer, and the customer. */
export type InCustomer = { name: string; customer: string; identifier: string }

/** Where the words are too short or too frequent for the index, so many customers are looked through. */
const lookedThrough = 2_000

/** Users of a partner’s customers whose name or e-mail holds all the words. */
export function findPeopleOfCustomers(db: Db, partnerId: AccountId, q: string, limit: number) {
  return find<InCustomer & { email: string }>(
    db,
    'users',
    { partnerId, q, limit },
    {
      rows: sql`memberships as found`,
      id: sql`found.user_id`,
      living: sql`true`,
      name: sql`users.name, users.email`,
      more: sql`join users on users.id = found.user_id`,
    },
  )
}

/** Projects of a partner’s customers whose name or identifier holds all the words. */
export function findProjectsOfCustomers(db: Db, partnerId: AccountId, q: string, limit: number) {
  return find<InCustomer & { project: string }>(
    db,
    'projects',
    { partnerId, q, limit },
    {
      rows: sql`projects as found`,
      id: sql`found.id`,
      living: sql`found.deleted_at is null`,
      name: sql`found.name, found.identifier as project`,
      more: sql``,
    },
  )
}

type Kind = { rows: SQL; id: SQL; living: SQL; name: SQL; more: SQL }

/** CROSS JOIN reads the tables in the order written: the small one first. */
function find<Row>(
  db: Db,
  table: Searched,
  { partnerId, q, limit }: { partnerId: AccountId; q: string; limit: number },
  kind: Kind,
): Row[] {
  const words = searchWords(q)
  const holdsAll = holds(sql`found.search`, words)
  if (!holdsAll) return []
  const ids = candidates(db, table, words)
  const ofPartner = sql`accounts.id = found.account_id and accounts.partner_id = ${partnerId} and accounts.deleted_at is null`
  const from = ids
    ? sql`${kind.rows} cross join accounts on ${ofPartner} ${kind.more} where ${isOneOf(kind.id, ids)} and ${kind.living} and ${holdsAll}`
    : sql`(select id, name, identifier from accounts where partner_id = ${partnerId} and deleted_at is null
        order by created_at desc limit ${lookedThrough}) as accounts
        cross join ${kind.rows} on found.account_id = accounts.id ${kind.more} where ${kind.living} and ${holdsAll}`
  return db.all<Row>(
    sql`select ${kind.name}, accounts.name as customer, accounts.identifier as identifier from ${from} limit ${limit}`,
  )
}
