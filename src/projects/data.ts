import { and, asc, count, eq, inArray, isNull, type Placeholder, type SQL, sql } from 'drizzle-orm'
import { named } from '../db/fold.ts'
import { proposeIdentifier } from '../db/identifiers.ts'
import { type AccountId, asUserId, type ProjectId, type UserId } from '../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../db/list.ts'
import { type Db, write } from '../db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared } from '../db/prepared.ts'
import { memberships, projectAccess, projects } from '../db/schema.ts'
import { matches } from '../db/search.ts'
import type { ProjectRole } from '../policy.ts'
import { hasRoom } from '../quotas/arithmetic.ts'
import { projectQuota } from '../quotas/data/limits.ts'
import { noteUse } from '../quotas/data/marks.ts'
import { type Actor, record } from '../records/record.ts'

export type Project = typeof projects.$inferSelect

/** A project as a member sees it: `role` is null where an admin is not in it. */
export type SeenProject = Project & { role: ProjectRole | null; people: number }

/** Who looks: members see the projects they have access to, admins all. */
export type Looker = { userId: UserId; seesAll: boolean }

/** Sees all projects, and is nobody in them: the panel itself, for an admin of the account. */
export const everything: Looker = { userId: asUserId(0), seesAll: true }

const people = sql<number>`(select count(*) from project_access as own where own.project_id = projects.id)`

const accessOf = (userId: UserId | Placeholder) =>
  and(eq(projectAccess.projectId, projects.id), eq(projectAccess.userId, userId))

function selectSeen(db: Db, userId: UserId | Placeholder) {
  return db
    .select({ project: projects, role: projectAccess.role, people })
    .from(projects)
    .leftJoin(projectAccess, accessOf(userId))
    .$dynamic()
}

function visible(
  accountId: AccountId | Placeholder,
  { seesAll }: Pick<Looker, 'seesAll'>,
  more?: SQL,
): SQL | undefined {
  return and(
    eq(projects.accountId, accountId),
    isNull(projects.deletedAt),
    seesAll ? undefined : sql`${projectAccess.role} is not null`,
    more,
  )
}

const flat = (row: { project: Project; role: ProjectRole | null; people: number }): SeenProject => ({
  ...row.project,
  role: row.role,
  people: row.people,
})

export const projectList = {
  name: 'projects',
  id: projects.id,
  idOf: (project) => project.id,
  sorts: {
    created: { words: 'Newest first', column: projects.id, order: 'desc', value: (project) => project.id },
    name: { words: 'Name', column: projects.sortKey, order: 'asc', value: (project) => project.sortKey },
    'name-z': { words: 'Name, Z to A', column: projects.sortKey, order: 'desc', value: (project) => project.sortKey },
  },
  columns: {
    name: { head: 'Project', look: 'main who', sorts: ['name', 'name-z'], file: ({ name }) => name },
    identifier: { file: ({ identifier }) => identifier },
    role: { head: 'My role' },
    people: { head: 'People', look: 'num', label: true, file: ({ people }) => people },
    limits: { head: 'Limits', look: 'wrap' },
    quota: { head: 'Quota', look: 'wrap' },
    created: { head: 'Created', look: 'wide muted', sorts: ['created'], file: ({ createdAt }) => isoTime(createdAt) },
  },
  filters: {},
} as const satisfies ListSpec<SeenProject>

/** The projects of an account that the looker sees. */
export function listProjects(db: Db, accountId: AccountId, looker: Looker, query: ListQuery): List<SeenProject> {
  const values = { accountId, userId: looker.userId }
  const the = placeholdersOf(values)
  const condition = visible(the.accountId, looker)
  return readPage(db, projectList, query, {
    shape: looker.seesAll ? 'all' : 'own',
    values,
    narrowed: matches(db, { table: 'projects', id: projects.id, text: projects.search }, query.q),
    rows: ({ where, orderBy, limit }) =>
      selectSeen(db, the.userId)
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db
        .select({ one: projects.id })
        .from(projects)
        .leftJoin(projectAccess, accessOf(the.userId))
        .where(and(condition, where))
        .limit(limit),
    seen: (rows) => rows.map(flat),
  })
}

/** How many projects an account has. */
export function countProjects(db: Db, accountId: AccountId): number {
  return countOf(db).get({ accountId })?.n ?? 0
}

const countOf = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db.select({ n: count() }).from(projects).where(livingIn(accountId)).prepare(),
)

const livingIn = (accountId: Placeholders<{ accountId: AccountId }>['accountId']) =>
  and(equals(projects.accountId, accountId), isNull(projects.deletedAt))

/** Undefined for a foreign, deleted or missing project, and for one that the looker has no access to. */
export function findProject(db: Db, accountId: AccountId, looker: Looker, identifier: string): SeenProject | undefined {
  const row = selectSeen(db, looker.userId)
    .where(visible(accountId, looker, eq(projects.identifier, identifier)))
    .get()
  return row && flat(row)
}

/** The living projects of an account among these ids: for choices in forms. */
export function findProjectsById(db: Db, accountId: AccountId, ids: ProjectId[]): Project[] {
  if (ids.length === 0) return []
  return db
    .select()
    .from(projects)
    .where(and(eq(projects.accountId, accountId), isNull(projects.deletedAt), inArray(projects.id, ids)))
    .all()
}

export type ProjectChoice = Pick<Project, 'id' | 'name' | 'identifier'>

/** The first projects by name, for the choices of a form. */
export function listProjectChoices(db: Db, accountId: AccountId, limit: number): ProjectChoice[] {
  return choicesOf(db).all({ accountId, limit })
}

const choicesOf = prepared((db, { accountId, limit }: Placeholders<{ accountId: AccountId; limit: number }>) =>
  db
    .select({ id: projects.id, name: projects.name, identifier: projects.identifier })
    .from(projects)
    .where(livingIn(accountId))
    .orderBy(asc(projects.sortKey))
    .limit(limit)
    .prepare(),
)

/** The choices, followed by those that are already chosen. */
export function withChosen(choices: ProjectChoice[], chosen: ProjectChoice[]): ProjectChoice[] {
  return [...choices, ...chosen.filter(({ id }) => !choices.some((one) => one.id === id))]
}

/** Creates a project with its creator as Project Admin, unless no level has room for one more or the identifier was ever given out. */
export function createProject(
  db: Db,
  actor: Actor,
  { accountId, userId }: { accountId: AccountId; userId: UserId },
  project: { name: string; identifier: string },
): Project | 'limit' | 'taken' {
  return write(db, actor, (tx) => {
    if (!hasRoom(projectQuota(tx, accountId))) return 'limit'
    const [created] = tx
      .insert(projects)
      .values({ accountId, ...project, ...named(project.name, project.identifier), createdAt: actor.at })
      .onConflictDoNothing({ target: [projects.accountId, projects.identifier] })
      .returning()
      .all()
    if (!created) return 'taken'
    // A service user is no member: it sees all projects as an admin, and is in none.
    const isMember = and(eq(memberships.accountId, accountId), eq(memberships.userId, userId))
    if (tx.select({ role: memberships.role }).from(memberships).where(isMember).get())
      tx.insert(projectAccess)
        .values({ accountId, projectId: created.id, userId, role: 'admin', createdAt: actor.at })
        .run()
    record(tx, actor, {
      kind: 'project.created',
      accountId,
      projectId: created.id,
      change: { name: [null, created.name], identifier: [null, created.identifier] },
    })
    noteUse(tx, actor.at, accountId)
    return created
  })
}

export function proposeProjectIdentifier(db: Db, accountId: AccountId, taken: string): string {
  return proposeIdentifier(taken, (candidates) =>
    db
      .select({ identifier: projects.identifier })
      .from(projects)
      .where(and(eq(projects.accountId, accountId), inArray(projects.identifier, candidates)))
      .all()
      .map((row) => row.identifier),
  )
}

/** Renames a project. 'stale' when it is no longer at the version that the edit was made on, undefined when it is gone. */
export function renameProject(
  db: Db,
  actor: Actor,
  { accountId, projectId }: { accountId: AccountId; projectId: ProjectId },
  { name, version }: { name: string; version: number },
): 'saved' | 'unchanged' | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const where = and(eq(projects.accountId, accountId), eq(projects.id, projectId), isNull(projects.deletedAt))
    const before = tx.select().from(projects).where(where).get()
    if (!before) return undefined
    if (before.version !== version) return 'stale'
    if (before.name === name) return 'unchanged'
    tx.update(projects)
      .set({ name, ...named(name, before.identifier), version: sql`${projects.version} + 1` })
      .where(where)
      .run()
    record(tx, actor, { kind: 'project.renamed', accountId, projectId, change: { name: [before.name, name] } })
    return 'saved'
  })
}
