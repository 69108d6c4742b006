import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm'
import { isRestorable, restorableUntil } from '../../db/deletion.ts'
import type { AccountId, ProjectId } from '../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, placeholdersOf } from '../../db/prepared.ts'
import { keptAccess, keptLimits, limits, projectAccess, projects, users } from '../../db/schema.ts'
import { matches } from '../../db/search.ts'
import { type Amounts, type Holder, hasRoom } from '../../quotas/arithmetic.ts'
import { changeLimits, dropProjectLimits, findQuotas, projectQuota } from '../../quotas/data/limits.ts'
import { noteUse } from '../../quotas/data/marks.ts'
import { endRequestOf } from '../../quotas/requests/data/deciding.ts'
import type { Resource } from '../../quotas/resources/data.ts'
import { type Actor, record } from '../../records/record.ts'
import type { Project } from '../data.ts'

export type DeletedProject = Project & { deletedAt: number; until: number; deleter: string | null; people: number }

export const deletedProjectList = {
  name: 'deleted-projects',
  id: projects.id,
  idOf: (project) => project.id,
  sorts: {
    deleted: {
      words: 'Last deleted first',
      column: projects.deletedAt,
      order: 'desc',
      value: (project) => project.deletedAt,
    },
  },
  columns: {
    name: { head: 'Project', look: 'main who', file: ({ name }) => name },
    identifier: { file: ({ identifier }) => identifier },
    people: { head: 'People', look: 'num wide', file: ({ people }) => people },
    deleted: { head: 'Deleted', look: 'muted', label: true, file: ({ deletedAt }) => isoTime(deletedAt) },
    'deleted by': { head: 'By', look: 'trim not-narrow', file: ({ deleter }) => deleter },
    'restorable until': { head: 'Kept until', look: 'wide muted', file: ({ until }) => isoTime(until) },
  },
  filters: {},
} as const satisfies ListSpec<DeletedProject>

const people = sql<number>`(select count(*) from kept_access as own where own.project_id = projects.id)`

/** The projects of an account that were deleted and can be restored at this time. */
export function listDeletedProjects(db: Db, accountId: AccountId, query: ListQuery, at: number): List<DeletedProject> {
  const values = { accountId }
  const condition = equals(projects.accountId, placeholdersOf(values).accountId)
  return readPage(db, deletedProjectList, query, {
    values,
    narrowed: and(
      isRestorable(projects, at),
      matches(db, { table: 'projects', id: projects.id, text: projects.search }, query.q),
    ),
    rows: ({ where, orderBy, limit }) =>
      db
        .select({ project: projects, deleter: users.name, people })
        .from(projects)
        .leftJoin(users, eq(users.id, projects.deletedBy))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: projects.id }).from(projects).where(and(condition, where)).limit(limit),
    seen: (rows) =>
      rows.map(({ project, ...more }) => {
        const deletedAt = project.deletedAt ?? 0
        return { ...project, ...more, deletedAt, until: restorableUntil(deletedAt) }
      }),
  })
}

/** Undefined for a foreign, living or missing project, and for one that was purged or is about to be. */
export function findDeletedProject(
  db: Db,
  accountId: AccountId,
  identifier: string,
  at: number,
): (Project & { deletedAt: number; until: number }) | undefined {
  const project = db
    .select()
    .from(projects)
    .where(and(eq(projects.accountId, accountId), isRestorable(projects, at), eq(projects.identifier, identifier)))
    .get()
  const deletedAt = project?.deletedAt ?? 0
  return project && { ...project, deletedAt, until: restorableUntil(deletedAt) }
}

/** A limit that came back smaller, since its account has no more left. */
export type Reduced = { resource: Resource; was: number; now: number }

export type RestoredProject = { project: Project; people: number; reduced: Reduced[] }

/**
 * Restores a deleted project: with the people who are still users of the account, and with its limits as
 * far as the account has them left. 'limit' when no level has room for one more project; undefined when
 * there is no such project.
 */
export function restoreProject(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  projectId: ProjectId,
): RestoredProject | 'limit' | undefined {
  return write(db, actor, (tx) => {
    const where = and(eq(projects.accountId, accountId), isRestorable(projects, actor.at), eq(projects.id, projectId))
    const project = tx.select().from(projects).where(where).get()
    if (!project) return undefined
    if (!hasRoom(projectQuota(tx, accountId))) return 'limit'

    tx.update(projects).set({ deletedAt: null, deletedBy: null }).where(eq(projects.id, projectId)).run()
    const people = bringBackPeople(tx, actor, projectId)
    record(tx, actor, {
      kind: 'project.restored',
      accountId,
      projectId,
      change: { name: [null, project.name], people: [0, people] },
    })
    const reduced = bringBackLimits(tx, actor, { level: 'project', accountId, projectId })
    noteUse(tx, actor.at, accountId)
    return { project, people, reduced }
  })
}

function bringBackPeople(tx: Db, actor: Actor, projectId: ProjectId): number {
  const accesses = tx.delete(keptAccess).where(eq(keptAccess.projectId, projectId)).returning().all()
  for (const access of accesses)
    tx.insert(projectAccess)
      .values({ ...access, createdAt: actor.at })
      .run()
  return accesses.length
}

function bringBackLimits(tx: Db, actor: Actor, holder: Holder & { level: 'project' }): Reduced[] {
  const limitRows = tx.delete(keptLimits).where(eq(keptLimits.projectId, holder.projectId)).returning().all()
  const amounts: Amounts = new Map()
  const reduced: Reduced[] = []
  for (const { resource, available } of findQuotas(tx, holder)?.quotas ?? []) {
    const was = limitRows.find(({ resourceId }) => resourceId === resource.id)?.amount
    if (was === undefined) continue
    const now = Math.min(was, available ?? was)
    amounts.set(resource.id, now)
    if (now < was) reduced.push({ resource, was, now })
  }
  changeLimits(tx, actor, holder, { amounts, remark: 'Restored with the project' })
  return reduced
}

/**
 * Deletes a project. Its access and its limits are kept for a restoration, and count nowhere until then.
 * Its identifier stays taken. Undefined when there is no such project.
 */
export function deleteProject(db: Db, actor: Actor, accountId: AccountId, projectId: ProjectId): Project | undefined {
  return write(db, actor, (tx) => {
    const where = and(eq(projects.accountId, accountId), eq(projects.id, projectId))
    const project = tx
      .select()
      .from(projects)
      .where(and(where, isNull(projects.deletedAt)))
      .get()
    if (!project) return undefined
    tx.insert(keptAccess)
      .select(
        tx
          .select({
            accountId: projectAccess.accountId,
            projectId: projectAccess.projectId,
            userId: projectAccess.userId,
            role: projectAccess.role,
            mapped: projectAccess.mapped,
          })
          .from(projectAccess)
          .where(eq(projectAccess.projectId, project.id)),
      )
      .run()
    tx.insert(keptLimits)
      .select(
        tx
          .select({
            accountId: limits.accountId,
            projectId: sql<number>`${limits.projectId}`.as('project_id'),
            resourceId: limits.resourceId,
            amount: sql<number>`${limits.amount}`.as('amount'),
          })
          .from(limits)
          .where(and(eq(limits.projectId, project.id), isNotNull(limits.amount))),
      )
      .run()
    const ended = tx.delete(projectAccess).where(eq(projectAccess.projectId, project.id)).run().changes
    dropProjectLimits(tx, accountId, projectId)
    endRequestOf(tx, actor, { accountId, comment: `The project ${project.name} was deleted.`, projectId })
    tx.update(projects).set({ deletedAt: actor.at, deletedBy: actor.userId }).where(where).run()
    record(tx, actor, {
      kind: 'project.deleted',
      accountId,
      projectId,
      change: { name: [project.name, null], people: [ended, null] },
    })
    noteUse(tx, actor.at, accountId)
    return project
  })
}
