import { and, count, desc, eq, sql } from 'drizzle-orm'
import { countForTab, countWhere } from '../../db/counting.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared, preparedInsert } from '../../db/prepared.ts'
import { memberships, users } from '../../db/schema.ts'
import { matches } from '../../db/search.ts'
import type { Role } from '../../policy.ts'
import { isLastOn } from '../../records/data/latest.ts'
import type { RecordKind } from '../../records/kinds.ts'
import { type Actor, type Person, record } from '../../records/record.ts'
import { adminRole } from '../../roles.ts'
import { works, worksAsAdmin } from '../data/caretaker.ts'
import { endSent } from '../endings/data/acts.ts'
import { type Exit, endInvitationsTo, endMembership } from '../endings/data/ending.ts'

export type Member = {
  userId: UserId
  name: string
  email: string
  role: Role
  version: number
  lastSeenAt: number | null
  joinedAt: number
  /** What the list is sorted by. */
  sortKey: string
  disabledAt: number | null
  /** Null until a link that was mailed to the address was followed. */
  emailProvedAt: number | null
  /** One of the partner’s people. */
  fromPartner: boolean
  /** 1 where they can log in and work in the account now. */
  active: number
}

export const memberFields = {
  userId: users.id,
  name: users.name,
  email: users.email,
  role: memberships.role,
  version: memberships.version,
  lastSeenAt: users.lastSeenAt,
  joinedAt: memberships.createdAt,
  sortKey: memberships.sortKey,
  disabledAt: users.disabledAt,
  emailProvedAt: users.emailProvedAt,
  fromPartner: memberships.fromPartner,
  active: works(sql`memberships`, sql`users`),
}

export const memberList = {
  name: 'users',
  id: memberships.userId,
  idOf: (member) => member.userId,
  sorts: {
    name: { words: 'Name', column: memberships.sortKey, order: 'asc', value: (member) => member.sortKey },
    'name-z': { words: 'Name, Z to A', column: memberships.sortKey, order: 'desc', value: (member) => member.sortKey },
    joined: { words: 'Newest first', column: memberships.createdAt, order: 'desc', value: (member) => member.joinedAt },
  },
  columns: {
    name: { head: 'Name', look: 'main who person', sorts: ['name', 'name-z'], file: ({ name }) => name },
    'e-mail': { file: ({ email }) => email },
    role: { head: 'Role', file: ({ role }) => role },
    'last seen': { head: 'Last seen', look: 'muted', label: true, file: ({ lastSeenAt }) => isoTime(lastSeenAt) },
    joined: { file: ({ joinedAt }) => isoTime(joinedAt) },
  },
  filters: { role: { admin: 'Admins', member: 'Users' } },
} as const satisfies ListSpec<Member>

export type MemberFilter = keyof typeof memberList.filters

/** What the search and the filters leave of an account's users. */
export function narrowedMembers(db: Db, { q, filters }: ListQuery<MemberFilter>) {
  return and(
    filters.role ? eq(memberships.role, filters.role as Role) : undefined,
    matches(db, { table: 'users', id: memberships.userId, text: memberships.search }, q),
  )
}

/** An account's users. */
export function listMembers(db: Db, accountId: AccountId, query: ListQuery<MemberFilter>): List<Member> {
  const values = { accountId }
  const condition = equals(memberships.accountId, placeholdersOf(values).accountId)
  return readPage(db, memberList, query, {
    values,
    narrowed: narrowedMembers(db, query),
    rows: ({ where, orderBy, limit }) =>
      db
        .select(memberFields)
        .from(memberships)
        .innerJoin(users, eq(users.id, memberships.userId))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: memberships.userId }).from(memberships).where(and(condition, where)).limit(limit),
    seen: (rows) => rows,
  })
}

export function countMembers(db: Db, accountId: AccountId): number {
  return countWhere(db, memberships, eq(memberships.accountId, accountId))
}

/** How many users of an account have a role, or any. */
export function countRole(db: Db, accountId: AccountId, role?: Role) {
  const inRole = () => and(eq(memberships.accountId, accountId), role ? eq(memberships.role, role) : undefined)
  const rows = () => db.select({ one: memberships.userId }).from(memberships).where(inRole())
  return countForTab(db, `users ${accountId} ${role ?? ''}`, rows)
}

const oneMember = prepared((db, { accountId, userId }: Placeholders<{ accountId: AccountId; userId: UserId }>) =>
  db
    .select(memberFields)
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(equals(memberships.accountId, accountId), equals(memberships.userId, userId)))
    .prepare(),
)

export function findMember(db: Db, accountId: AccountId, userId: UserId): Member | undefined {
  return oneMember(db).get({ accountId, userId })
}

/** Whether an account has an admin who can log in: for lists of accounts. */
export const hasAdmin = sql`exists (select 1 from memberships as own join users as person on person.id = own.user_id
  where own.account_id = accounts.id and ${worksAsAdmin(sql`own`, sql`person`)})`

const admins = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ n: count() })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(equals(memberships.accountId, accountId), worksAsAdmin(sql`memberships`, sql`users`)))
    .prepare(),
)

/** Admins who can log in and act: disabled users and people of a suspended partner do not count. */
export function countAdmins(db: Db, accountId: AccountId): number {
  return admins(db).get({ accountId })?.n ?? 0
}

const newMember = preparedInsert(memberships, (insert) => insert.onConflictDoNothing().prepare())

/** `fromPartner`: one of the partner's people, whose membership ends with the tie. `mapped`: a group at the account's provider made it. */
export type NewMember = { accountId: AccountId; userId: UserId; role: Role; fromPartner?: boolean; mapped?: boolean }

/** Adds a member. False when the user is one already: then nothing changes, the role neither. */
export function addMember(tx: Db, actor: Actor, member: NewMember, kind: RecordKind): boolean {
  const { accountId, userId, role } = member
  const added = newMember(tx).run({ ...member, createdAt: actor.at, lastUsedAt: actor.at }).changes
  // Another invitation must not bring them back once they were removed.
  if (added) endInvitationsTo(tx, actor, accountId, userId)
  if (added) record(tx, actor, { kind, accountId, userId, change: { role: [null, role] } })
  return added === 1
}

/** Groups at the provider of single sign-on no longer decide about a member. In the caller’s transaction. */
export function keepMember(tx: Db, accountId: AccountId, userId: UserId): void {
  const theirs = and(eq(memberships.accountId, accountId), eq(memberships.userId, userId), eq(memberships.mapped, true))
  tx.update(memberships).set({ mapped: false }).where(theirs).run()
}

export type Refused = 'last-admin' | 'stale'

/** The member as it is now, whether the role was another one, and how many invitations they had sent ended with it. */
export type RoleChanged = { member: Member; changed: boolean; ended: number }

/**
 * Changes a role, unless the account would be left without an admin. Undefined when there is no such member. `keptBy`
 * takes over the invitations that a former admin sent.
 */
export function changeRole(
  db: Db,
  actor: Actor,
  { accountId, userId }: { accountId: AccountId; userId: UserId },
  {
    role,
    version,
    keptBy,
    since,
  }: { role: Role; version: number; keptBy?: Person | undefined; since?: number | undefined },
): RoleChanged | Refused | undefined {
  return write(db, actor, (tx) => {
    const member = findMember(tx, accountId, userId)
    if (!member) return undefined
    if (member.role === role) return { member, changed: false, ended: 0 }
    const undone = since !== undefined && !isLastOn(tx, { accountId, userId }, since)
    if (member.version !== version || undone) return 'stale'
    if (isLastAdmin(tx, accountId, member)) return 'last-admin'
    tx.update(memberships)
      .set({ role, mapped: false, version: sql`${memberships.version} + 1` })
      .where(and(eq(memberships.accountId, accountId), eq(memberships.userId, userId)))
      .run()
    record(tx, actor, { kind: 'member.role-changed', accountId, userId, change: { role: [member.role, role] } })
    const ended = role === adminRole ? 0 : endSent(tx, actor, userId, { from: accountId, keptBy })
    return { member: { ...member, role }, changed: true, ended }
  })
}

/**
 * Ends a membership with everything that depends on it. Undefined when there is no such member. `mayEmpty`: the last admin may
 * go when nobody else is left (a partner's Remove Myself). `keptBy` takes over the invitations that the member sent.
 */
export function removeMember(
  db: Db,
  actor: Actor,
  { accountId, userId }: { accountId: AccountId; userId: UserId },
  { exit, mayEmpty = false, keptBy }: { exit: Exit; mayEmpty?: boolean; keptBy?: Person | undefined },
): Member | 'last-admin' | undefined {
  return write(db, actor, (tx) => {
    const member = findMember(tx, accountId, userId)
    if (!member) return undefined
    const leavesEmpty = mayEmpty && countMembers(tx, accountId) === 1
    if (!leavesEmpty && isLastAdmin(tx, accountId, member)) return 'last-admin'
    endMembership(tx, actor, { accountId, userId }, { exit, keptBy })
    return member
  })
}

/** Whether a member is an admin who can log in and act. */
function isActiveAdmin({ role, active }: Member): boolean {
  return role === adminRole && active === 1
}

/** Whether an admin may be given another role, or go. */
export function mayDemote(db: Db, accountId: AccountId, member: Member): boolean {
  return member.role === adminRole && !isLastAdmin(db, accountId, member)
}

function isLastAdmin(tx: Db, accountId: AccountId, member: Member): boolean {
  return isActiveAdmin(member) && countAdmins(tx, accountId) === 1
}

/** The people that a member of an account can ask, and who are told about it: its first admins who can log in and act. */
export function listAdmins(db: Db, accountId: AccountId, limit = 3): { userId: UserId; name: string; email: string }[] {
  return db
    .select({ userId: users.id, name: users.name, email: users.email })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.accountId, accountId), worksAsAdmin(sql`memberships`, sql`users`)))
    .orderBy(desc(users.lastSeenAt))
    .limit(limit)
    .all()
}
