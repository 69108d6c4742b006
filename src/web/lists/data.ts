import { and, eq, sql } from 'drizzle-orm'
import type { UserId } from '../../db/ids.ts'
import { type Db, writeUnchecked } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { listChoices, users } from '../../db/schema.ts'

const oneChoice = prepared((db, { userId, list }: Placeholders<{ userId: UserId; list: string }>) =>
  db
    .select({ query: listChoices.query })
    .from(listChoices)
    .where(and(equals(listChoices.userId, userId), equals(listChoices.list, list)))
    .prepare(),
)

/** How a user last chose to see a list, as a query; empty where it was as everybody sees it first. */
export function findListChoice(db: Db, userId: UserId, list: string): string {
  return oneChoice(db).get({ userId, list })?.query ?? ''
}

/** Keeps how a user sees a list. Nothing is kept for a user who was deleted a moment ago. */
export function keepListChoice(db: Db, userId: UserId, list: string, query: string): void {
  writeUnchecked(db, (tx) => {
    if (query === '') {
      tx.delete(listChoices)
        .where(and(eq(listChoices.userId, userId), eq(listChoices.list, list)))
        .run()
      return
    }
    const living = and(eq(users.id, userId), sql`${users.deletedAt} is null`)
    if (!tx.select({ id: users.id }).from(users).where(living).get()) return
    tx.insert(listChoices)
      .values({ userId, list, query })
      .onConflictDoUpdate({ target: [listChoices.userId, listChoices.list], set: { query } })
      .run()
  })
}
