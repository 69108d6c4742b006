import { and, inArray, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { letters, notifications } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'
import { withdrawn } from '../../mail/outbox.ts'
import { fixedTopics } from '../topics.ts'

/** Withdraws those of these e-mails that are still here. What else they told is written anew. */
export function withdrawTelling(tx: Db, letterIds: number[], why: string, at: number): void {
  if (letterIds.length === 0) return
  const unsent = tx
    .update(letters)
    .set(withdrawn(why, at))
    .where(and(isOneOf(letters.id, letterIds), inArray(letters.state, ['waiting', 'failed'])))
    .returning({ id: letters.id })
    .all()
  tellAnew(
    tx,
    unsent.map(({ id }) => id),
  )
}

/**
 * These e-mails go unsent: what they told is written anew, as far as their readers may still read it then. What nobody can
 * choose at once, the rest with the daily summary.
 */
export function tellAnew(tx: Db, letterIds: number[]): void {
  if (letterIds.length === 0) return
  const mail = sql<'now' | 'daily'>`case when ${inArray(notifications.topic, fixedTopics)} then 'now' else 'daily' end`
  tx.update(notifications).set({ mail, letterId: null }).where(isOneOf(notifications.letterId, letterIds)).run()
}
