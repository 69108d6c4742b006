import { and, eq, isNull, not, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { type Account, accountSorts, createAccount } from '../../accounts/data/account.ts'
import { isOfSupport } from '../../accounts/data/caretaker.ts'
import { invite, type Sender } from '../../accounts/invitations/data/sending.ts'
import { hasAdmin } from '../../accounts/members/data.ts'
import { countSuspended } from '../../accounts/suspension/data.ts'
import { countForTab, isFew } from '../../db/counting.ts'
import { isDeleted, restorableUntil } from '../../db/deletion.ts'
import type { AccountId } from '../../db/ids.ts'
import { betweenDays, isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { accounts } from '../../db/schema.ts'
import { amongFew, isOneOf } from '../../db/search.ts'
import { type FoundBy, matchWithPeople } from '../../db/search-people.ts'
import { isActive, isAmongSuspended, isSuspended, suspensionOf } from '../../db/suspension.ts'
import type { Person } from '../../records/record.ts'
import { adminRole } from '../../roles.ts'
import { number, pluralOrNo, upTo } from '../../web/format.ts'

// Support sees all accounts and users: the only data functions without a tenant.

export type AccountRow = Account & {
  partnerName: string | null
  users: number
  /** 1 where Support looks after it, or restores it: it has no partner, or its partner cannot act now. */
  ofSupport: number
  /** Until when a deleted one can be restored. */
  until: number
  foundBy: FoundBy | null
}

const partner = alias(accounts, 'partner')

export const accountList = {
  name: 'accounts',
  id: accounts.id,
  idOf: (account) => account.id,
  sorts: accountSorts,
  columns: {
    name: { head: 'Name', look: 'main who', sorts: ['name', 'name-z'], file: ({ name }) => name },
    identifier: { file: ({ identifier }) => identifier },
    kind: { head: 'Kind', look: 'trim not-narrow', file: ({ kind }) => kind },
    partner: { file: ({ partnerName }) => partnerName },
    users: { head: 'Users', look: 'num wide', file: ({ users }) => users },
    status: {
      head: 'Status',
      look: 'state',
      file: (account) => (account.deletedAt !== null ? 'deleted' : suspensionOf(account) ? 'suspended' : 'active'),
    },
    created: {
      head: 'Created',
      look: 'mid muted',
      sorts: ['created', 'oldest'],
      file: ({ createdAt }) => isoTime(createdAt),
    },
  },
  filters: {
    kind: { partner: 'Partner accounts', customer: 'Customer accounts' },
    status: { active: 'Active', suspended: 'Suspended', deleted: 'Deleted' },
    admin: { none: 'Without an admin' },
    from: 'day',
    until: 'day',
  },
} as const satisfies ListSpec<AccountRow>

export type AccountFilter = keyof typeof accountList.filters

/** The tabs of the list. How many have no admin is not counted: each would have to be looked at. */
export function accountViews(db: Db) {
  const view = (label: string, filters: Partial<Record<AccountFilter, string>>, where: SQL | undefined) => {
    const rows = () => db.select({ one: accounts.id }).from(accounts).where(where)
    return { label, filters, n: upTo(countForTab(db, `all accounts: ${label}`, rows)), look: '' }
  }
  const living = isNull(accounts.deletedAt)
  return [
    view('All', {}, living),
    // Written as in the index that has only these.
    view('Partners', { kind: 'partner' }, and(living, sql`${accounts.kind} = 'partner'`)),
    { label: 'No admin', filters: { admin: 'none' }, n: undefined, look: '' },
    { label: 'Suspended', filters: { status: 'suspended' }, n: upTo(countSuspended(db)), look: '' },
    view('Deleted', { status: 'deleted' }, isDeleted(accounts)),
  ]
}

/** All accounts. They are found by their people, too. */
export function listAccounts(db: Db, query: ListQuery<AccountFilter>): List<AccountRow> {
  const { kind, status, admin, from, until } = query.filters
  const { found, few, foundBy } = matchWithPeople(db, query.q, 'Support')
  const living = status === 'deleted' ? isDeleted(accounts) : isNull(accounts.deletedAt)
  const rare = status === 'suspended' && isFew(countSuspended(db)) ? isAmongSuspended : undefined
  const condition = few || rare ? amongFew(sql`${living}`) : living
  const narrowed = and(
    found,
    rare,
    kind ? eq(accounts.kind, kind as Account['kind']) : undefined,
    status === 'active' ? isActive : undefined,
    status === 'suspended' ? isSuspended : undefined,
    admin === 'none' ? not(hasAdmin) : undefined,
    betweenDays(accounts.createdAt, from, until),
  )
  return readPage(db, accountList, query, {
    shape: status === 'deleted' ? 'deleted' : 'living',
    values: {},
    narrowed,
    among: few || rare ? undefined : { table: accounts, own: condition },
    rows: ({ where, orderBy, limit }) =>
      db
        .select({
          account: accounts,
          foundBy,
          partnerName: partner.name,
          ofSupport: isOfSupport,
          users: sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id)`,
        })
        .from(accounts)
        .leftJoin(partner, eq(partner.id, accounts.partnerId))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: accounts.id }).from(accounts).where(and(condition, where)).limit(limit),
    seen: (rows) =>
      rows.map(({ account, ...more }) => ({ ...account, ...more, until: restorableUntil(account.deletedAt ?? 0) })),
  })
}

/** So many customers of a partner are counted. */
const mostCustomers = 1_000

/** How many customers each of these accounts has: “12 customers”, “1,000+ customers”. */
export function customerCounts(db: Db, ids: AccountId[]): Map<AccountId, string> {
  const customer = sql`select 1 from accounts as customer where customer.partner_id = accounts.id and customer.deleted_at is null`
  return new Map(
    db
      .select({ id: accounts.id, n: sql<number>`(select count(*) from (${customer} limit ${mostCustomers + 1}))` })
      .from(accounts)
      .where(isOneOf(accounts.id, ids))
      .all()
      .map(({ id, n }) => [id, n > mostCustomers ? `${number(mostCustomers)}+ customers` : pluralOrNo(n, 'customer')]),
  )
}

/**
 * Makes an account without a partner, and invites its first admin. 'taken' when the identifier was ever given out. `invited` is false
 * where the invitation could not be sent.
 */
export function openAccount(
  db: Db,
  actor: Person,
  sender: Sender,
  { admin, ...account }: Pick<Account, 'name' | 'identifier' | 'kind'> & { admin: { name: string; email: string } },
): { account: Account; invited: boolean } | 'taken' {
  return write(db, actor, (tx) => {
    const created = createAccount(tx, actor, { ...account, partnerId: null })
    if (created === 'taken') return created
    const input = { ...admin, role: adminRole, projects: [] }
    return { account: created, invited: typeof invite(tx, actor, sender, { account: created, input }) === 'object' }
  })
}
