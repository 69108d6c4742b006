import { and, asc, eq, gt, isNull } from 'drizzle-orm'
import { type AccountId, asAccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { accounts, limits, resources } from '../../db/schema.ts'
import type { PoolShortage, Use, Want } from '../arithmetic.ts'
import { countedResource } from '../resources/data.ts'
import { findQuotas } from './limits.ts'
import { usesOf } from './uses.ts'

/** What a partner's pool cannot give of this: for an account that comes, or comes back, to it. */
export function poolShortages(db: Db, partnerId: AccountId, wants: Want[]): PoolShortage[] {
  const pool = findQuotas(db, { level: 'pool', accountId: partnerId })?.quotas ?? []
  return wants.flatMap(({ resource, amount: takes }) => {
    const available = pool.find((quota) => quota.resource.id === resource.id)?.own.available ?? null
    return available === null || takes === 0 || takes <= available
      ? []
      : [{ resource, takes, available: Math.max(0, available) }]
  })
}

const poolOfProjects = prepared((db, { partnerId }: Placeholders<{ partnerId: AccountId }>) =>
  db
    .select({ amount: limits.amount })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(and(equals(limits.accountId, partnerId), eq(limits.level, 'pool'), eq(resources.key, countedResource)))
    .prepare(),
)

/** How many projects a partner's customers may have together; null where nothing bounds them. */
export function projectPool(db: Db, partnerId: AccountId): number | null {
  return poolOfProjects(db).get({ partnerId })?.amount ?? null
}

/** Whether a partner's pool has a number for projects: then customers without one share it. */
export function poolBoundsProjects(db: Db, partnerId: AccountId): boolean {
  return projectPool(db, partnerId) !== null
}

export const quotaColumns = ['level', 'name', 'identifier', 'resource', 'unit', 'limit', 'allocated', 'available']

/** A partner's pool and every customer's quotas, row by row: for a file. */
export function* quotaRows(db: Db, partnerId: AccountId) {
  const row = (level: string, { name, identifier }: { name: string; identifier: string }, use: Use) => [
    level,
    name,
    identifier,
    use.resource.key,
    use.resource.unit,
    use.limit,
    use.allocated,
    use.limit === null ? null : use.limit - use.allocated,
  ]
  const partner = db.select().from(accounts).where(eq(accounts.id, partnerId)).get()
  const pool = findQuotas(db, { level: 'pool', accountId: partnerId })
  for (const quota of pool?.quotas ?? [])
    yield row('pool', partner ?? { name: '', identifier: '' }, { resource: quota.resource, ...quota.own })
  let after = asAccountId(0)
  for (;;) {
    const customers = db
      .select({ id: accounts.id, name: accounts.name, identifier: accounts.identifier })
      .from(accounts)
      .where(and(eq(accounts.partnerId, partnerId), isNull(accounts.deletedAt), gt(accounts.id, after)))
      .orderBy(asc(accounts.id))
      .limit(500)
      .all()
    const last = customers.at(-1)
    if (!last) return
    after = last.id
    const uses = usesOf(
      db,
      customers.map(({ id }) => id),
    )
    for (const customer of customers)
      for (const use of uses.get(customer.id) ?? []) yield row('customer', customer, use)
  }
}
