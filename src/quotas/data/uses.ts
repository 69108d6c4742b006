import { and, asc, count, eq, inArray, isNull, type SQL, sql, sum } from 'drizzle-orm'
import type { AccountId, ProjectId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { limits, poolSums, projects, resources } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'
import type { Level, Use } from '../arithmetic.ts'
import { countedResource, listResources, type Resource } from '../resources/data.ts'

/** The catalogue as far as a level has it: there are no projects in a project. */
export function listLimitable(db: Db, level: Level, key?: string): Resource[] {
  return listResources(db).filter(
    (resource) =>
      (key === undefined || resource.key === key) && (level !== 'project' || resource.key !== countedResource),
  )
}

const allocatedToProjects = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
  db
    .select({ accountId: limits.accountId, resourceId: limits.resourceId, n: sum(limits.amount).mapWith(Number) })
    .from(limits)
    .where(and(isOneOf(limits.accountId, ids), eq(limits.level, 'project')))
    .groupBy(limits.accountId, limits.resourceId)
    .prepare(),
)

const projectsOf = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
  db
    .select({ accountId: projects.accountId, resourceId: sql<number>`min(${resources.id})`, n: count() })
    .from(projects)
    .innerJoin(resources, eq(resources.key, countedResource))
    .where(and(isOneOf(projects.accountId, ids), isNull(projects.deletedAt)))
    .groupBy(projects.accountId)
    .prepare(),
)

/** What accounts have allocated to their projects, and how many projects they have: by account and resource. */
export function allocatedBy(db: Db, accountIds: AccountId[]): Map<AccountId, Map<number, number>> {
  const allocated = new Map<AccountId, Map<number, number>>(accountIds.map((id) => [id, new Map()]))
  const ids = JSON.stringify(accountIds)
  for (const { accountId, resourceId, n } of allocatedToProjects(db).all({ ids }))
    allocated.get(accountId)?.set(resourceId, n ?? 0)
  for (const { accountId, resourceId, n } of projectsOf(db).all({ ids })) allocated.get(accountId)?.set(resourceId, n)
  return allocated
}

const sumsOfPool = prepared((db, { partnerId }: Placeholders<{ partnerId: AccountId }>) =>
  db
    .select({ resourceId: poolSums.resourceId, amount: poolSums.amount })
    .from(poolSums)
    .where(equals(poolSums.partnerId, partnerId))
    .prepare(),
)

/**
 * What a partner's pool has allocated, by resource: for each customer its limit or, if that is more or there is no limit, what
 * the customer has allocated to its projects or uses itself. Deleted customers hold nothing of the pool (src/db/pool-sums.ts).
 */
export function allocatedOfPool(db: Db, partnerId: AccountId): Map<number, number> {
  return new Map(
    sumsOfPool(db)
      .all({ partnerId })
      .map(({ resourceId, amount }) => [resourceId, amount]),
  )
}

const limitsOfAccounts = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
  db
    .select({ accountId: limits.accountId, resourceId: limits.resourceId, amount: limits.amount })
    .from(limits)
    .where(and(isOneOf(limits.accountId, ids), eq(limits.level, 'account')))
    .prepare(),
)

/** The limits of several accounts with the allocated amount of each: for lists. */
export function usesOf(db: Db, accountIds: AccountId[]): Map<AccountId, Use[]> {
  const catalogue = listLimitable(db, 'account')
  const allocated = allocatedBy(db, accountIds)
  const amounts = new Map<AccountId, Map<number, number | null>>(accountIds.map((id) => [id, new Map()]))
  for (const { accountId, resourceId, amount } of limitsOfAccounts(db).all({ ids: JSON.stringify(accountIds) }))
    amounts.get(accountId)?.set(resourceId, amount)
  return new Map(
    accountIds.map((id) => [
      id,
      catalogue.map((resource) => ({
        resource,
        limit: amounts.get(id)?.get(resource.id) ?? null,
        allocated: allocated.get(id)?.get(resource.id) ?? 0,
      })),
    ]),
  )
}

/**
 * Whether so much of a limit of an account is allocated, in per cent of its number, or more than that:
 * for lists of accounts.
 */
export function hasLimitAt(percent: number, more = false): SQL {
  const allocated = sql`case when resources.key = ${countedResource}
    then (select count(*) from projects as own where own.account_id = accounts.id and own.deleted_at is null)
    else (select coalesce(sum(part.amount), 0) from limits as part
      where part.account_id = accounts.id and part.level = 'project' and part.resource_id = whole.resource_id) end`
  return sql`exists (select 1 from limits as whole cross join resources on resources.id = whole.resource_id
    where whole.account_id = accounts.id and whole.level = 'account' and whole.amount is not null
    and (${allocated}) * 100 ${more ? sql`>` : sql`>=`} whole.amount * ${percent} and (whole.amount > 0 or (${allocated}) > 0))`
}

/** The limits of an account's projects, by project: only what has a number. */
export function limitsOfProjects(db: Db, accountId: AccountId, projectIds: ProjectId[]) {
  const rows = db
    .select({ projectId: limits.projectId, name: resources.name, unit: resources.unit, amount: limits.amount })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(
      and(
        eq(limits.accountId, accountId),
        eq(limits.level, 'project'),
        inArray(limits.projectId, projectIds),
        sql`${limits.amount} is not null`,
      ),
    )
    .orderBy(asc(resources.id))
    .all()
  return new Map(projectIds.map((id) => [id, rows.filter(({ projectId }) => projectId === id)]))
}
