import { and, desc, eq, inArray, or } from 'drizzle-orm'
import type { AccountId, ProjectId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { records } from '../../db/schema.ts'
import type { RecordKind } from '../kinds.ts'

/** What makes and ends a membership, and what changes its role. */
const ofMember: RecordKind[] = [
  'member.joined',
  'member.added-self',
  'member.removed-self',
  'member.joined-by-sso',
  'member.removed-by-sso',
  'member.left',
  'member.removed',
  'member.deleted',
]
const ofRole: RecordKind[] = [...ofMember, 'member.role-changed']
const ofAccess: RecordKind[] = ['access.given', 'access.role-changed', 'access.removed']

/**
 * Whether an act of this time is still the last one on somebody's place in an account, or, with a project, on their access to
 * it. Who undoes an act undoes that one, and none that came later and left the same behind.
 */
export function isLastOn(
  db: Db,
  { accountId, userId, projectId }: { accountId: AccountId; userId: UserId; projectId?: ProjectId },
  at: number,
): boolean {
  const inAccount = and(eq(records.accountId, accountId), inArray(records.kind, projectId ? ofMember : ofRole))
  const inProject = projectId && and(eq(records.projectId, projectId), inArray(records.kind, ofAccess))
  const last = db
    .select({ at: records.at })
    .from(records)
    .where(and(eq(records.userId, userId), or(inAccount, inProject)))
    .orderBy(desc(records.id))
    .limit(1)
    .get()
  return last?.at === at
}
