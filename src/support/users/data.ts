import { and, isNotNull, isNull, sql } from 'drizzle-orm'
import { countForTab, isFew } from '../../db/counting.ts'
import { betweenDays, isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import type { Db } from '../../db/open.ts'
import { users } from '../../db/schema.ts'
import { amongFew, match } from '../../db/search.ts'
import { upTo } from '../../web/format.ts'

export type UserRow = Pick<
  typeof users.$inferSelect,
  'id' | 'name' | 'email' | 'sortKey' | 'operator' | 'lastSeenAt' | 'createdAt' | 'disabledAt'
> & { /** Or a passkey: something to reset. */ twoFactor: number; accounts: number; sessions: number }

export const userList = {
  name: 'all-users',
  id: users.id,
  idOf: (user) => user.id,
  sorts: {
    name: { words: 'Name', column: users.sortKey, order: 'asc', value: (user) => user.sortKey },
    'name-z': { words: 'Name, Z to A', column: users.sortKey, order: 'desc', value: (user) => user.sortKey },
    created: { words: 'Newest first', column: users.createdAt, order: 'desc', value: (user) => user.createdAt },
  },
  columns: {
    name: { head: 'Name', look: 'main who person', sorts: ['name', 'name-z'], file: ({ name }) => name },
    'e-mail': { file: ({ email }) => email },
    accounts: { head: 'Accounts', look: 'num wide', file: ({ accounts }) => accounts },
    sessions: { head: 'Sessions', look: 'num wide' },
    status: { head: 'Status', file: ({ disabledAt }) => (disabledAt === null ? 'active' : 'disabled') },
    'last seen': { head: 'Last seen', look: 'mid muted', file: ({ lastSeenAt }) => isoTime(lastSeenAt) },
    created: { file: ({ createdAt }) => isoTime(createdAt) },
  },
  filters: {
    status: { active: 'Active', disabled: 'Disabled' },
    kind: { support: 'Support' },
    from: 'day',
    until: 'day',
  },
} as const satisfies ListSpec<UserRow>

const people = sql`${users.deletedAt} is null and ${users.service} = 0`

const conditions = { All: undefined, Disabled: isNotNull(users.disabledAt), Support: sql`${users.operator}` }

/** The few of a condition are read by the index that has only these, not among all people. */
function countUsers(db: Db, label: keyof typeof conditions) {
  const condition = conditions[label]
  const rows = () =>
    db
      .select({ one: users.id })
      .from(users)
      .where(condition ? and(condition, amongFew(people)) : people)
  return countForTab(db, `all users: ${label}`, rows)
}

/** The tabs of the list. */
export function userViews(db: Db) {
  const view = (label: keyof typeof conditions, filters: Partial<Record<UserFilter, string>>) => ({
    label,
    filters,
    n: upTo(countUsers(db, label)),
    look: '',
  })
  return [view('All', {}), view('Disabled', { status: 'disabled' }), view('Support', { kind: 'support' })]
}

export type UserFilter = keyof typeof userList.filters

export function listUsers(db: Db, query: ListQuery<UserFilter>): List<UserRow> {
  const { status, kind, from, until } = query.filters
  const { found, few } = match(db, { table: 'users', id: users.id, text: users.search }, query.q)
  const rare =
    status === 'disabled' && isFew(countUsers(db, 'Disabled'))
      ? sql`${users.id} in (select one.id from users as one where one.disabled_at is not null)`
      : kind === 'support' && isFew(countUsers(db, 'Support'))
        ? sql`${users.id} in (select one.id from users as one where one.operator)`
        : undefined
  const living = few || rare ? amongFew(people) : people
  const narrowed = and(
    found,
    rare,
    status === 'active' ? isNull(users.disabledAt) : undefined,
    status === 'disabled' ? conditions.Disabled : undefined,
    kind === 'support' ? conditions.Support : undefined,
    betweenDays(users.createdAt, from, until),
  )
  return readPage(db, userList, query, {
    values: {},
    narrowed,
    among: few || rare ? undefined : { table: users, own: living },
    rows: ({ where, orderBy, limit }) =>
      db
        .select({
          id: users.id,
          name: users.name,
          email: users.email,
          sortKey: users.sortKey,
          operator: users.operator,
          lastSeenAt: users.lastSeenAt,
          createdAt: users.createdAt,
          disabledAt: users.disabledAt,
          twoFactor: sql<number>`users.totp_secret is not null or exists (select 1 from passkeys as own where own.user_id = users.id) or exists (select 1 from identities as own where own.user_id = users.id)`,
          accounts: sql<number>`(select count(*) from memberships as own join accounts on accounts.id = own.account_id where own.user_id = users.id and accounts.deleted_at is null)`,
          sessions: sql<number>`(select count(*) from sessions as own where own.user_id = users.id)`,
        })
        .from(users)
        .where(and(living, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) => db.select({ one: users.id }).from(users).where(and(living, where)).limit(limit),
    seen: (rows) => rows,
  })
}
