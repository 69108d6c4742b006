import { and, asc, desc, eq, type Placeholder, type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { firstPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { type Placeholders, prepared } from '../../../db/prepared.ts'
import { accounts, invitations, letters } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { nearestLimit, type Use } from '../../../quotas/arithmetic.ts'
import { usesOf } from '../../../quotas/data/uses.ts'
import { livingOf } from '../../data.ts'
import { type CustomerFilter, customerList, narrowCustomers } from './listing.ts'

// What a partner's customers need somebody for. The customers that Home names are looked at again each time, so what it
// says about one is never old.

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
export function needBits(at: Placeholder<string, number>): SQL<number> {
  const bits = allNeeds.map((need, bit) => {
    const filters = { ...firstPage(customerList).filters, ...needs[need].filter }
    return sql`(coalesce(${narrowCustomers(filters, at)}, 0) << ${bit})`
  })
  return sql<number>`(${sql.join(bits, sql` | `)})`
}

const needsOf = (bits: number) => allNeeds.filter((_, bit) => (bits >> bit) & 1)

/** A customer that needs somebody, as it is now. */
export type NeedyCustomer = {
  need: NamedNeed
  name: string
  identifier: string
  /** Of its nearest limit. */
  use: Use | undefined
  invitation: { name: string; email: string; expiresAt: number } | undefined
}

/** The needs of an overview, with the newest customers of each. */
export type Needs = Record<Need, { n: number; newest: AccountId[] }>

const needyNow = prepared((db, places: Placeholders<{ partnerId: AccountId; ids: string; at: number }>) =>
  db
    .select({ id: accounts.id, name: accounts.name, identifier: accounts.identifier, needs: needBits(places.at) })
    .from(accounts)
    .where(and(livingOf(places.partnerId), isOneOf(accounts.id, places.ids)))
    .orderBy(desc(accounts.id))
    .prepare(),
)

/** The customers that an overview names and that still need what it says; each once. */
export function listNeedy(db: Db, partnerId: AccountId, counted: Needs, at: number): NeedyCustomer[] {
  const ids = [...new Set(allNeeds.filter(isNamed).flatMap((need) => counted[need].newest))]
  const asked = JSON.stringify(ids)
  const rows = needyNow(db).all({ partnerId, ids: asked, at })
  const uses = usesOf(db, ids)
  const pending = pendingOf(db).all({ ids: asked })
  return rows.flatMap(({ id, name, identifier, needs: now }) => {
    const need = needsOf(now).find(isNamed)
    const invitation = pending.find((one) => one.accountId === id && isWhy(one, need, at))
    return need ? [{ need, name, identifier, use: nearestLimit(uses.get(id) ?? []), invitation }] : []
  })
}

const pendingOf = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
  db
    .select({
      accountId: invitations.accountId,
      name: invitations.name,
      email: invitations.email,
      expiresAt: invitations.expiresAt,
      failed: sql<number>`exists (select 1 from ${letters} where letters.invitation_id = invitations.id and letters.state = 'failed')`,
    })
    .from(invitations)
    .where(and(isOneOf(invitations.accountId, ids), eq(invitations.state, 'pending')))
    .orderBy(asc(invitations.expiresAt))
    .limit(100)
    .prepare(),
)

type Pending = ReturnType<ReturnType<typeof pendingOf>['all']>[number]

function isWhy({ failed, expiresAt }: Pending, need: Need | undefined, at: number): boolean {
  return need === 'failed' ? failed === 1 : need === 'expired' ? expiresAt <= at : need === 'ending' && expiresAt > at
}
