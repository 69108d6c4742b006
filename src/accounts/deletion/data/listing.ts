import { and, eq, sql } from 'drizzle-orm'
import { isRestorable, restorableUntil } from '../../../db/deletion.ts'
import type { AccountId } from '../../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { equals, placeholdersOf } from '../../../db/prepared.ts'
import { accounts, users } from '../../../db/schema.ts'
import { matches } from '../../../db/search.ts'
import type { Account } from '../../data/account.ts'

export type DeletedCustomer = Account & { deletedAt: number; until: number; deleter: string | null; users: number }

export const deletedCustomerList = {
  name: 'deleted-customers',
  id: accounts.id,
  idOf: (account) => account.id,
  sorts: {
    deleted: {
      words: 'Last deleted first',
      column: accounts.deletedAt,
      order: 'desc',
      value: (account) => account.deletedAt,
    },
  },
  columns: {
    name: { head: 'Name', look: 'main who', file: ({ name }) => name },
    identifier: { file: ({ identifier }) => identifier },
    users: { head: 'Users', look: 'num wide', file: ({ users }) => users },
    deleted: { head: 'Deleted', look: 'muted', label: true, file: ({ deletedAt }) => isoTime(deletedAt) },
    'deleted by': { head: 'By', look: 'trim not-narrow', file: ({ deleter }) => deleter },
    'restorable until': { head: 'Kept until', look: 'wide muted', file: ({ until }) => isoTime(until) },
  },
  filters: {},
} as const satisfies ListSpec<DeletedCustomer>

const deletedUsers = sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id)`

/** The customers of a partner that were deleted and can be restored at this time. */
export function listDeletedCustomers(
  db: Db,
  partnerId: AccountId,
  query: ListQuery,
  at: number,
): List<DeletedCustomer> {
  const values = { partnerId }
  const condition = equals(accounts.partnerId, placeholdersOf(values).partnerId)
  return readPage(db, deletedCustomerList, query, {
    values,
    narrowed: and(
      isRestorable(accounts, at),
      matches(db, { table: 'accounts', id: accounts.id, text: accounts.search }, query.q),
    ),
    rows: ({ where, orderBy, limit }) =>
      db
        .select({ account: accounts, deleter: users.name, users: deletedUsers })
        .from(accounts)
        .leftJoin(users, eq(users.id, accounts.deletedBy))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: accounts.id }).from(accounts).where(and(condition, where)).limit(limit),
    seen: (rows) =>
      rows.map(({ account, ...more }) => {
        const deletedAt = account.deletedAt ?? 0
        return { ...account, ...more, deletedAt, until: restorableUntil(deletedAt) }
      }),
  })
}
