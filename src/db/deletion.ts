import { and, gt, isNotNull, isNull, lte, type SQL } from 'drizzle-orm'
import type { accounts, projects } from './schema.ts'

/** What is deleted can be restored for so long, in milliseconds: then the purge takes it. */
export const keptFor = 30 * 24 * 3_600_000

/** Until when what was deleted at this time can be restored. */
export function restorableUntil(deletedAt: number): number {
  return deletedAt + keptFor
}

export type Deletable = typeof accounts | typeof projects

/** Deleted, and not yet purged: in the words of the indexes of what was deleted. */
export function isDeleted({ deletedAt, purgedAt }: Deletable): SQL | undefined {
  return and(isNotNull(deletedAt), isNull(purgedAt))
}

/** Deleted, and to be restored at this time. */
export function isRestorable(table: Deletable, at: number): SQL | undefined {
  return and(isDeleted(table), gt(table.deletedAt, at - keptFor))
}

/** Deleted so long ago that it goes for good at this time. */
export function isDue(table: Deletable, at: number): SQL | undefined {
  return and(isDeleted(table), lte(table.deletedAt, at - keptFor))
}
