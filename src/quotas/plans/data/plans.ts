import { and, asc, count, eq, sql } from 'drizzle-orm'
import { foldCase } from '../../../db/fold.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { type Placeholders, prepared } from '../../../db/prepared.ts'
import { planLimits, plans } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { type Actor, type Change, record } from '../../../records/record.ts'
import type { Amounts } from '../../arithmetic.ts'
import { listResources, type Resource } from '../../resources/data.ts'

// Plans: named sets of limits that a partner keeps for its customers. What a customer gets is a copy (applying.ts).

export type Plan = Pick<typeof plans.$inferSelect, 'id' | 'name' | 'isDefault' | 'version'> & {
  /** The limits by resource; a resource that is not in it has none. */
  amounts: Map<number, number>
}

export type NewPlan = { name: string; isDefault: boolean; amounts: Amounts }

/** A page shows all of them, and a form offers all of them. */
export const mostPlans = 100

/** The note that stays beside the limits of a plan, for everyone they apply to. */
export const planNote = (name: string) => `Plan ${name}`

const plansOf = prepared((db, { partnerId }: Placeholders<{ partnerId: AccountId }>) =>
  db
    .select({ id: plans.id, name: plans.name, isDefault: plans.isDefault, version: plans.version })
    .from(plans)
    .where(sql`${plans.partnerId} = ${partnerId}`)
    .orderBy(asc(plans.id))
    .prepare(),
)

const limitsOfPlans = prepared((db, { ids }: Placeholders<{ ids: string }>) =>
  db.select().from(planLimits).where(isOneOf(planLimits.planId, ids)).prepare(),
)

function withAmounts(db: Db, rows: Omit<Plan, 'amounts'>[]): Plan[] {
  const limits = rows.length > 0 ? limitsOfPlans(db).all({ ids: JSON.stringify(rows.map(({ id }) => id)) }) : []
  return rows.map((plan) => ({
    ...plan,
    amounts: new Map(
      limits.flatMap(({ planId, resourceId, amount }) => (planId === plan.id ? [[resourceId, amount]] : [])),
    ),
  }))
}

/** The plans of a partner, in the order in which they were made. */
export function listPlans(db: Db, partnerId: AccountId): Plan[] {
  return withAmounts(db, plansOf(db).all({ partnerId }))
}

/** The names of a partner's plans, for a choice, in the order in which they were made. */
export function listPlanNames(db: Db, partnerId: AccountId): Omit<Plan, 'amounts'>[] {
  return plansOf(db).all({ partnerId })
}

/** A plan of the partner; another's is not found. */
export function findPlan(db: Db, partnerId: AccountId, id: number): Plan | undefined {
  return withAmounts(
    db,
    plansOf(db)
      .all({ partnerId })
      .filter((plan) => plan.id === id),
  )[0]
}

/** The plan that a partner's new customers get. */
export function findDefaultPlan(db: Db, partnerId: AccountId): Plan | undefined {
  return withAmounts(
    db,
    plansOf(db)
      .all({ partnerId })
      .filter(({ isDefault }) => isDefault),
  )[0]
}

/** The plan of this name, in any spelling of upper and lower case. */
export function findPlanByName(db: Db, partnerId: AccountId, name: string): Omit<Plan, 'amounts'> | undefined {
  const key = foldCase(name)
  return listPlanNames(db, partnerId).find((plan) => foldCase(plan.name) === key)
}

/** Creates a plan. 'taken' when the partner has one of this name, 'full' when it has as many as it can. */
export function createPlan(db: Db, actor: Actor, partnerId: AccountId, plan: NewPlan): Plan | 'taken' | 'full' {
  return write(db, actor, (tx) => {
    if (findPlanByName(tx, partnerId, plan.name)) return 'taken'
    const { n } = tx.select({ n: count() }).from(plans).where(eq(plans.partnerId, partnerId)).get() ?? { n: 0 }
    if (n >= mostPlans) return 'full'
    const change: Change = { 'plan name': [null, plan.name], ...changeOfDefault(tx, partnerId, plan) }
    const { name, isDefault } = plan
    const { id, version } = tx
      .insert(plans)
      .values({ partnerId, name, nameKey: foldCase(name), isDefault })
      .returning({ id: plans.id, version: plans.version })
      .get()
    const amounts = saveAmounts(tx, { id, amounts: new Map() }, plan.amounts, change)
    record(tx, actor, { kind: 'limit.plan-created', accountId: partnerId, change })
    return { id, name, isDefault, version, amounts }
  })
}

/**
 * Changes a plan; customers that it was applied to stay as they are. 'stale' when it is no longer at the version that the
 * edit was made on, 'taken' when another plan has the name. Undefined when the partner has no such plan.
 */
export function changePlan(
  db: Db,
  actor: Actor,
  { partnerId, id }: { partnerId: AccountId; id: number },
  plan: NewPlan & { version: number },
): 'saved' | 'unchanged' | 'stale' | 'taken' | undefined {
  return write(db, actor, (tx) => {
    const before = findPlan(tx, partnerId, id)
    if (!before) return undefined
    if (isSame(before, plan)) return 'unchanged'
    if (before.version !== plan.version) return 'stale'
    const other = findPlanByName(tx, partnerId, plan.name)
    if (other && other.id !== id) return 'taken'
    const { name, isDefault } = plan
    const change: Change = { 'plan name': [before.name === name ? null : before.name, name] }
    if (isDefault !== before.isDefault)
      Object.assign(
        change,
        isDefault ? changeOfDefault(tx, partnerId, plan) : { 'default for new customers': [name, null] },
      )
    tx.update(plans)
      .set({ name, nameKey: foldCase(name), isDefault, version: before.version + 1 })
      .where(and(eq(plans.id, id), eq(plans.partnerId, partnerId)))
      .run()
    saveAmounts(tx, before, plan.amounts, change)
    record(tx, actor, { kind: 'limit.plan-changed', accountId: partnerId, change })
    return 'saved'
  })
}

/** Deletes a plan; customers that it was applied to keep their limits. False when the partner has no such plan. */
export function removePlan(db: Db, actor: Actor, { partnerId, id }: { partnerId: AccountId; id: number }): boolean {
  return write(db, actor, (tx) => {
    const plan = findPlan(tx, partnerId, id)
    if (!plan) return false
    tx.delete(planLimits).where(eq(planLimits.planId, id)).run()
    tx.delete(plans)
      .where(and(eq(plans.id, id), eq(plans.partnerId, partnerId)))
      .run()
    record(tx, actor, { kind: 'limit.plan-removed', accountId: partnerId, change: { 'plan name': [plan.name, null] } })
    return true
  })
}

/** An account is no partner account any more. */
export function removePlansOf(tx: Db, actor: Actor, partnerId: AccountId): void {
  for (const { id } of listPlanNames(tx, partnerId)) removePlan(tx, actor, { partnerId, id })
}

/** Takes the default from another plan, if this one is to be it. Returns what the history says about that. */
function changeOfDefault(tx: Db, partnerId: AccountId, { name, isDefault }: NewPlan): Change {
  if (!isDefault) return {}
  const earlier = findDefaultPlan(tx, partnerId)
  if (earlier)
    tx.update(plans)
      .set({ isDefault: false, version: earlier.version + 1 })
      .where(and(eq(plans.id, earlier.id), eq(plans.partnerId, partnerId)))
      .run()
  return { 'default for new customers': [earlier?.name ?? null, name] }
}

/** The limits that a form of a plan leaves: what it does not name stays. */
function amountsAfter(before: Map<number, number>, amounts: Amounts, resources: Resource[]): Map<number, number> {
  return new Map(
    resources.flatMap(({ id }) => {
      const wanted = amounts.get(id)
      const amount = wanted === undefined ? (before.get(id) ?? null) : wanted
      return amount === null ? [] : [[id, amount] as const]
    }),
  )
}

function isSame(before: Plan, { name, isDefault, amounts }: NewPlan): boolean {
  const same = [...amounts].every(([resourceId, amount]) => (before.amounts.get(resourceId) ?? null) === amount)
  return same && before.name === name && before.isDefault === isDefault
}

/** Saves the limits of a plan, and adds what differs to `change`. */
function saveAmounts(
  tx: Db,
  { id: planId, amounts: before }: Pick<Plan, 'id' | 'amounts'>,
  amounts: Amounts,
  change: Change,
): Map<number, number> {
  const resources = listResources(tx)
  const after = amountsAfter(before, amounts, resources)
  for (const { id, key } of resources)
    if (before.get(id) !== after.get(id)) change[key] = [before.get(id) ?? null, after.get(id) ?? null]
  tx.delete(planLimits).where(eq(planLimits.planId, planId)).run()
  for (const [resourceId, amount] of after) tx.insert(planLimits).values({ planId, resourceId, amount }).run()
  return after
}
