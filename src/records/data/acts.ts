import { and, asc, gt } from 'drizzle-orm'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { records } from '../../db/schema.ts'

/** Those whose author, or the account that it acted from, stands in this column. */
const actsBy = <Id extends AccountId | UserId>(column: typeof records.actorAccountId | typeof records.actorId) =>
  prepared((db, { id, after, most }: Placeholders<{ id: Id; after: number; most: number }>) =>
    db
      .select({ id: records.id, accountId: records.accountId, kind: records.kind })
      .from(records)
      .where(and(equals(column, id), gt(records.id, after)))
      .orderBy(asc(records.id))
      .limit(most)
      .prepare(),
  )

const fromAccount = actsBy<AccountId>(records.actorAccountId)
const fromUser = actsBy<UserId>(records.actorId)

/** What was done from an account, or by a user, since a record: the oldest first, at most so many. */
export function actsSince(db: Db, by: { accountId: AccountId } | { userId: UserId }, after: number, most: number) {
  return 'accountId' in by
    ? fromAccount(db).all({ id: by.accountId, after, most })
    : fromUser(db).all({ id: by.userId, after, most })
}
