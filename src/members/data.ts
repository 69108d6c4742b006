import { and, asc, count, desc, eq, inArray, isNull, sql } from 'drizzle-orm'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../db/list.ts'
import { type Db, write } from '../db/open.ts'
import { prepared } from '../db/prepared.ts'
import { keptAccess, memberships, projectAccess, projects, users } from '../db/schema.ts'
import { matches } from '../db/search.ts'
import type { RecordKind } from '../history/kinds.ts'
import { type Actor, type Change, record } from '../history/record.ts'
import { adminRole, type Role } from '../policy.ts'

export type Member = {
  userId: number
  name: string
  email: string
  role: Role
  version: number
  lastLogInAt: number | null
  joinedAt: number
  /** What the list is sorted by. */
  search: string
  disabledAt: number | null
}

const memberFields = {
  userId: users.id,
  name: users.name,
  email: users.email,
  role: memberships.role,
  version: memberships.version,
  lastLogInAt: users.lastLogInAt,
  joinedAt: memberships.createdAt,
  search: memberships.search,
  disabledAt: users.disabledAt,
}

export const memberList = {
  name: 'users',
  id: memberships.userId,
  idOf: (member) => member.userId,
  sorts: {
    name: { words: 'Name', column: memberships.search, order: 'asc', value: (member) => member.search },
    joined: { words: 'Newest first', column: memberships.createdAt, order: 'desc', value: (member) => member.joinedAt },
  },
  columns: {
    name: ({ name }) => name,
    'e-mail': ({ email }) => email,
    role: ({ role }) => role,
    'last log-in': ({ lastLogInAt }) => isoTime(lastLogInAt),
    joined: ({ joinedAt }) => isoTime(joinedAt),
  },
  filters: { role: { admin: 'Admins', member: 'Users' } },
} as const satisfies ListSpec<Member>

export type MemberFilter = keyof typeof memberList.filters

/** An account's users. */
export function listMembers(db: Db, accountId: number, query: ListQuery<MemberFilter>): List<Member> {
  const { role } = query.filters
  const own = eq(memberships.accountId, sql.placeholder('accountId'))
  return readPage(db, memberList, query, {
    values: { accountId },
    narrowed: and(
      role ? eq(memberships.role, role as Role) : undefined,
      matches(db, 'users', memberships.userId, memberships.search, query.q),
    ),
    rows: ({ where, orderBy, limit }) =>
      db
        .select(memberFields)
        .from(memberships)
        .innerJoin(users, eq(users.id, memberships.userId))
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: memberships.userId }).from(memberships).where(and(own, where)).limit(limit),
    seen: (rows) => rows,
  })
}

export function countMembers(db: Db, accountId: number): number {
  return db.select({ n: count() }).from(memberships).where(eq(memberships.accountId, accountId)).get()?.n ?? 0
}

const oneMember = prepared((db) =>
  db
    .select(memberFields)
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(
      and(eq(memberships.accountId, sql.placeholder('accountId')), eq(memberships.userId, sql.placeholder('userId'))),
    )
    .prepare(),
)

export function findMember(db: Db, accountId: number, userId: number): Member | undefined {
  return oneMember(db).get({ accountId, userId })
}

/** Whether an account has an admin: for lists of accounts. */
export const hasAdmin = sql`exists (select 1 from memberships as own where own.account_id = accounts.id and own.role = ${adminRole})`

const admins = prepared((db) =>
  db
    .select({ n: count() })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(
      and(
        eq(memberships.accountId, sql.placeholder('accountId')),
        eq(memberships.role, adminRole),
        isNull(users.disabledAt),
      ),
    )
    .prepare(),
)

/** Admins who can act: a disabled one does not count. */
export function countAdmins(db: Db, accountId: number): number {
  return admins(db).get({ accountId })?.n ?? 0
}

const newMember = prepared((db) =>
  db
    .insert(memberships)
    .values({
      accountId: sql.placeholder('accountId'),
      userId: sql.placeholder('userId'),
      role: sql.placeholder('role'),
      createdAt: sql.placeholder('at'),
      lastUsedAt: sql.placeholder('at'),
    })
    .onConflictDoNothing()
    .prepare(),
)

/** Adds a member. False when the user is one already: then nothing changes, the role neither. */
export function addMember(
  tx: Db,
  actor: Actor,
  accountId: number,
  userId: number,
  role: Role,
  kind: RecordKind,
): boolean {
  const added = newMember(tx).run({ accountId, userId, role, at: actor.at }).changes
  if (added) record(tx, actor, { kind, accountId, userId, change: { role: [null, role] } })
  return added === 1
}

export type Refused = 'last-admin' | 'stale'

/**
 * Changes a role, unless the account would be left without an admin. Undefined when there is no such member;
 * `changed` is false when it is the same role.
 */
export function changeRole(
  db: Db,
  actor: Actor,
  accountId: number,
  userId: number,
  role: Role,
  version: number,
): (Member & { changed: boolean }) | Refused | undefined {
  return write(db, (tx) => {
    const member = findMember(tx, accountId, userId)
    if (!member) return undefined
    if (member.role === role) return { ...member, changed: false }
    if (member.version !== version) return 'stale'
    if (isLastAdmin(tx, accountId, member)) return 'last-admin'
    tx.update(memberships)
      .set({ role, version: sql`${memberships.version} + 1` })
      .where(and(eq(memberships.accountId, accountId), eq(memberships.userId, userId)))
      .run()
    record(tx, actor, { kind: 'member.role-changed', accountId, userId, change: { role: [member.role, role] } })
    return { ...member, role, changed: true }
  })
}

/**
 * Ends a membership and all its project access. Undefined when there is no such member.
 * `mayEmpty`: the last admin may go when nobody else is left (a partner's Remove Myself).
 */
export function removeMember(
  db: Db,
  actor: Actor,
  accountId: number,
  userId: number,
  kind: 'member.removed' | 'member.left' | 'member.removed-self',
  mayEmpty = false,
): Member | 'last-admin' | undefined {
  return write(db, (tx) => {
    const member = findMember(tx, accountId, userId)
    if (!member) return undefined
    const leavesEmpty = mayEmpty && countMembers(tx, accountId) === 1
    if (!leavesEmpty && isLastAdmin(tx, accountId, member)) return 'last-admin'

    const own = and(eq(projectAccess.accountId, accountId), eq(projectAccess.userId, userId))
    const lost = listProjectsOf(tx, accountId, userId)
    tx.delete(projectAccess).where(own).run()
    tx.delete(keptAccess)
      .where(and(eq(keptAccess.accountId, accountId), eq(keptAccess.userId, userId)))
      .run()
    tx.delete(memberships)
      .where(and(eq(memberships.accountId, accountId), eq(memberships.userId, userId)))
      .run()
    const change: Change = { role: [member.role, null] }
    if (lost.length > 0) change.projects = [lost.map((project) => project.identifier).join(', '), null]
    record(tx, actor, { kind, accountId, userId, change })
    return member
  })
}

/** Whether a member is an admin who can act: a disabled one cannot. */
export function isActiveAdmin({ role, disabledAt }: Member): boolean {
  return role === adminRole && disabledAt === null
}

function isLastAdmin(tx: Db, accountId: number, member: Member): boolean {
  return isActiveAdmin(member) && countAdmins(tx, accountId) === 1
}

/** The projects of an account that a member has access to. */
export function listProjectsOf(db: Db, accountId: number, userId: number): { name: string; identifier: string }[] {
  return db
    .select({ name: projects.name, identifier: projects.identifier })
    .from(projectAccess)
    .innerJoin(projects, eq(projects.id, projectAccess.projectId))
    .where(and(eq(projectAccess.accountId, accountId), eq(projectAccess.userId, userId)))
    .orderBy(asc(projects.id))
    .all()
}

/** Whom a member of an account can ask: its admins, the first ones. */
export function listAdmins(db: Db, accountId: number, limit = 3): { name: string; email: string }[] {
  return db
    .select({ name: users.name, email: users.email })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.accountId, accountId), eq(memberships.role, adminRole), isNull(users.disabledAt)))
    .orderBy(desc(users.lastLogInAt))
    .limit(limit)
    .all()
}

/** Some members of an account, by name. */
export function listMembersById(db: Db, accountId: number, userIds: number[]): Member[] {
  return db
    .select(memberFields)
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.accountId, accountId), inArray(memberships.userId, userIds)))
    .orderBy(asc(memberships.search))
    .all()
}
