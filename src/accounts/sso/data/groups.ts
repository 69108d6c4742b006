import { and, asc, count, eq, isNull } from 'drizzle-orm'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { projects, providerGroups } from '../../../db/schema.ts'
import { type Actor, record } from '../../../records/record.ts'

// What the groups of an account’s provider become in the account: a role and, where a project is named, one in it.

export type ProviderGroup = typeof providerGroups.$inferSelect
export type GroupWish = Pick<ProviderGroup, 'value' | 'role' | 'projectId' | 'projectRole'>

export const mostGroups = 100

export function listGroups(db: Db, accountId: AccountId): ProviderGroup[] {
  return db
    .select()
    .from(providerGroups)
    .where(eq(providerGroups.accountId, accountId))
    .orderBy(asc(providerGroups.value), asc(providerGroups.id))
    .limit(mostGroups)
    .all()
}

/** Undefined where the account has no such project. `unchanged`: there is a rule for this group, and this project, already. */
export function addGroup(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  wish: GroupWish,
): ProviderGroup | 'full' | 'unchanged' | undefined {
  return write(db, actor, (tx) => {
    const { projectId } = wish
    if (projectId !== null && !hasProject(tx, accountId, projectId)) return undefined
    const all = tx.select({ all: count() }).from(providerGroups).where(eq(providerGroups.accountId, accountId)).get()
    if ((all?.all ?? 0) >= mostGroups) return 'full'
    const [added] = tx
      .insert(providerGroups)
      .values({ accountId, ...wish, createdAt: actor.at })
      .onConflictDoNothing()
      .returning()
      .all()
    if (!added) return 'unchanged'
    record(tx, actor, {
      kind: 'sso.group-added',
      accountId,
      ...(projectId !== null && { projectId }),
      change: { group: [null, wish.value], role: [null, wish.role], in: [null, wish.projectRole] },
    })
    return added
  })
}

export function removeGroup(
  db: Db,
  actor: Actor,
  { accountId, id }: { accountId: AccountId; id: number },
): ProviderGroup | undefined {
  return write(db, actor, (tx) => {
    const which = and(eq(providerGroups.accountId, accountId), eq(providerGroups.id, id))
    const [removed] = tx.delete(providerGroups).where(which).returning().all()
    if (!removed) return undefined
    const { projectId } = removed
    record(tx, actor, {
      kind: 'sso.group-removed',
      accountId,
      ...(projectId !== null && { projectId }),
      change: { group: [removed.value, null] },
    })
    return removed
  })
}

function hasProject(tx: Db, accountId: AccountId, projectId: ProjectId): boolean {
  const which = and(eq(projects.accountId, accountId), eq(projects.id, projectId), isNull(projects.deletedAt))
  return tx.select({ id: projects.id }).from(projects).where(which).get() !== undefined
}
