import { and, asc, count, eq, gt, inArray, isNull, or, type SQL, sql, sum } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { type Db, write } from '../../db/open.ts'
import { prepared } from '../../db/prepared.ts'
import { accounts, limits, projects, resources, users } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'
import { type Actor, type Change, record } from '../../records/record.ts'
import { countedResource, listResources, type Resource } from '../resources/data.ts'

// Limits stand on three levels: a partner's pool (for all its customers together), an account, a
// project. A number is given out of the level above; without one, a level shares what the level above
// has left. What is given out below a level is never raised above its number.

export type Level = (typeof limits.$inferSelect)['level']

/** Whose limits: an account named here is the one that the route found for its viewer. */
export type Holder =
  | { level: 'pool' | 'account'; accountId: number; projectId?: undefined }
  | { level: 'project'; accountId: number; projectId: number }

/** One level of a resource’s quota. */
export type Step = {
  level: Level
  /** Whose it is: the name of the partner, the account or the project. */
  name: string
  /** Its own number; null where it shares what the level above has left. */
  limit: number | null
  /** What is given out of it, or in use: projects are counted as they live. */
  given: number
  /** What of its number is not given out; negative when it is over its limit, null without a number. */
  left: number | null
  /** Who set it last: null where nobody ever did. */
  set: { by: string; from: string | null; at: number; remark: string } | null
}

/** What bounds a resource somewhere: its own level first, then those above. */
export type Quota = {
  resource: Resource
  own: Step
  above: Step[]
  /** The nearest level that has a number; undefined when nothing bounds it. */
  bound: Step | undefined
  /** What can still be given out here, at least 0; null when nothing bounds it. */
  left: number | null
}

export type Quotas = { quotas: Quota[]; version: number }

/** Amounts by the id of their resource. */
export type Amounts = Map<number, number | null>

/** A number that the level above cannot give: how much it has left, how much more it would take, and the most that would do. */
export type Shortage = { resource: Resource; bound: Step; left: number; more: number; most: number }

/** Thrown in a transaction, so that it takes back everything that it has changed. */
export class NotEnough extends Error {
  readonly shortages: Shortage[]
  constructor(shortages: Shortage[]) {
    super('The level above has not enough left.')
    this.shortages = shortages
  }
}

type Place = { name: string; partnerId: number | null; partnerName: string | null; projectName: string | null }

const partner = alias(accounts, 'partner')
const setter = alias(users, 'setter')
const setFrom = alias(accounts, 'set_from')

/**
 * The quotas of a partner's pool, an account or a living project: each resource's, or one's; and the
 * version that an edit of them is made on. Undefined when there is no such place.
 */
export function findQuotas(db: Db, holder: Holder, key?: string): Quotas | undefined {
  const place = findPlace(db, holder)
  if (!place) return undefined
  const { level, accountId, projectId } = holder
  const partnerId = level === 'pool' ? accountId : place.partnerId

  const catalogue = listLimitable(db, level, key)
  const rows = listLimits(db, accountId, projectId, partnerId)
  const ofLevel = (wanted: Level, resourceId: number) =>
    rows.find(({ limit }) => limit.level === wanted && limit.resourceId === resourceId)
  const givenByAccount = level === 'pool' ? new Map<number, number>() : givenBy(db, [accountId]).get(accountId)
  const bounded = rows.some(({ limit }) => limit.level === 'pool' && limit.amount !== null)
  const givenByPool = partnerId !== null && (bounded || level === 'pool') ? poolGiven(db, partnerId) : new Map()

  const step = (of: Level, name: string, resourceId: number, given: number): Step => {
    const row = ofLevel(of, resourceId)
    const amount = row?.limit.amount ?? null
    return {
      level: of,
      name,
      limit: amount,
      given,
      left: amount === null ? null : amount - given,
      set: row ? { by: row.by ?? '', from: row.from, at: row.limit.setAt, remark: row.limit.remark } : null,
    }
  }
  const quotas = catalogue.map((resource): Quota => {
    const chain: Step[] = []
    if (level === 'project') chain.push(step('project', place.projectName ?? '', resource.id, 0))
    if (level !== 'pool') chain.push(step('account', place.name, resource.id, givenByAccount?.get(resource.id) ?? 0))
    if (partnerId !== null) {
      const name = level === 'pool' ? place.name : (place.partnerName ?? '')
      chain.push(step('pool', name, resource.id, givenByPool.get(resource.id) ?? 0))
    }
    const [own, ...above] = chain as [Step, ...Step[]]
    const bound = chain.find(({ limit }) => limit !== null)
    return { resource, own, above, bound, left: bound ? Math.max(0, bound.left ?? 0) : null }
  })
  const version = rows
    .filter(({ limit }) => limit.level === level)
    .reduce((total, { limit }) => total + limit.version, 1)
  return { quotas, version }
}

/** How many projects an account has and may have. */
export function projectQuota(db: Db, accountId: number): Quota {
  const quota = findQuotas(db, { level: 'account', accountId }, countedResource)?.quotas[0]
  if (!quota) throw new Error('The catalogue has lost its projects.')
  return quota
}

/** Whether one more project finds room. Ask in the transaction that creates it. */
export function hasRoom({ left }: Quota): boolean {
  return left === null || left > 0
}

const placeOfAccount = { name: accounts.name, partnerId: accounts.partnerId, partnerName: partner.name }

const accountPlace = prepared((db) =>
  db
    .select({ ...placeOfAccount, kind: accounts.kind })
    .from(accounts)
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(eq(accounts.id, sql.placeholder('accountId')), isNull(accounts.deletedAt)))
    .prepare(),
)

const projectPlace = prepared((db) =>
  db
    .select({ ...placeOfAccount, projectName: projects.name })
    .from(projects)
    .innerJoin(accounts, eq(accounts.id, projects.accountId))
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(
      and(
        eq(projects.accountId, sql.placeholder('accountId')),
        eq(projects.id, sql.placeholder('projectId')),
        isNull(projects.deletedAt),
      ),
    )
    .prepare(),
)

function findPlace(db: Db, { level, accountId, projectId }: Holder): Place | undefined {
  if (projectId === undefined) {
    const row = accountPlace(db).get({ accountId })
    return row && (level !== 'pool' || row.kind === 'partner') ? { ...row, projectName: null } : undefined
  }
  return projectPlace(db).get({ accountId, projectId })
}

/** The catalogue as far as a level has it: there are no projects in a project. */
function listLimitable(db: Db, level: Level, key?: string): Resource[] {
  return listResources(db).filter(
    (resource) =>
      (key === undefined || resource.key === key) && (level !== 'project' || resource.key !== countedResource),
  )
}

const limitsOf = prepared((db) => {
  const [accountId, projectId, partnerId] = [
    sql.placeholder('accountId'),
    sql.placeholder('projectId'),
    sql.placeholder('partnerId'),
  ]
  return db
    .select({ limit: limits, by: setter.name, from: setFrom.name })
    .from(limits)
    .leftJoin(setter, eq(setter.id, limits.setBy))
    .leftJoin(setFrom, eq(setFrom.id, limits.setFrom))
    .where(
      or(
        eq(limits.projectId, projectId),
        and(eq(limits.accountId, accountId), eq(limits.level, 'account')),
        and(eq(limits.accountId, partnerId), eq(limits.level, 'pool')),
      ),
    )
    .prepare()
})

/** The limits set on a place and on the levels above it. */
function listLimits(db: Db, accountId: number, projectId: number | undefined, partnerId: number | null) {
  return limitsOf(db).all({ accountId, projectId: projectId ?? null, partnerId })
}

const givenToProjects = prepared((db) =>
  db
    .select({ accountId: limits.accountId, resourceId: limits.resourceId, n: sum(limits.amount).mapWith(Number) })
    .from(limits)
    .where(and(isOneOf(limits.accountId, sql.placeholder('ids')), eq(limits.level, 'project')))
    .groupBy(limits.accountId, limits.resourceId)
    .prepare(),
)

const projectsOf = prepared((db) =>
  db
    .select({ accountId: projects.accountId, resourceId: sql<number>`min(${resources.id})`, n: count() })
    .from(projects)
    .innerJoin(resources, eq(resources.key, countedResource))
    .where(and(isOneOf(projects.accountId, sql.placeholder('ids')), isNull(projects.deletedAt)))
    .groupBy(projects.accountId)
    .prepare(),
)

/** What accounts have given to their projects, and how many projects they have: by account and resource. */
export function givenBy(db: Db, accountIds: number[]): Map<number, Map<number, number>> {
  const given = new Map<number, Map<number, number>>(accountIds.map((id) => [id, new Map()]))
  const ids = JSON.stringify(accountIds)
  for (const { accountId, resourceId, n } of givenToProjects(db).all({ ids }))
    given.get(accountId)?.set(resourceId, n ?? 0)
  for (const { accountId, resourceId, n } of projectsOf(db).all({ ids })) given.get(accountId)?.set(resourceId, n)
  return given
}

/**
 * What a partner's pool has given out, by resource: of each customer its number or, where that is
 * more or there is none, what it has given to its projects or has in use itself. Deleted customers hold
 * nothing of it.
 */
function poolGiven(db: Db, partnerId: number): Map<number, number> {
  const living = sql`accounts.partner_id = ${partnerId} and accounts.deleted_at is null`
  const rows = db.all<{ resourceId: number; n: number }>(sql`
    select taken.resource_id as "resourceId", sum(taken.n) as n from (
      select one.resource_id, one.account_id, max(one.n) as n from (
        select limits.resource_id, limits.account_id, limits.amount as n
          from accounts cross join limits on limits.account_id = accounts.id and limits.level = 'account'
          where ${living} and limits.amount is not null
        union all
        select limits.resource_id, limits.account_id, sum(limits.amount) as n
          from accounts cross join limits on limits.account_id = accounts.id and limits.level = 'project'
          where ${living} and limits.amount is not null
          group by limits.account_id, limits.resource_id
        union all
        select resources.id, projects.account_id, count(*) as n
          from accounts cross join projects on projects.account_id = accounts.id and projects.deleted_at is null
          cross join resources on resources.key = ${countedResource}
          where ${living}
          group by projects.account_id
      ) as one group by one.resource_id, one.account_id
    ) as taken group by taken.resource_id`)
  return new Map(rows.map(({ resourceId, n }) => [resourceId, n]))
}

/** So much of a resource is wanted. */
export type Want = { resource: Resource; amount: number }

/** What an account would take from a pool that has no more than this left. */
export type PoolShortage = { resource: Resource; takes: number; left: number }

/** What a partner's pool cannot give of this: for an account that comes, or comes back, to it. */
export function poolShortages(db: Db, partnerId: number, wants: Want[]): PoolShortage[] {
  const pool = findQuotas(db, { level: 'pool', accountId: partnerId })?.quotas ?? []
  return wants.flatMap(({ resource, amount: takes }) => {
    const left = pool.find((quota) => quota.resource.id === resource.id)?.own.left ?? null
    return left === null || takes === 0 || takes <= left ? [] : [{ resource, takes, left: Math.max(0, left) }]
  })
}

const poolOfProjects = prepared((db) =>
  db
    .select({ amount: limits.amount })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(
      and(
        eq(limits.accountId, sql.placeholder('partnerId')),
        eq(limits.level, 'pool'),
        eq(resources.key, countedResource),
      ),
    )
    .prepare(),
)

/** Whether a partner's pool has a number for projects: then customers without one share it. */
export function poolBoundsProjects(db: Db, partnerId: number): boolean {
  const row = poolOfProjects(db).get({ partnerId })
  return row !== undefined && row.amount !== null
}

/** A resource of an account: its number, and what is given out of it. */
export type Use = { resource: Resource; limit: number | null; given: number }

/** Projects: what the panel counts itself. */
export function isCounted({ resource }: Use): boolean {
  return resource.key === countedResource
}

/** The resource with the greatest part of its number given out; undefined where no resource has a number. */
export function nearestLimit(uses: Use[]): Use | undefined {
  const part = ({ limit, given }: Use) =>
    limit === null ? -1 : limit === 0 ? (given > 0 ? Infinity : 1) : given / limit
  const [nearest] = uses.filter(({ limit }) => limit !== null).sort((one, other) => part(other) - part(one))
  return nearest
}

const limitsOfAccounts = prepared((db) =>
  db
    .select({ accountId: limits.accountId, resourceId: limits.resourceId, amount: limits.amount })
    .from(limits)
    .where(and(isOneOf(limits.accountId, sql.placeholder('ids')), eq(limits.level, 'account')))
    .prepare(),
)

/** The limits of several accounts with what is given out of each: for lists. */
export function usesOf(db: Db, accountIds: number[]): Map<number, Use[]> {
  const catalogue = listLimitable(db, 'account')
  const given = givenBy(db, accountIds)
  const amounts = new Map<number, Map<number, number | null>>(accountIds.map((id) => [id, new Map()]))
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

/** From here on, in per cent of its number, a limit is near. */
export const nearLimit = 80

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
export function limitsOfProjects(db: Db, accountId: number, projectIds: number[]) {
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

/**
 * Sets limits of a place, all or none, if they are still at the version that the edit was made on.
 * Resources that `amounts` does not name stay as they are. What the level above cannot give comes back.
 * 'unchanged' when all of them are as they were.
 */
export function setLimits(
  db: Db,
  actor: Actor,
  holder: Holder,
  edit: { amounts: Amounts; remark: string; version: number },
): 'saved' | 'unchanged' | 'stale' | Shortage[] {
  try {
    return write(db, actor, (tx) => {
      if (findQuotas(tx, holder)?.version !== edit.version) return 'stale'
      return changeLimits(tx, actor, holder, edit.amounts, edit.remark) ? 'saved' : 'unchanged'
    })
  } catch (error) {
    if (error instanceof NotEnough) return error.shortages
    throw error
  }
}

/** Changes limits in the transaction of its caller. Throws NotEnough, and then has changed nothing. False when all are as they were. */
export function changeLimits(tx: Db, actor: Actor, holder: Holder, amounts: Amounts, remark: string): boolean {
  const quotas = findQuotas(tx, holder)?.quotas ?? []
  const changed = quotas.flatMap((quota) => {
    const amount = amounts.get(quota.resource.id)
    return amount === undefined || amount === quota.own.limit ? [] : [{ quota, amount }]
  })
  const shortages = changed.flatMap(({ quota, amount }) => shortageOf(quota, amount) ?? [])
  if (shortages.length > 0) throw new NotEnough(shortages)
  if (changed.length === 0) return false

  const { level, accountId } = holder
  const projectId = holder.projectId ?? null
  const change: Change = {}
  for (const { quota, amount } of changed) {
    const values = { amount, remark, setBy: actor.userId, setFrom: actor.accountId, setAt: actor.at }
    const updated = tx
      .update(limits)
      .set({ ...values, version: sql`${limits.version} + 1` })
      .where(
        and(
          eq(limits.accountId, accountId),
          eq(limits.level, level),
          projectId === null ? isNull(limits.projectId) : eq(limits.projectId, projectId),
          eq(limits.resourceId, quota.resource.id),
        ),
      )
      .run().changes
    if (!updated)
      tx.insert(limits)
        .values({ level, accountId, projectId, resourceId: quota.resource.id, ...values })
        .run()
    change[quota.resource.key] = [quota.own.limit, amount]
  }
  // A rule only repeats what the request says, whose record has it.
  if (remark && actor.userId !== null) change.remark = [null, remark]
  record(tx, actor, {
    kind: level === 'pool' ? 'limit.pool-changed' : 'limit.changed',
    accountId,
    ...(projectId === null ? {} : { projectId }),
    change,
  })
  return true
}

/** What a number takes from the levels above: itself or, where that is more, what is given out of it already. */
export function taken(amount: number | null, given: number): number {
  return Math.max(amount ?? 0, given)
}

/** Whether a level gives so much more: what it has left is negative while it is over its limit. */
export function isGiven(more: number, left: number): boolean {
  return more <= 0 || more <= left
}

/** How much more than before a number takes from the levels above; less is negative. */
export function moreTaken({ limit, given }: Pick<Step, 'limit' | 'given'>, amount: number | null): number {
  return taken(amount, given) - taken(limit, given)
}

/** Undefined when the levels above can give it. What takes nothing more from them always goes. */
function shortageOf({ resource, own, above }: Quota, amount: number | null): Shortage | undefined {
  const bound = above.find(({ limit }) => limit !== null)
  const more = moreTaken(own, amount)
  const left = bound?.left ?? 0
  if (!bound || isGiven(more, left)) return undefined
  return { resource, bound, left: Math.max(0, left), more, most: taken(own.limit, own.given) + Math.max(0, left) }
}

/** A project goes: so does what was given to it. Nothing of it stays given out. */
export function dropProjectLimits(tx: Db, accountId: number, projectId: number): void {
  tx.delete(limits)
    .where(and(eq(limits.accountId, accountId), eq(limits.projectId, projectId)))
    .run()
}

export const quotaColumns = ['level', 'name', 'identifier', 'resource', 'unit', 'limit', 'given out', 'left']

/** A partner's pool and every customer's quotas, row by row: for a file. */
export function* quotaRows(db: Db, partnerId: number) {
  const row = (level: string, { name, identifier }: { name: string; identifier: string }, use: Use) => [
    level,
    name,
    identifier,
    use.resource.key,
    use.resource.unit,
    use.limit,
    use.given,
    use.limit === null ? null : use.limit - use.given,
  ]
  const own = db.select().from(accounts).where(eq(accounts.id, partnerId)).get()
  const pool = findQuotas(db, { level: 'pool', accountId: partnerId })
  for (const quota of pool?.quotas ?? [])
    yield row('pool', own ?? { name: '', identifier: '' }, { resource: quota.resource, ...quota.own })
  let after = 0
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
