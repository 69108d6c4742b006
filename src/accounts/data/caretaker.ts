import { and, eq, isNull, type Placeholder, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { accounts } from '../../db/schema.ts'
import { adminRole } from '../../roles.ts'

// Who looks after an account now: its partner while that can act, else Support. Nothing of it is stored, so that
// what waits goes to Support the moment a partner is suspended or loses its last active admin, and goes back with
// the partner's return.

/** A partner account that can act. */
export type Caretaker = { id: AccountId; name: string; identifier: string }

const partner = alias(accounts, 'partner')

/** One of the people of a suspended partner: they cannot work in its customers during the suspension. */
const sleeps = (membership: SQL) =>
  sql`(${membership}.from_partner and exists (select 1 from accounts as customer join accounts as sponsor
    on sponsor.id = customer.partner_id where customer.id = ${membership}.account_id and sponsor.support_suspended_at is not null))`

/** Whether a member can log in and work in the account now. `membership` and `person` are rows of memberships and users, by their names in the query. */
export const works = (membership: SQL, person: SQL) =>
  sql<number>`(${person}.disabled_at is null and not ${sleeps(membership)})`

/**
 * Whether a member is an admin who can log in and act now: the meaning of “admin” wherever admins are counted, named
 * or told.
 */
export const worksAsAdmin = (membership: SQL, person: SQL) =>
  sql<number>`(${membership}.role = ${adminRole} and ${works(membership, person)})`

/** Whether the account called `partner` in the query can act: it is neither suspended nor deleted, and a Partner Admin can log in. */
export const partnerActs = sql<number>`partner.support_suspended_at is null and partner.deleted_at is null and exists (
  select 1 from memberships as theirs cross join users as person on person.id = theirs.user_id
  where theirs.account_id = partner.id and theirs.role = ${adminRole} and person.disabled_at is null)`

const caretaker = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ id: partner.id, name: partner.name, identifier: partner.identifier })
    .from(accounts)
    .innerJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(equals(accounts.id, accountId), isNull(accounts.deletedAt), partnerActs))
    .prepare(),
)

/** The partner account that looks after an account now; null is Support. */
export function caretakerOf(db: Db, account: { id: AccountId }): Caretaker | null {
  return caretaker(db).get({ accountId: account.id }) ?? null
}

const actingPartner = prepared((db, { partnerId }: Placeholders<{ partnerId: AccountId }>) =>
  db
    .select({ id: partner.id })
    .from(partner)
    .where(and(equals(partner.id, partnerId), partnerActs))
    .prepare(),
)

/** Whether a partner account looks after its customers now; else Support does. */
export function canAct(db: Db, partnerId: AccountId): boolean {
  return actingPartner(db).get({ partnerId }) !== undefined
}

/** Whether the account of a row, living or deleted, has no partner that can act now. For lists of `accounts`. */
export const isOfSupport = sql<number>`(accounts.partner_id is null or not exists (
  select 1 from accounts as partner where partner.id = accounts.partner_id and ${partnerActs}))`

/** Whether the living account of a row is looked after by this partner now (null: by Support). For lists of `accounts`. */
export function isLookedAfterBy(partnerId: AccountId | Placeholder | null): SQL {
  return partnerId === null
    ? sql`(accounts.deleted_at is null and ${isOfSupport})`
    : // With the sign SQLite starts from the rows of the list, not from all customers of the partner.
      sql`(accounts.deleted_at is null and +accounts.partner_id = ${partnerId} and exists (
        select 1 from accounts as partner where partner.id = ${partnerId} and ${partnerActs}))`
}
