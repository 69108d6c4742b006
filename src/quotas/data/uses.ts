import { and, asc, count, eq, inArray, isNull, type SQL, sql, sum } from 'drizzle-orm'
import type { AccountId, ProjectId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { type Placeholders, prepared } from '../../db/prepared.ts'
import { limits, projects, resources } from '../../db/schema.ts'
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

const givenToProjects = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
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

/** What accounts have given to their projects, and how many projects they have: by account and resource. */
export function givenBy(db: Db, accountIds: AccountId[]): Map<AccountId, Map<number, number>> {
  const given = new Map<AccountId, Map<number, number>>(accountIds.map((id) => [id, new Map()]))
  const ids = JSON.stringify(accountIds)
  for (const { accountId, resourceId, n } of givenToProjects(db).all({ ids }))
    given.get(accountId)?.set(resourceId, n ?? 0)
  for (const { accountId, resourceId, n } of projectsOf(db).all({ ids })) given.get(accountId)?.set(resourceId, n)
  return given
}

/**
 * What a partner's pool has allocated, by resource: for each customer its limit or, if that is more or there is
 * no limit, what the customer has allocated to its projects or uses itself. Deleted customers hold nothing of
 * the pool. Only of the asked resources: this reads a row of each for every customer.
 */
export function poolGiven(db: Db, partnerId: AccountId, resourceIds: number[]): Map<number, number> {
  if (resourceIds.length === 0) return new Map()
  const asked = sql`(select value from json_each(${JSON.stringify(resourceIds)}))`
  const living = sql`accounts.partner_id = ${partnerId} and accounts.deleted_at is null`
  const rows = db.all<{ resourceId: number; n: number }>(sql`
    select taken.resource_id as "resourceId", sum(taken.n) as n from (
      select one.resource_id, one.account_id, max(one.n) as n from (
        select limits.resource_id, limits.account_id, limits.amount as n
          from accounts cross join limits on limits.account_id = accounts.id and limits.level = 'account'
          where ${living} and limits.resource_id in ${asked} and limits.amount is not null
        union all
        select limits.resource_id, limits.account_id, sum(limits.amount) as n
          from accounts cross join limits on limits.account_id = accounts.id and limits.level = 'project'
          where ${living} and limits.resource_id in ${asked} and limits.amount is not null
          group by limits.account_id, limits.resource_id
        union all
        select resources.id, projects.account_id, count(*) as n
          from accounts cross join projects on projects.account_id = accounts.id and projects.deleted_at is null
          cross join resources on resources.key = ${countedResource}
          where ${living} and resources.id in ${asked}
          group by projects.account_id
      ) as one group by one.resource_id, one.account_id
    ) as taken group by taken.resource_id`)
  return new Map(rows.map(({ resourceId, n }) => [resourceId, n]))
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
  const given = givenBy(db, accountIds)
  const amounts = new Map<AccountId, Map<number, number | null>>(accountIds.map((id) => [id, new Map()]))
  for (const { accountId, resourceId, amount } of limitsOfAccounts(db).all({ ids: JSON.stringify(accountIds) }))
    amounts.get(accountId)?.set(resourceId, amount)
  return new Map(
    accountIds.map((id) => [
      id,
      catalogue.map((resource) => ({
        resource,
        limit: amounts.get(id)?.get(resource.id) ?? null,
        given: given.get(id)?.get(resource.id) ?? 0,
      })),
    ]),
  )
}

/**
 * Whether so much of a limit of an account is given out, in per cent of its number, or more than that:
 * for lists of accounts.
 */
export function hasLimitAt(percent: number, more = false): SQL {
  const given = sql`case when resources.key = ${countedResource}
    then (select count(*) from projects as own where own.account_id = accounts.id and own.deleted_at is null)
    else (select coalesce(sum(part.amount), 0) from limits as part
      where part.account_id = accounts.id and part.level = 'project' and part.resource_id = whole.resource_id) end`
  return sql`exists (select 1 from limits as whole cross join resources on resources.id = whole.resource_id
    where whole.account_id = accounts.id and whole.level = 'account' and whole.amount is not null
    and (${given}) * 100 ${more ? sql`>` : sql`>=`} whole.amount * ${percent} and (whole.amount > 0 or (${given}) > 0))`
}

/** What projects of an account were given, by project: only what has a number. */
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
