import { and } from 'drizzle-orm'
import type { UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { notificationChoices } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'
import type { Person } from '../record.ts'
import { allTopics, type MailWay, type Topic, wayOf } from '../topics.ts'

// How people want to be told of each topic.

const chosenOf = prepared((db, { userIds, topic }: Placeholders<{ userIds: string; topic: string }>) =>
  db
    .select({ userId: notificationChoices.userId, way: notificationChoices.way })
    .from(notificationChoices)
    .where(and(isOneOf(notificationChoices.userId, userIds), equals(notificationChoices.topic, topic)))
    .prepare(),
)

/** How each of these people is told of a topic. */
export function waysOf(db: Db, userIds: UserId[], topic: Topic): Map<UserId, MailWay> {
  const chosen = new Map(
    chosenOf(db)
      .all({ userIds: JSON.stringify(userIds), topic })
      .map(({ userId, way }) => [userId, way]),
  )
  return new Map(userIds.map((userId) => [userId, wayOf(topic, chosen.get(userId))]))
}

/** Whether somebody gets an e-mail about a topic at once: else the page tells it, and perhaps the daily summary. */
export function wantsAtOnce(db: Db, userId: UserId, topic: Topic): boolean {
  return waysOf(db, [userId], topic).get(userId) === 'now'
}

const choicesOf = prepared((db, { userId }: Placeholders<{ userId: UserId }>) =>
  db
    .select({ topic: notificationChoices.topic, way: notificationChoices.way })
    .from(notificationChoices)
    .where(equals(notificationChoices.userId, userId))
    .prepare(),
)

/** How somebody is told, by topic. */
export function listWays(db: Db, userId: UserId): Record<Topic, MailWay> {
  const chosen = new Map(
    choicesOf(db)
      .all({ userId })
      .map(({ topic, way }) => [topic, way]),
  )
  return Object.fromEntries(allTopics.map((topic) => [topic, wayOf(topic, chosen.get(topic))])) as Record<
    Topic,
    MailWay
  >
}

/** Saves how somebody wants to be told. Topics that nobody can choose stay as they are. False when all are so already. */
export function chooseWays(db: Db, actor: Person, chosen: Partial<Record<Topic, MailWay>>): boolean {
  const { userId } = actor
  return write(db, actor, (tx) => {
    const before = listWays(tx, userId)
    const changed = allTopics.filter((topic) => wayOf(topic, chosen[topic] ?? before[topic]) !== before[topic])
    for (const topic of changed) {
      const way = chosen[topic] ?? before[topic]
      tx.insert(notificationChoices)
        .values({ userId, topic, way })
        .onConflictDoUpdate({ target: [notificationChoices.userId, notificationChoices.topic], set: { way } })
        .run()
    }
    return changed.length > 0
  })
}
