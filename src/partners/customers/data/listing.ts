import { and, asc, lt, not, type Placeholder, type SQL, sql } from 'drizzle-orm'
import { accountSorts } from '../../../accounts/data/account.ts'
import { hasAdmin } from '../../../accounts/members/data.ts'
import { countSuspended } from '../../../accounts/suspension/data.ts'
import { isFew } from '../../../db/counting.ts'
import { foldCase } from '../../../db/fold.ts'
import type { AccountId } from '../../../db/ids.ts'
import { betweenDays, isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { placeholdersOf } from '../../../db/prepared.ts'
import { accounts } from '../../../db/schema.ts'
import { amongFew, isOneOf } from '../../../db/search.ts'
import { type FoundBy, matchWithPeople } from '../../../db/search-people.ts'
import { isActive, isAmongSuspended, isSuspended, suspensionOf } from '../../../db/suspension.ts'
import { nearLimit } from '../../../quotas/arithmetic.ts'
import { hasLimitAt } from '../../../quotas/data/uses.ts'
import { countedResource } from '../../../quotas/resources/data.ts'
import { type Customer, livingOf } from '../../data.ts'

// Drizzle leaves out a column's table where a query has only one, so a subquery names its own.
const users = sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id)`
const projectLimit = sql<
  number | null
>`(select limits.amount from limits cross join resources on resources.id = limits.resource_id
  where limits.account_id = accounts.id and limits.level = 'account' and resources.key = ${countedResource})`
const columns = {
  id: accounts.id,
  name: accounts.name,
  identifier: accounts.identifier,
  sortKey: accounts.sortKey,
  createdAt: accounts.createdAt,
  suspendedAt: accounts.suspendedAt,
  suspendedReason: accounts.suspendedReason,
  supportSuspendedAt: accounts.supportSuspendedAt,
  supportSuspendedReason: accounts.supportSuspendedReason,
}

/** What a file says instead of a number where nothing limits a customer. */
export const unlimited = 'unlimited'

export type CustomerRow = Pick<Customer, keyof typeof columns> & {
  users: number
  projectLimit: number | null
  foundBy: FoundBy | null
}

/** What a list of customers can be sorted and narrowed down by. */
export const customerList = {
  name: 'customers',
  id: accounts.id,
  idOf: (customer) => customer.id,
  sorts: accountSorts,
  columns: {
    name: { head: 'Name', look: 'main who', sorts: ['name', 'name-z'], file: ({ name }) => name },
    identifier: { file: ({ identifier }) => identifier },
    users: { head: 'Users', look: 'num wide', file: ({ users }) => users },
    projects: { head: 'Projects', look: 'muted' },
    status: {
      head: 'Status',
      look: 'state not-narrow',
      file: (customer) => (suspensionOf(customer) ? 'suspended' : 'active'),
    },
    created: {
      head: 'Created',
      look: 'mid muted',
      sorts: ['created', 'oldest'],
      file: ({ createdAt }) => isoTime(createdAt),
    },
    nearest: { head: 'Near a limit', look: 'mid' },
    // Read again by an import, which leaves a limit as it is where the cell is empty.
    'project limit': { file: ({ projectLimit }) => projectLimit ?? unlimited },
  },
  filters: {
    status: { active: 'Active', suspended: 'Suspended' },
    limits: { over: 'Over a limit', close: 'Near a limit', near: 'Near a limit or over it' },
    admin: { none: 'Without a Customer Admin', missing: 'Without one, and none invited' },
    invitations: {
      expired: 'Invitation expired',
      ending: 'Invitation expires within 48 hours',
      failed: 'Invitation e-mail failed',
    },
    used: { idle: 'Idle for 90 days' },
    tag: 'text',
    from: 'day',
    until: 'day',
  },
} as const satisfies ListSpec<CustomerRow>

export type CustomerFilter = keyof typeof customerList.filters

/** A partner's customers, as they are at this time. They are found by their people's e-mails as well. */
export function listCustomers(
  db: Db,
  partnerId: AccountId,
  query: ListQuery<CustomerFilter>,
  at: number,
): List<CustomerRow> {
  const { found, few, foundBy } = matchWithPeople(db, query.q, { partnerId })
  const values = { partnerId }
  const ofPartner = livingOf(placeholdersOf(values).partnerId)
  const rare = query.filters.status === 'suspended' && isFew(countSuspended(db)) ? isAmongSuspended : undefined
  const living = few || rare ? amongFew(ofPartner) : ofPartner
  return readPage(db, customerList, query, {
    values,
    narrowed: and(found, rare, narrowCustomers(query.filters, at), hasTag(partnerId, query.filters.tag)),
    among: few || rare ? undefined : { table: accounts, own: living },
    rows: ({ where, orderBy, limit }) =>
      db
        .select({ ...columns, users, projectLimit, foundBy })
        .from(accounts)
        .where(and(living, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: accounts.id }).from(accounts).where(and(living, where)).limit(limit),
    seen: (rows) => rows,
  })
}

/** Of these identifiers, the partner's customers, by name. */
export function listCustomersNamed(db: Db, partnerId: AccountId, identifiers: string[]): CustomerRow[] {
  return db
    .select({ ...columns, users, projectLimit, foundBy: sql<null>`null` })
    .from(accounts)
    .where(and(livingOf(partnerId), isOneOf(accounts.identifier, identifiers)))
    .orderBy(asc(accounts.sortKey))
    .all()
}

const day = 24 * 3_600_000
/** Nobody has worked in it for so long. */
const idleAfter = 90 * day

/** An invitation that expires so soon needs somebody. */
const endingSoon = 2 * day

/** Whether the account has a pending invitation that matches this condition. */
const invitation = (condition: SQL) =>
  sql`exists (select 1 from invitations as own where own.account_id = accounts.id and own.state = 'pending' and ${condition})`

/** What holds of the customers that filters leave; but for the tag, which is a partner's own. */
export function narrowCustomers(
  filters: ListQuery<CustomerFilter>['filters'],
  at: number | Placeholder<string, number>,
): SQL | undefined {
  const { status, limits, admin, invitations, used, from, until } = filters
  return and(
    status === 'active' ? isActive : undefined,
    status === 'suspended' ? isSuspended : undefined,
    limits === 'over' ? hasLimitAt(100, true) : undefined,
    limits === 'close' ? and(hasLimitAt(nearLimit), not(hasLimitAt(100, true))) : undefined,
    limits === 'near' ? hasLimitAt(nearLimit) : undefined,
    admin === 'none' ? not(hasAdmin) : undefined,
    admin === 'missing'
      ? and(not(hasAdmin), not(invitation(sql`own.role = 'admin' and own.expires_at > ${at}`)))
      : undefined,
    invitations === 'expired' ? invitation(sql`own.expires_at <= ${at}`) : undefined,
    invitations === 'ending'
      ? invitation(sql`own.expires_at > ${at} and own.expires_at <= ${at} + ${endingSoon}`)
      : undefined,
    invitations === 'failed'
      ? invitation(
          sql`exists (select 1 from letters where letters.invitation_id = own.id and letters.state = 'failed')`,
        )
      : undefined,
    used === 'idle'
      ? and(
          lt(accounts.createdAt, sql`${at} - ${idleAfter}`),
          sql`not exists (select 1 from memberships as own where own.account_id = accounts.id and own.last_used_at >= ${at} - ${idleAfter})`,
        )
      : undefined,
    betweenDays(accounts.createdAt, from, until),
  )
}

/** A tag in any spelling of upper and lower case. */
const hasTag = (partnerId: AccountId, tag: string) =>
  tag
    ? sql`exists (select 1 from ties as own cross join tie_tags on tie_tags.tie_id = own.id
        where own.account_id = accounts.id and tie_tags.partner_id = ${partnerId} and tie_tags.tag_key = ${foldCase(tag)})`
    : undefined
