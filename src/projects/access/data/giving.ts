import { and, eq, inArray, sql } from 'drizzle-orm'
import type { AccountId, ProjectId, UserId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { memberships, projectAccess, users } from '../../../db/schema.ts'
import type { ProjectRole } from '../../../policy.ts'
import { type Actor, record } from '../../../records/record.ts'
import { type Access, accessFields } from './listing.ts'

/**
 * Gives users of the account access, all or none. Users who already have access keep their role and are counted separately.
 * Undefined when one of them is no user of the account.
 */
export function giveAccess(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  projectId: ProjectId,
  userIds: UserId[],
  role: ProjectRole,
): { added: number; kept: number } | undefined {
  return write(db, actor, (tx) => {
    const members = tx
      .select({ userId: memberships.userId })
      .from(memberships)
      .where(and(eq(memberships.accountId, accountId), inArray(memberships.userId, userIds)))
      .all()
    if (members.length < new Set(userIds).size) return undefined
    const added = members.filter(({ userId }) => addAccess(tx, actor, accountId, projectId, userId, role)).length
    return { added, kept: members.length - added }
  })
}

/** The schema itself rejects users of other accounts. False if the user already had access. */
export function addAccess(
  tx: Db,
  actor: Actor,
  accountId: AccountId,
  projectId: ProjectId,
  userId: UserId,
  role: ProjectRole,
): boolean {
  const added = tx
    .insert(projectAccess)
    .values({ accountId, projectId, userId, role, createdAt: actor.at })
    .onConflictDoNothing()
    .run().changes
  if (added) record(tx, actor, { kind: 'access.given', accountId, projectId, userId, change: { role: [null, role] } })
  return added === 1
}

export function findAccess(db: Db, accountId: AccountId, projectId: ProjectId, userId: UserId): Access | undefined {
  return db
    .select(accessFields)
    .from(projectAccess)
    .innerJoin(users, eq(users.id, projectAccess.userId))
    .where(oneAccess(accountId, projectId, userId))
    .get()
}

/** Undefined when the user has no access; `changed` is false when it is the same role. */
export function changeAccess(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  projectId: ProjectId,
  userId: UserId,
  role: ProjectRole,
  version: number,
): (Access & { changed: boolean }) | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const access = findAccess(tx, accountId, projectId, userId)
    if (!access) return undefined
    if (access.role === role) return { ...access, changed: false }
    if (access.version !== version) return 'stale'
    tx.update(projectAccess)
      .set({ role, version: sql`${projectAccess.version} + 1` })
      .where(oneAccess(accountId, projectId, userId))
      .run()
    record(tx, actor, {
      kind: 'access.role-changed',
      accountId,
      projectId,
      userId,
      change: { role: [access.role, role] },
    })
    return { ...access, role, changed: true }
  })
}

export function removeAccess(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  projectId: ProjectId,
  userId: UserId,
): Access | undefined {
  return write(db, actor, (tx) => {
    const access = findAccess(tx, accountId, projectId, userId)
    if (!access) return undefined
    tx.delete(projectAccess)
      .where(oneAccess(accountId, projectId, userId))
      .run()
    record(tx, actor, { kind: 'access.removed', accountId, projectId, userId, change: { role: [access.role, null] } })
    return access
  })
}

function oneAccess(accountId: AccountId, projectId: ProjectId, userId: UserId) {
  return and(
    eq(projectAccess.accountId, accountId),
    eq(projectAccess.projectId, projectId),
    eq(projectAccess.userId, userId),
  )
}
