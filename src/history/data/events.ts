import { and, asc, eq, gt } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { projects, records } from '../../db/schema.ts'

// The history as programs read it: numbers instead of names, the oldest first. Numbers rise in the order of commits, since SQLite has
// one writer, so that nothing appears behind a number that was read already.

const after = prepared(
  (db, { accountId, id, limit }: Placeholders<{ accountId: AccountId; id: number; limit: number }>) =>
    db
      .select({
        id: records.id,
        at: records.at,
        kind: records.kind,
        actorId: records.actorId,
        bySupport: records.bySupport,
        userId: records.userId,
        invitationId: records.invitationId,
        project: projects.identifier,
        change: records.change,
      })
      .from(records)
      .leftJoin(projects, eq(projects.id, records.projectId))
      .where(and(equals(records.accountId, accountId), gt(records.id, id)))
      .orderBy(asc(records.id))
      .limit(limit)
      .prepare(),
)

export type AccountEvent = ReturnType<ReturnType<typeof after>['all']>[number]

/** What happened in an account after the record of this number, at most `limit` of it. */
export function listEvents(db: Db, accountId: AccountId, id: number, limit: number): AccountEvent[] {
  return after(db).all({ accountId, id, limit })
}
