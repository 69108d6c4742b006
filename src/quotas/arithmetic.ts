import type { AccountId, ProjectId } from '../db/ids.ts'
import type { limits } from '../db/schema.ts'
import { countedResource, type Resource } from './resources/data.ts'

// Limits have three levels: a partner's pool (for all its customers together), an account and a
// project. A limit is allocated from the level above; without one, a level shares what the level above
// has available. Allocations below a level are never raised above its limit.

export type Level = (typeof limits.$inferSelect)['level']

/** Whose limits: an account named here is the one that the route found for its viewer. */
export type Holder =
  | { level: 'pool' | 'account'; accountId: AccountId; projectId?: undefined }
  | { level: 'project'; accountId: AccountId; projectId: ProjectId }

/** Whose limits a request is about: the account’s, or one of its projects’. */
export function holderOf(accountId: AccountId, projectId: ProjectId | null): Holder {
  return projectId === null ? { level: 'account', accountId } : { level: 'project', accountId, projectId }
}

/** One level of a resource’s quota. */
export type QuotaLevel = {
  level: Level
  /** Whose it is: the name of the partner, the account or the project. */
  name: string
  /** Its own number; null where it shares what the level above has available. */
  limit: number | null
  /** What is allocated of it, or in use: projects are counted as they live. */
  allocated: number
  /** What of its number is not allocated; negative when it is over its limit, null without a number. */
  available: number | null
  /** Who set it last: null where nobody ever did. */
  set: { by: string; from: string | null; at: number; remark: string } | null
}

/** What bounds a resource somewhere: its own level first, then those above. */
export type Quota = {
  resource: Resource
  own: QuotaLevel
  above: QuotaLevel[]
  /** The nearest level that has a number; undefined when nothing bounds it. */
  bound: QuotaLevel | undefined
  /** What can still be allocated here, at least 0; null when nothing bounds it. */
  available: number | null
}

export type Quotas = { quotas: Quota[]; version: number }

/** Amounts by the id of their resource. */
export type Amounts = Map<number, number | null>

/** A number that the level above cannot give: how much it has available, how much more it would take, and the most that would do. */
export type Shortage = { resource: Resource; bound: QuotaLevel; available: number; more: number; most: number }

/** Thrown in a transaction, so that it takes back everything that it has changed. */
export class NotEnough extends Error {
  readonly shortages: Shortage[]
  constructor(shortages: Shortage[]) {
    super('The level above does not have enough available.')
    this.shortages = shortages
  }
}

/** Whether one more project finds room. Ask in the transaction that creates it. */
export function hasRoom({ available }: Quota): boolean {
  return available === null || available > 0
}

/** So much of a resource is wanted. */
export type Want = { resource: Resource; amount: number }

/** What an account would take from a pool that has no more than this available. */
export type PoolShortage = { resource: Resource; takes: number; available: number }

/** A resource of an account: its limit, and how much of it is allocated. */
export type Use = { resource: Resource; limit: number | null; allocated: number }

/** Projects: what the panel counts itself. */
export function isCounted({ resource }: Use): boolean {
  return resource.key === countedResource
}

/** How much of a number is allocated, in per cent. Nothing allocated of 0 is no use of it. */
export function partInUse(limit: number, allocated: number): number {
  if (allocated === 0) return 0
  return limit === 0 ? Infinity : (allocated / limit) * 100
}

/** The resource with the greatest part of its number allocated; undefined where no resource has a number. */
export function nearestLimit(uses: Use[]): Use | undefined {
  const part = ({ limit, allocated }: Use) =>
    limit === null ? -1 : limit === 0 ? (allocated > 0 ? Infinity : 1) : allocated / limit
  const [nearest] = uses.filter(({ limit }) => limit !== null).sort((one, other) => part(other) - part(one))
  return nearest
}

/** From here on, in per cent of its number, a limit is near. */
export const nearLimit = 80
/** Whether a limit is near, reached or passed. One of nothing is not near while nothing is allocated. */
export const isNear = ({ limit, allocated }: Use): boolean =>
  limit !== null && allocated > 0 && allocated * 100 >= limit * nearLimit

/** From here on it is used up. */
export const fullLimit = 100

/** What a limit takes from the levels above: itself, or what is already allocated from it if that is more. */
export function allocationOf(amount: number | null, allocated: number): number {
  return Math.max(amount ?? 0, allocated)
}

/** Whether a level has so much more: what it has available is negative while it is over its limit. */
export function canAllocate(more: number, available: number): boolean {
  return more <= 0 || more <= available
}

/** How much more than before a number takes from the levels above; less is negative. */
export function moreAllocated(
  { limit, allocated }: Pick<QuotaLevel, 'limit' | 'allocated'>,
  amount: number | null,
): number {
  return allocationOf(amount, allocated) - allocationOf(limit, allocated)
}

/** Undefined when the levels above can give it. What takes nothing more from them always goes. */
export function shortageOf({ resource, own, above }: Quota, amount: number | null): Shortage | undefined {
  const bound = above.find(({ limit }) => limit !== null)
  const more = moreAllocated(own, amount)
  const left = bound?.available ?? 0
  if (!bound || canAllocate(more, left)) return undefined
  return {
    resource,
    bound,
    available: Math.max(0, left),
    more,
    most: allocationOf(own.limit, own.allocated) + Math.max(0, left),
  }
}
