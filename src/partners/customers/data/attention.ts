import { setImmediate } from 'node:timers/promises'
import { and, asc, desc, eq, gt, inArray, type SQL, sql } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import { firstPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { perConnection } from '../../../db/prepared.ts'
import { accounts, invitations, letters } from '../../../db/schema.ts'
import { forAMinute } from '../../../db/totals.ts'
import { nearestLimit, type Use } from '../../../quotas/arithmetic.ts'
import { usesOf } from '../../../quotas/data/uses.ts'
import { newestRecord, newestRecordFrom, newestRecordOf } from '../../../records/record.ts'
import { livingOf } from './customers.ts'
import { type CustomerFilter, customerList, narrowCustomers } from './listing.ts'

// What a partner's customers need somebody for, and how many of what they have. It takes a look at every customer, so it
// is counted in slices and kept for a minute; an act of the partner's own people ends that minute at once. The
// customers that Home names are looked at again each time, so what it says about one is never old.

/** What a customer may need, by the filter of the list that shows all who do. The first that holds is what Home says. */
export const needs = {
  failed: {
    words: ['customer with a failed invitation e-mail', 'customers with a failed invitation e-mail'],
    filter: { invitations: 'failed' },
  },
  expired: {
    words: ['customer whose invitation was never accepted', 'customers whose invitation was never accepted'],
    filter: { invitations: 'expired' },
  },
  ending: {
    words: ['customer whose invitation expires within 48 hours', 'customers whose invitation expires within 48 hours'],
    filter: { invitations: 'ending' },
  },
  over: { words: ['customer over a limit', 'customers over a limit'], filter: { limits: 'over' } },
  near: { words: ['customer near a limit', 'customers near a limit'], filter: { limits: 'close' } },
  missing: {
    words: [
      'customer without a Customer Admin, and none invited',
      'customers without a Customer Admin, and none invited',
    ],
    filter: { admin: 'missing' },
  },
  suspended: { words: ['customer suspended', 'customers suspended'], filter: { status: 'suspended' } },
  idle: { words: ['customer idle for 90 days', 'customers idle for 90 days'], filter: { used: 'idle' } },
} as const satisfies Record<string, { words: [string, string]; filter: Partial<Record<CustomerFilter, string>> }>

export type Need = keyof typeof needs
export const allNeeds = Object.keys(needs) as Need[]

/** Those that have a line of their own for each customer; the others are only counted. */
type NamedNeed = Exclude<Need, 'suspended' | 'idle'>
export const isNamed = (need: Need): need is NamedNeed => need !== 'suspended' && need !== 'idle'

/** A number with a bit for each need of a customer. */
function needsAt(at: number): SQL<number> {
  const bits = allNeeds.map((need, bit) => {
    const filters = { ...firstPage(customerList).filters, ...needs[need].filter }
    return sql`(coalesce(${narrowCustomers(filters, at)}, 0) << ${bit})`
  })
  return sql<number>`(${sql.join(bits, sql` | `)})`
}

const needsOf = (bits: number) => allNeeds.filter((_, bit) => (bits >> bit) & 1)

/** A partner's customers, counted: at this time, by month of creation, with what they have and what they need. */
export type Overview = {
  at: number
  customers: number
  /** How many there were at each of the times that were asked for. */
  growth: number[]
  projects: number
  users: number
  needs: Record<Need, { n: number; newest: AccountId[] }>
}

/** So many customers of each need are named. */
const named = 4
/** Customers that are looked at without letting other requests in between: some milliseconds. */
const slice = 1_000
/** Its growth is told for the ends of months (`monthEnds`). */
export function overviewOf(
  db: Db,
  { partnerId, userId }: { partnerId: AccountId; userId: UserId },
  at: number,
): Promise<Overview> {
  const has = Math.max(newestRecordFrom(db, partnerId), newestRecordOf(db, userId))
  return forAMinute(db, `overview ${partnerId}`, { has, newest: () => newestRecord(db), at }, () =>
    countCustomers(db, partnerId, at, monthEnds(at)),
  )
}

const lastOverviews = perConnection(() => new Map<AccountId, Overview>())
const mostOverviews = 1_000

/**
 * The last overview, for what shows its numbers besides something else and waits for none. Up to a slice of customers it is as
 * `overviewOf` says it; of more, what was counted before, while they are counted anew. Undefined the first time.
 */
export function lastOverviewOf(
  db: Db,
  who: { partnerId: AccountId; userId: UserId },
  at: number,
  failed: (error: unknown) => void,
): Overview | undefined {
  overviewOf(db, who, at).catch(failed)
  return lastOverviews(db).get(who.partnerId)
}

/** The ends of the eleven months before this one. */
export function monthEnds(at: number): number[] {
  const { year, month } = { year: new Date(at).getUTCFullYear(), month: new Date(at).getUTCMonth() }
  return Array.from({ length: 11 }, (_, n) => Date.UTC(year, month - 10 + n, 1) - 1)
}

async function countCustomers(db: Db, partnerId: AccountId, at: number, times: number[]): Promise<Overview> {
  const counted = { customers: 0, projects: 0, users: 0, growth: times.map(() => 0) }
  const found = Object.fromEntries(
    allNeeds.map((need) => [need, { n: 0, newest: [] as AccountId[] }]),
  ) as Overview['needs']
  const bits = needsAt(at)
  let after: AccountId | undefined
  for (;;) {
    const rows = db
      .select({
        id: accounts.id,
        createdAt: accounts.createdAt,
        needs: bits,
        users: sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id and not own.from_partner)`,
        projects: sql<number>`(select count(*) from projects as own where own.account_id = accounts.id and own.deleted_at is null)`,
      })
      .from(accounts)
      .where(and(livingOf(partnerId), after && gt(accounts.id, after)))
      .orderBy(asc(accounts.id))
      .limit(slice)
      .all()
    for (const row of rows) {
      counted.customers += 1
      counted.users += row.users
      counted.projects += row.projects
      for (const need of needsOf(row.needs)) {
        found[need].n += 1
        found[need].newest = [row.id, ...found[need].newest].slice(0, named)
      }
    }
    for (const [n, time] of times.entries())
      counted.growth[n] = (counted.growth[n] ?? 0) + rows.filter(({ createdAt }) => createdAt <= time).length
    const last = rows.at(-1)
    if (!last || rows.length < slice) {
      const all = lastOverviews(db)
      if (all.size >= mostOverviews) all.clear()
      all.set(partnerId, { at, ...counted, needs: found })
      return { at, ...counted, needs: found }
    }
    after = last.id
    await setImmediate()
  }
}

/** A customer that needs somebody, as it is now. */
export type NeedyCustomer = {
  need: NamedNeed
  name: string
  identifier: string
  /** Of its nearest limit. */
  use: Use | undefined
  invitation: { name: string; email: string; expiresAt: number } | undefined
}

/** The customers that an overview names and that still need what it says; each once. */
export function listNeedy(db: Db, partnerId: AccountId, overview: Overview, at: number): NeedyCustomer[] {
  const ids = [...new Set(allNeeds.filter(isNamed).flatMap((need) => overview.needs[need].newest))]
  const rows = db
    .select({ id: accounts.id, name: accounts.name, identifier: accounts.identifier, needs: needsAt(at) })
    .from(accounts)
    .where(and(livingOf(partnerId), inArray(accounts.id, ids)))
    .orderBy(desc(accounts.id))
    .all()
  const uses = usesOf(db, ids)
  const pending = pendingOf(db, ids)
  return rows.flatMap(({ id, name, identifier, needs: now }) => {
    const need = needsOf(now).find(isNamed)
    const invitation = pending.find((one) => one.accountId === id && isWhy(one, need, at))
    return need ? [{ need, name, identifier, use: nearestLimit(uses.get(id) ?? []), invitation }] : []
  })
}

function pendingOf(db: Db, ids: AccountId[]) {
  return db
    .select({
      accountId: invitations.accountId,
      name: invitations.name,
      email: invitations.email,
      expiresAt: invitations.expiresAt,
      failed: sql<number>`exists (select 1 from ${letters} where letters.invitation_id = invitations.id and letters.state = 'failed')`,
    })
    .from(invitations)
    .where(and(inArray(invitations.accountId, ids), eq(invitations.state, 'pending')))
    .orderBy(asc(invitations.expiresAt))
    .limit(100)
    .all()
}

type Pending = ReturnType<typeof pendingOf>[number]

function isWhy({ failed, expiresAt }: Pending, need: Need | undefined, at: number): boolean {
  return need === 'failed' ? failed === 1 : need === 'expired' ? expiresAt <= at : need === 'ending' && expiresAt > at
}
