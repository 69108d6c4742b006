import { asc, count, eq, sql } from 'drizzle-orm'
import { type Db, write } from '../../db/open.ts'
import { prepared } from '../../db/prepared.ts'
import { keptLimits, limits, planLimits, quotaRequestAmounts, resources } from '../../db/schema.ts'
import { type Actor, record } from '../../records/record.ts'

// The resource catalogue: what can be limited. Support keeps it, for all accounts.

export type Resource = typeof resources.$inferSelect

/** The resource that the panel counts itself. It cannot be removed. */
export const countedResource = 'projects'

/** Forms hold a field for each resource: more would not fit into one. */
export const mostResources = 50

const catalogue = prepared((db) => db.select().from(resources).orderBy(asc(resources.id)).prepare())

export function listResources(db: Db): Resource[] {
  return catalogue(db).all()
}

export function findResource(db: Db, key: string): Resource | undefined {
  return listResources(db).find((resource) => resource.key === key)
}

/** Adds a resource at the end. 'taken' when its key is, 'full' when the catalogue is. */
export function addResource(
  db: Db,
  actor: Actor,
  resource: { key: string; name: string; unit: string },
): Resource | 'full' | 'taken' {
  return write(db, actor, (tx) => {
    if ((tx.select({ n: count() }).from(resources).get()?.n ?? 0) >= mostResources) return 'full'
    const [added] = tx.insert(resources).values(resource).onConflictDoNothing().returning().all()
    if (!added) return 'taken'
    const { key, name, unit } = added
    record(tx, actor, {
      kind: 'limit.resource-added',
      change: { key: [null, key], name: [null, name], unit: [null, unit] },
    })
    return added
  })
}

/** Changes name and unit. 'stale' when the resource is no longer at the version that the edit was made on, undefined when it is gone. */
export function changeResource(
  db: Db,
  actor: Actor,
  key: string,
  { name, unit, version }: { name: string; unit: string; version: number },
): 'saved' | 'unchanged' | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const before = tx.select().from(resources).where(eq(resources.key, key)).get()
    if (!before) return undefined
    if (before.version !== version) return 'stale'
    if (before.name === name && before.unit === unit) return 'unchanged'
    tx.update(resources)
      .set({ name, unit, version: sql`${resources.version} + 1` })
      .where(eq(resources.key, key))
      .run()
    record(tx, actor, {
      kind: 'limit.resource-changed',
      change: { name: [before.name, name], unit: [before.unit, unit] },
    })
    return 'saved'
  })
}

/** Removes a resource that no limit and no request ever named, and no plan names. False for every other. */
export function removeResource(db: Db, actor: Actor, key: string): boolean {
  return write(db, actor, (tx) => {
    const resource = findResource(tx, key)
    if (!resource || key === countedResource) return false
    const ofIt = {
      limit: eq(limits.resourceId, resource.id),
      kept: eq(keptLimits.resourceId, resource.id),
      plan: eq(planLimits.resourceId, resource.id),
      amount: eq(quotaRequestAmounts.resourceId, resource.id),
    }
    if (tx.select({ id: limits.id }).from(limits).where(ofIt.limit).limit(1).get()) return false
    if (tx.select({ id: keptLimits.projectId }).from(keptLimits).where(ofIt.kept).limit(1).get()) return false
    if (tx.select({ id: planLimits.planId }).from(planLimits).where(ofIt.plan).limit(1).get()) return false
    if (tx.select({ id: quotaRequestAmounts.requestId }).from(quotaRequestAmounts).where(ofIt.amount).limit(1).get())
      return false
    tx.delete(resources).where(eq(resources.id, resource.id)).run()
    record(tx, actor, { kind: 'limit.resource-removed', change: { key: [key, null], name: [resource.name, null] } })
    return true
  })
}
