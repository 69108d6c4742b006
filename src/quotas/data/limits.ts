import { and, eq, isNull, or, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId, ProjectId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { accounts, limits, projects, users } from '../../db/schema.ts'
import { type Actor, type Change, record } from '../../records/record.ts'
import {
  type Amounts,
  type Holder,
  type Level,
  NotEnough,
  type Quota,
  type QuotaLevel,
  type Quotas,
  type Shortage,
  shortageOf,
} from '../arithmetic.ts'
import { countedResource } from '../resources/data.ts'
import { noteUse } from './marks.ts'
import { allocatedBy, allocatedOfPool, listLimitable } from './uses.ts'

type Place = { name: string; partnerId: AccountId | null; partnerName: string | null; projectName: string | null }

const partner = alias(accounts, 'partner')
const setter = alias(users, 'setter')
const setFrom = alias(accounts, 'set_from')

/**
 * The quotas of a partner's pool, an account or a project that is not deleted: of all resources, or of one;
 * and the version that an edit of them is based on. Undefined if the holder does not exist.
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
  const allocatedByAccount = level === 'pool' ? new Map<number, number>() : allocatedBy(db, [accountId]).get(accountId)
  const allocatedByPool = partnerId !== null ? allocatedOfPool(db, partnerId) : new Map<number, number>()

  const step = (of: Level, name: string, resourceId: number, allocated: number): QuotaLevel => {
    const row = ofLevel(of, resourceId)
    const amount = row?.limit.amount ?? null
    return {
      level: of,
      name,
      limit: amount,
      allocated,
      available: amount === null ? null : amount - allocated,
      set: row ? { by: row.by ?? '', from: row.from, at: row.limit.setAt, remark: row.limit.remark } : null,
    }
  }
  const quotas = catalogue.map((resource): Quota => {
    const chain: QuotaLevel[] = []
    if (level === 'project') chain.push(step('project', place.projectName ?? '', resource.id, 0))
    if (level !== 'pool')
      chain.push(step('account', place.name, resource.id, allocatedByAccount?.get(resource.id) ?? 0))
    if (partnerId !== null) {
      const name = level === 'pool' ? place.name : (place.partnerName ?? '')
      chain.push(step('pool', name, resource.id, allocatedByPool.get(resource.id) ?? 0))
    }
    const [own, ...above] = chain as [QuotaLevel, ...QuotaLevel[]]
    const bound = chain.find(({ limit }) => limit !== null)
    return { resource, own, above, bound, available: bound ? Math.max(0, bound.available ?? 0) : null }
  })
  const version = rows
    .filter(({ limit }) => limit.level === level)
    .reduce((total, { limit }) => total + limit.version, 1)
  return { quotas, version }
}

/** How many projects an account has and may have. */
export function projectQuota(db: Db, accountId: AccountId): Quota {
  const quota = findQuotas(db, { level: 'account', accountId }, countedResource)?.quotas[0]
  if (!quota) throw new Error('The catalogue has lost its projects.')
  return quota
}

const placeOfAccount = { name: accounts.name, partnerId: accounts.partnerId, partnerName: partner.name }

const accountPlace = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ ...placeOfAccount, kind: accounts.kind })
    .from(accounts)
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(equals(accounts.id, accountId), isNull(accounts.deletedAt)))
    .prepare(),
)

const projectPlace = prepared(
  (db, { accountId, projectId }: Placeholders<{ accountId: AccountId; projectId: ProjectId }>) =>
    db
      .select({ ...placeOfAccount, projectName: projects.name })
      .from(projects)
      .innerJoin(accounts, eq(accounts.id, projects.accountId))
      .leftJoin(partner, eq(partner.id, accounts.partnerId))
      .where(and(equals(projects.accountId, accountId), equals(projects.id, projectId), isNull(projects.deletedAt)))
      .prepare(),
)

function findPlace(db: Db, { level, accountId, projectId }: Holder): Place | undefined {
  if (projectId === undefined) {
    const row = accountPlace(db).get({ accountId })
    return row && (level !== 'pool' || row.kind === 'partner') ? { ...row, projectName: null } : undefined
  }
  return projectPlace(db).get({ accountId, projectId })
}

type LevelsOf = { accountId: AccountId; projectId: ProjectId | null; partnerId: AccountId | null }

const limitsOf = prepared((db, { accountId, projectId, partnerId }: Placeholders<LevelsOf>) =>
  db
    .select({ limit: limits, by: setter.name, from: setFrom.name })
    .from(limits)
    .leftJoin(setter, eq(setter.id, limits.setBy))
    .leftJoin(setFrom, eq(setFrom.id, limits.setFrom))
    .where(
      or(
        equals(limits.projectId, projectId),
        and(equals(limits.accountId, accountId), eq(limits.level, 'account')),
        and(equals(limits.accountId, partnerId), eq(limits.level, 'pool')),
      ),
    )
    .prepare(),
)

/** The limits set on a place and on the levels above it. */
function listLimits(db: Db, accountId: AccountId, projectId: ProjectId | undefined, partnerId: AccountId | null) {
  return limitsOf(db).all({ accountId, projectId: projectId ?? null, partnerId })
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
): 'saved' | 'unchanged' | 'stale' | { shortages: Shortage[] } {
  try {
    return write(db, actor, (tx) => {
      const now = findQuotas(tx, holder)
      if (now?.version !== edit.version) return 'stale'
      return changeQuotas(tx, actor, { holder, quotas: now.quotas }, edit) ? 'saved' : 'unchanged'
    })
  } catch (error) {
    if (error instanceof NotEnough) return { shortages: error.shortages }
    throw error
  }
}

/**
 * Changes limits in the transaction of its caller; `quiet` where that tells people of it. Throws NotEnough, and then has
 * changed nothing. False when all are as they were.
 */
export function changeLimits(
  tx: Db,
  actor: Actor,
  holder: Holder,
  { amounts, remark, quiet = false }: { amounts: Amounts; remark: string; quiet?: boolean },
): boolean {
  return changeQuotas(tx, actor, { holder, quotas: findQuotas(tx, holder)?.quotas ?? [] }, { amounts, remark, quiet })
}

/** The same for a caller that has read the quotas in this transaction. */
export function changeQuotas(
  tx: Db,
  actor: Actor,
  { holder, quotas }: { holder: Holder; quotas: Quota[] },
  { amounts, remark, quiet = false }: { amounts: Amounts; remark: string; quiet?: boolean },
): boolean {
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
    quiet,
  })
  if (level !== 'pool')
    noteUse(
      tx,
      actor.at,
      accountId,
      level === 'account' ? new Set(changed.map(({ quota }) => quota.resource.id)) : undefined,
    )
  return true
}

/** A project goes: so does what was allocated to it. */
export function dropProjectLimits(tx: Db, accountId: AccountId, projectId: ProjectId): void {
  tx.delete(limits)
    .where(and(eq(limits.accountId, accountId), eq(limits.projectId, projectId)))
    .run()
}
