import { and, eq, inArray, sql } from 'drizzle-orm'
import type { AccountId, ProjectId, UserId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { memberships, projectAccess, users } from '../../../db/schema.ts'
import type { ProjectRole } from '../../../policy.ts'
import { isLastOn } from '../../../records/data/latest.ts'
import { type Actor, record } from '../../../records/record.ts'
import { type Access, accessFields } from './listing.ts'

/** Somebody in a project. */
type Seat = { accountId: AccountId; projectId: ProjectId; userId: UserId }

/**
 * Gives users of the account access, all or none. Users who already have access keep their role and are counted separately.
 * Undefined when one of them is no user of the account.
 */
export function giveAccess(
  db: Db,
  actor: Actor,
  { accountId, projectId }: { accountId: AccountId; projectId: ProjectId },
  { userIds, role, since }: { userIds: UserId[]; role: ProjectRole; since?: number | undefined },
): { added: number; kept: number } | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const members = tx
      .select({ userId: memberships.userId })
      .from(memberships)
      .where(and(eq(memberships.accountId, accountId), inArray(memberships.userId, userIds)))
      .all()
    if (members.length < new Set(userIds).size) return undefined
    const isStill = (userId: UserId) => since === undefined || isLastOn(tx, { accountId, projectId, userId }, since)
    if (!userIds.every(isStill)) return 'stale'
    const added = members.filter(({ userId }) => addAccess(tx, actor, { accountId, projectId, userId }, role)).length
    return { added, kept: members.length - added }
  })
}

/**
 * The schema itself rejects users of other accounts. False if the user already had access. `mapped`: their group at the
 * account’s provider of single sign-on gives it.
 */
export function addAccess(
  tx: Db,
  actor: Actor,
  { mapped = false, ...seat }: Seat & { mapped?: boolean },
  role: ProjectRole,
): boolean {
  const added = tx
    .insert(projectAccess)
    .values({ ...seat, role, mapped, createdAt: actor.at })
    .onConflictDoNothing()
    .run().changes
  if (added) record(tx, actor, { kind: 'access.given', ...seat, change: { role: [null, role] } })
  return added === 1
}

export function findAccess(db: Db, seat: Seat): Access | undefined {
  return db
    .select(accessFields)
    .from(projectAccess)
    .innerJoin(users, eq(users.id, projectAccess.userId))
    .where(oneAccess(seat))
    .get()
}

/** Undefined when the user has no access; `changed` is false when it is the same role. `was` is the role before. */
export function changeAccess(
  db: Db,
  actor: Actor,
  seat: Seat,
  { role, version, since }: { role: ProjectRole; version: number; since?: number | undefined },
): (Access & { changed: boolean; was: ProjectRole }) | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const access = findAccess(tx, seat)
    if (!access) return undefined
    if (access.role === role) return { ...access, changed: false, was: role }
    if (access.version !== version || (since !== undefined && !isLastOn(tx, seat, since))) return 'stale'
    tx.update(projectAccess)
      .set({ role, mapped: false, version: sql`${projectAccess.version} + 1` })
      .where(oneAccess(seat))
      .run()
    record(tx, actor, {
      kind: 'access.role-changed',
      ...seat,
      change: { role: [access.role, role] },
    })
    return { ...access, role, changed: true, was: access.role }
  })
}

export function removeAccess(db: Db, actor: Actor, seat: Seat): Access | undefined {
  return write(db, actor, (tx) => {
    const access = findAccess(tx, seat)
    if (!access) return undefined
    tx.delete(projectAccess).where(oneAccess(seat)).run()
    record(tx, actor, { kind: 'access.removed', ...seat, change: { role: [access.role, null] } })
    return access
  })
}

function oneAccess({ accountId, projectId, userId }: Seat) {
  return and(
    eq(projectAccess.accountId, accountId),
    eq(projectAccess.projectId, projectId),
    eq(projectAccess.userId, userId),
  )
}
