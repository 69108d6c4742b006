import { and, eq, inArray, isNotNull, or, type SQL } from 'drizzle-orm'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { letterPeople, letters, notificationChoices, notifications } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'
import { withdrawTelling } from './telling-anew.ts'

// What somebody was told goes with the right to know it, in the transaction that ends it.

/** Somebody is no longer in an account: what they were told as its user goes. */
export function forgetNotificationsIn(
  tx: Db,
  { accountId, userId }: { accountId: AccountId; userId: UserId },
  at: number,
): void {
  forget(tx, and(eq(notifications.readerOf, accountId), eq(notifications.userId, userId)), at)
}

/** A partner no longer looks after a customer: what its people were told of it goes. */
export function forgetNotificationsAbout(
  tx: Db,
  { accountId, readerOf }: { accountId: AccountId; readerOf: AccountId },
  at: number,
): void {
  forget(tx, and(eq(notifications.accountId, accountId), eq(notifications.readerOf, readerOf)), at)
}

/** E-mails that tell of it and are still here go unsent; what else they told is written anew. */
function forget(tx: Db, which: SQL | undefined, at: number): void {
  const told = tx
    .select({ id: notifications.letterId })
    .from(notifications)
    .where(and(which, isNotNull(notifications.letterId)))
    .all()
    .flatMap(({ id }) => id ?? [])
  tx.delete(notifications).where(which).run()
  withdrawTelling(tx, [...new Set(told)], 'its reader may no longer read all of it', at)
}

/**
 * An account is purged: so is some of what anybody was told of it, with the e-mails. Returns the ids of those; undefined if
 * nothing is left.
 */
export function forgetSomeNotifications(
  tx: Db,
  { accountId, at, most }: { accountId: AccountId; at: number; most: number },
): number[] | undefined {
  const about = or(eq(notifications.accountId, accountId), eq(notifications.readerOf, accountId))
  const next = tx
    .select({ id: notifications.id, letterId: notifications.letterId })
    .from(notifications)
    .where(about)
    .limit(most)
    .all()
  if (next.length === 0) return undefined
  const told = next.map(({ id }) => id)
  tx.delete(notifications).where(isOneOf(notifications.id, told)).run()
  const ids = [...new Set(next.flatMap(({ letterId }) => letterId ?? []))]
  if (ids.length === 0) return []
  withdrawTelling(tx, ids, 'an account that it told of was deleted', at)
  tx.update(notifications).set({ letterId: null }).where(inArray(notifications.letterId, ids)).run()
  tx.delete(letterPeople).where(inArray(letterPeople.letterId, ids)).run()
  tx.delete(letters).where(inArray(letters.id, ids)).run()
  return ids
}

/** A user is deleted. */
export function forgetNotificationsOf(tx: Db, userId: UserId): void {
  tx.delete(notifications).where(eq(notifications.userId, userId)).run()
  tx.delete(notificationChoices).where(eq(notificationChoices.userId, userId)).run()
}
