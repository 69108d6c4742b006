import { and, asc, eq, inArray, isNull, notExists, notInArray, or, sql } from 'drizzle-orm'
import { type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import { type Db, write } from '../../../db/open.ts'
import { memberships, projectAccess, projects, users } from '../../../db/schema.ts'
import { isOneOf, matches } from '../../../db/search.ts'
import type { ProjectRole } from '../../../policy.ts'
import { type Actor, record } from '../../../records/record.ts'

export type Access = {
  projectId: number
  userId: number
  name: string
  email: string
  role: ProjectRole
  version: number
  /** What the list is sorted by. */
  sortKey: string
}
export type Candidate = { userId: number; name: string; email: string }

const accessFields = {
  projectId: projectAccess.projectId,
  userId: users.id,
  name: users.name,
  email: users.email,
  role: projectAccess.role,
  version: projectAccess.version,
  sortKey: projectAccess.sortKey,
}

export const accessList = {
  name: 'access',
  id: projectAccess.userId,
  idOf: (access) => access.userId,
  sorts: { name: { words: 'Name', column: projectAccess.sortKey, order: 'asc', value: (access) => access.sortKey } },
  columns: { name: ({ name }) => name, 'e-mail': ({ email }) => email, role: ({ role }) => role },
  filters: {},
} as const satisfies ListSpec<Access>

/** Who has access to a project. */
export function listAccess(db: Db, accountId: number, projectId: number, query: ListQuery): List<Access> {
  const own = and(
    eq(projectAccess.accountId, sql.placeholder('accountId')),
    eq(projectAccess.projectId, sql.placeholder('projectId')),
  )
  return readPage(db, accessList, query, {
    values: { accountId, projectId },
    narrowed: matches(db, 'users', projectAccess.userId, projectAccess.search, query.q),
    rows: ({ where, orderBy, limit }) =>
      db
        .select(accessFields)
        .from(projectAccess)
        .innerJoin(users, eq(users.id, projectAccess.userId))
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: projectAccess.userId }).from(projectAccess).where(and(own, where)).limit(limit),
    seen: (rows) => rows,
  })
}

/** The first people of each of these projects, `each` at the most, in one query. */
export function listAccessOf(db: Db, accountId: number, projectIds: number[], each: number): Access[] {
  if (projectIds.length === 0) return []
  const numbered = db
    .select({
      ...accessFields,
      n: sql<number>`row_number() over (partition by ${projectAccess.projectId} order by ${projectAccess.sortKey})`.as(
        'n',
      ),
    })
    .from(projectAccess)
    .innerJoin(users, eq(users.id, projectAccess.userId))
    .where(and(eq(projectAccess.accountId, accountId), inArray(projectAccess.projectId, projectIds)))
    .as('numbered')
  return db
    .select()
    .from(numbered)
    .where(sql`${numbered.n} <= ${each}`)
    .orderBy(asc(numbered.projectId), asc(numbered.n))
    .all()
}

/**
 * The account's users without access to a project, found by name or e-mail: whom access can be given to. Those of
 * `chosen` come first, found or not.
 */
export function listCandidates(
  db: Db,
  accountId: number,
  projectId: number,
  q: string,
  limit: number,
  chosen: number[] = [],
): Candidate[] {
  const inside = db
    .select({ id: projectAccess.userId })
    .from(projectAccess)
    .where(eq(projectAccess.projectId, projectId))
  return db
    .select({ userId: users.id, name: users.name, email: users.email })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(
      and(
        eq(memberships.accountId, accountId),
        isNull(users.disabledAt),
        notInArray(users.id, inside),
        chosen.length > 0
          ? or(isOneOf(users.id, chosen), matches(db, 'users', memberships.userId, memberships.search, q) ?? sql`true`)
          : matches(db, 'users', memberships.userId, memberships.search, q),
      ),
    )
    .orderBy(...(chosen.length > 0 ? [sql`not ${isOneOf(users.id, chosen)}`] : []), asc(memberships.sortKey))
    .limit(limit)
    .all()
}

/** The first candidates of each of these projects, `each` at the most, in one query. */
export function listCandidatesOf(
  db: Db,
  accountId: number,
  projectIds: number[],
  each: number,
): (Candidate & { projectId: number })[] {
  if (projectIds.length === 0) return []
  const inside = db
    .select({ one: sql`1` })
    .from(projectAccess)
    .where(and(eq(projectAccess.projectId, projects.id), eq(projectAccess.userId, users.id)))
  const numbered = db
    .select({
      // Both columns are called id: in a subquery each needs a name of its own.
      projectId: sql<number>`${projects.id}`.as('project_id'),
      userId: sql<number>`${users.id}`.as('user_id'),
      name: users.name,
      email: users.email,
      n: sql<number>`row_number() over (partition by ${projects.id} order by ${memberships.sortKey})`.as('n'),
    })
    .from(projects)
    .innerJoin(memberships, eq(memberships.accountId, projects.accountId))
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(
      and(
        eq(projects.accountId, accountId),
        inArray(projects.id, projectIds),
        isNull(users.disabledAt),
        notExists(inside),
      ),
    )
    .as('numbered')
  return db
    .select()
    .from(numbered)
    .where(sql`${numbered.n} <= ${each}`)
    .orderBy(asc(numbered.projectId), asc(numbered.n))
    .all()
}

/**
 * Gives users of the account access, all or none. Whoever has access keeps the role, and is counted apart.
 * Undefined when one of them is no user of the account.
 */
export function giveAccess(
  db: Db,
  actor: Actor,
  accountId: number,
  projectId: number,
  userIds: number[],
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

/** The schema itself keeps out whoever is not of the account. False when there was access already. */
export function addAccess(
  tx: Db,
  actor: Actor,
  accountId: number,
  projectId: number,
  userId: number,
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

export function findAccess(db: Db, accountId: number, projectId: number, userId: number): Access | undefined {
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
  accountId: number,
  projectId: number,
  userId: number,
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
  accountId: number,
  projectId: number,
  userId: number,
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

function oneAccess(accountId: number, projectId: number, userId: number) {
  return and(
    eq(projectAccess.accountId, accountId),
    eq(projectAccess.projectId, projectId),
    eq(projectAccess.userId, userId),
  )
}
