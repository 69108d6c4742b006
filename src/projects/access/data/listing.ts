import { and, asc, eq, inArray, isNull, notInArray, or, sql } from 'drizzle-orm'
import type { AccountId, ProjectId, UserId } from '../../../db/ids.ts'
import { type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { equals, placeholdersOf } from '../../../db/prepared.ts'
import { memberships, projectAccess, users } from '../../../db/schema.ts'
import { isOneOf, matches } from '../../../db/search.ts'
import type { ProjectRole } from '../../../policy.ts'

export type Access = {
  projectId: ProjectId
  userId: UserId
  name: string
  email: string
  role: ProjectRole
  version: number
  /** What the list is sorted by. */
  sortKey: string
}
export type Candidate = { userId: UserId; name: string; email: string }

export const accessFields = {
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
  columns: {
    name: { head: 'Name', look: 'main who person', file: ({ name }) => name },
    'e-mail': { file: ({ email }) => email },
    role: { head: 'Role', file: ({ role }) => role },
  },
  filters: {},
} as const satisfies ListSpec<Access>

/** Who has access to a project. */
export function listAccess(db: Db, accountId: AccountId, projectId: ProjectId, query: ListQuery): List<Access> {
  const values = { accountId, projectId }
  const the = placeholdersOf(values)
  const condition = and(equals(projectAccess.accountId, the.accountId), equals(projectAccess.projectId, the.projectId))
  return readPage(db, accessList, query, {
    values,
    narrowed: matches(db, { table: 'users', id: projectAccess.userId, text: projectAccess.search }, query.q),
    rows: ({ where, orderBy, limit }) =>
      db
        .select(accessFields)
        .from(projectAccess)
        .innerJoin(users, eq(users.id, projectAccess.userId))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: projectAccess.userId }).from(projectAccess).where(and(condition, where)).limit(limit),
    seen: (rows) => rows,
  })
}

/** The first people of each of these projects, at most `each`, in one query. */
export function listAccessOf(db: Db, accountId: AccountId, projectIds: ProjectId[], each: number): Access[] {
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
 * The account's users without access to a project, found by name or e-mail: those who can be given access. Those of
 * `chosen` come first, found or not.
 */
export function listCandidates(
  db: Db,
  { accountId, projectId }: { accountId: AccountId; projectId: ProjectId },
  { q, limit, chosen = [] }: { q: string; limit: number; chosen?: UserId[] | undefined },
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
          ? or(
              isOneOf(users.id, chosen),
              matches(db, { table: 'users', id: memberships.userId, text: memberships.search }, q) ?? sql`true`,
            )
          : matches(db, { table: 'users', id: memberships.userId, text: memberships.search }, q),
      ),
    )
    .orderBy(...(chosen.length > 0 ? [sql`not ${isOneOf(users.id, chosen)}`] : []), asc(memberships.sortKey))
    .limit(limit)
    .all()
}
