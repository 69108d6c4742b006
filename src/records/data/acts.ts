import { and, asc, gt } from 'drizzle-orm'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { records } from '../../db/schema.ts'

const columns = { id: records.id, accountId: records.accountId, kind: records.kind }

const fromAccount = prepared((db, { id, after, most }: Placeholders<{ id: AccountId; after: number; most: number }>) =>
  db
    .select(columns)
    .from(records)
    .where(and(equals(records.actorAccountId, id), gt(records.id, after)))
    .orderBy(asc(records.id))
    .limit(most)
    .prepare(),
)

const fromUser = prepared((db, { id, after, most }: Placeholders<{ id: UserId; after: number; most: number }>) =>
  db
    .select(columns)
    .from(records)
    .where(and(equals(records.actorId, id), gt(records.id, after)))
    .orderBy(asc(records.id))
    .limit(most)
    .prepare(),
)

/** What was done from an account, or by a user, since a record: the oldest first, at most so many. */
export function actsSince(db: Db, by: { accountId: AccountId } | { userId: UserId }, after: number, most: number) {
  return 'accountId' in by
    ? fromAccount(db).all({ id: by.accountId, after, most })
    : fromUser(db).all({ id: by.userId, after, most })
}
