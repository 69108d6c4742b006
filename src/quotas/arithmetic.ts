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
  own: QuotaLevel
  above: QuotaLevel[]
  /** The nearest level that has a number; undefined when nothing bounds it. */
  bound: QuotaLevel | undefined
  /** What can still be given out here, at least 0; null when nothing bounds it. */
  left: number | null
}

export type Quotas = { quotas: Quota[]; version: number }

/** Amounts by the id of their resource. */
export type Amounts = Map<number, number | null>

/** A number that the level above cannot give: how much it has left, how much more it would take, and the most that would do. */
export type Shortage = { resource: Resource; bound: QuotaLevel; left: number; more: number; most: number }

/** Thrown in a transaction, so that it takes back everything that it has changed. */
export class NotEnough extends Error {
  readonly shortages: Shortage[]
  constructor(shortages: Shortage[]) {
    super('The level above has not enough left.')
    this.shortages = shortages
  }
}

/** Whether one more project finds room. Ask in the transaction that creates it. */
export function hasRoom({ left }: Quota): boolean {
  return left === null || left > 0
}

/** So much of a resource is wanted. */
export type Want = { resource: Resource; amount: number }

/** What an account would take from a pool that has no more than this left. */
export type PoolShortage = { resource: Resource; takes: number; left: number }

/** A resource of an account: its limit, and how much of it is allocated. */
export type Use = { resource: Resource; limit: number | null; given: number }

/** Projects: what the panel counts itself. */
export function isCounted({ resource }: Use): boolean {
  return resource.key === countedResource
}

/** How much of a number is given out, in per cent. Nothing given out of 0 is no use of it. */
export function partInUse(limit: number, given: number): number {
  if (given === 0) return 0
  return limit === 0 ? Infinity : (given / limit) * 100
}

/** The resource with the greatest part of its number given out; undefined where no resource has a number. */
export function nearestLimit(uses: Use[]): Use | undefined {
  const part = ({ limit, given }: Use) =>
    limit === null ? -1 : limit === 0 ? (given > 0 ? Infinity : 1) : given / limit
  const [nearest] = uses.filter(({ limit }) => limit !== null).sort((one, other) => part(other) - part(one))
  return nearest
}

/** From here on, in per cent of its number, a limit is near. */
export const nearLimit = 80
/** From here on it is used up. */
export const fullLimit = 100

/** What a limit takes from the levels above: itself, or what is already allocated from it if that is more. */
export function taken(amount: number | null, given: number): number {
  return Math.max(amount ?? 0, given)
}

/** Whether a level gives so much more: what it has left is negative while it is over its limit. */
export function isGiven(more: number, left: number): boolean {
  return more <= 0 || more <= left
}

/** How much more than before a number takes from the levels above; less is negative. */
export function moreTaken({ limit, given }: Pick<QuotaLevel, 'limit' | 'given'>, amount: number | null): number {
  return taken(amount, given) - taken(limit, given)
}

/** Undefined when the levels above can give it. What takes nothing more from them always goes. */
export function shortageOf({ resource, own, above }: Quota, amount: number | null): Shortage | undefined {
  const bound = above.find(({ limit }) => limit !== null)
  const more = moreTaken(own, amount)
  const left = bound?.left ?? 0
  if (!bound || isGiven(more, left)) return undefined
  return { resource, bound, left: Math.max(0, left), more, most: taken(own.limit, own.given) + Math.max(0, left) }
}
