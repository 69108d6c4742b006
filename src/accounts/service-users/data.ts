import { randomUUID } from 'node:crypto'
import { and, eq, sql } from 'drizzle-orm'
import { countWhere } from '../../db/counting.ts'
import { named } from '../../db/fold.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, placeholdersOf } from '../../db/prepared.ts'
import { personalChanges, serviceUsers, users } from '../../db/schema.ts'
import { holds, isOneOf, searchWords } from '../../db/search.ts'
import type { Role } from '../../policy.ts'
import { type Actor, record } from '../../records/record.ts'
import { adminRole } from '../../roles.ts'
import { makerIn } from '../data/maker.ts'
import { endSent } from '../endings/data/acts.ts'
import { endServiceUsers } from '../endings/data/programs.ts'

// The programs of an account (I-07): each is a user without e-mail and password, of this account alone.

/** A program’s user: its name, its role, and its tokens that have not been ended. */
export type ServiceUser = {
  userId: UserId
  name: string
  role: Role
  version: number
  createdAt: number
  sortKey: string
  tokens: number
  lastUsedAt: number | null
}

/** An account has so many at most. */
export const mostServiceUsers = 200

const current = sql`service_users.removed_at is null`

const serviceUserFields = {
  userId: serviceUsers.userId,
  name: users.name,
  role: serviceUsers.role,
  version: serviceUsers.version,
  createdAt: serviceUsers.createdAt,
  sortKey: serviceUsers.sortKey,
  tokens: sql<number>`(select count(*) from api_tokens as own where own.user_id = service_users.user_id and own.ended_at is null)`,
  lastUsedAt: sql<number | null>`(select max(own.last_used_at) from api_tokens as own
    where own.account_id = service_users.account_id and own.user_id = service_users.user_id)`,
}

export const serviceUserList = {
  name: 'service-users',
  id: serviceUsers.userId,
  idOf: ({ userId }) => userId,
  sorts: {
    name: { words: 'Name', column: serviceUsers.sortKey, order: 'asc', value: ({ sortKey }) => sortKey },
    'name-z': { words: 'Name, Z to A', column: serviceUsers.sortKey, order: 'desc', value: ({ sortKey }) => sortKey },
    created: {
      words: 'Newest first',
      column: serviceUsers.createdAt,
      order: 'desc',
      value: ({ createdAt }) => createdAt,
    },
  },
  columns: {
    name: { head: 'Service user', look: 'main who', sorts: ['name', 'name-z'], file: ({ name }) => name },
    role: { head: 'Role', file: ({ role }) => role },
    tokens: { head: 'Tokens', look: 'num', label: true, file: ({ tokens }) => tokens },
    'last used': { head: 'Last used', look: 'muted', label: true, file: ({ lastUsedAt }) => isoTime(lastUsedAt) },
    created: { file: ({ createdAt }) => isoTime(createdAt) },
  },
  filters: {},
} as const satisfies ListSpec<ServiceUser>

/** An account's service users. */
export function listServiceUsers(db: Db, accountId: AccountId, query: ListQuery): List<ServiceUser> {
  const values = { accountId }
  const condition = and(equals(serviceUsers.accountId, placeholdersOf(values).accountId), current)
  return readPage(db, serviceUserList, query, {
    values,
    narrowed: query.q ? holds(serviceUsers.search, searchWords(query.q)) : undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select(serviceUserFields)
        .from(serviceUsers)
        .innerJoin(users, eq(users.id, serviceUsers.userId))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: serviceUsers.userId }).from(serviceUsers).where(and(condition, where)).limit(limit),
    seen: (rows) => rows,
  })
}

/** A service user of the account; another's is not found. */
export function findServiceUser(db: Db, accountId: AccountId, userId: UserId): ServiceUser | undefined {
  return db
    .select(serviceUserFields)
    .from(serviceUsers)
    .innerJoin(users, eq(users.id, serviceUsers.userId))
    .where(of(accountId, userId))
    .get()
}

const of = (accountId: AccountId, userId: UserId) =>
  and(eq(serviceUsers.accountId, accountId), eq(serviceUsers.userId, userId), current)

/** Creates a service user, without a token. 'full' when the account has as many as it can. */
export function createServiceUser(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  { name, role }: { name: string; role: Role },
): ServiceUser | 'full' {
  return write(db, actor, (tx) => {
    const where = and(eq(serviceUsers.accountId, accountId), current)
    if (countWhere(tx, serviceUsers, where) >= mostServiceUsers) return 'full'
    // No address of anybody: what looks for a person by e-mail never finds it.
    const user = { name, email: '', emailKey: `service ${randomUUID()}`, search: '', passwordHash: '', service: true }
    const { id: userId } = tx
      .insert(users)
      .values({ ...user, createdAt: actor.at })
      .returning({ id: users.id })
      .get()
    tx.insert(serviceUsers)
      .values({ userId, accountId, role, ...named(name, ''), ...makerIn(tx, actor, accountId), createdAt: actor.at })
      .run()
    record(tx, actor, { kind: 'service-user.created', accountId, userId, change: { role: [null, role] } })
    return existing(tx, accountId, userId)
  })
}

function existing(tx: Db, accountId: AccountId, userId: UserId): ServiceUser {
  const made = findServiceUser(tx, accountId, userId)
  if (!made) throw new Error('A service user was written and is not there.')
  return made
}

/**
 * Renames a service user, or gives it another role. 'stale' when it is no longer at the version that the edit was made
 * on; undefined when the account has no such service user.
 */
export function changeServiceUser(
  db: Db,
  actor: Actor,
  { accountId, userId }: { accountId: AccountId; userId: UserId },
  { name, role, version }: { name: string; role: Role; version: number },
): { changed: boolean; ended: number; now: ServiceUser } | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const before = findServiceUser(tx, accountId, userId)
    if (!before) return undefined
    if (before.name === name && before.role === role) return { changed: false, ended: 0, now: before }
    if (before.version !== version) return 'stale'
    tx.update(serviceUsers)
      .set({ role, ...named(name, ''), version: sql`${serviceUsers.version} + 1` })
      .where(of(accountId, userId))
      .run()
    if (before.name !== name) {
      tx.update(users).set({ name }).where(eq(users.id, userId)).run()
      const personal = { field: 'name', before: before.name, after: name } as const
      record(tx, actor, { kind: 'service-user.renamed', accountId, userId, personal })
    }
    if (before.role !== role)
      record(tx, actor, { kind: 'service-user.role-changed', accountId, userId, change: { role: [before.role, role] } })
    const ended = before.role === adminRole && role !== adminRole ? endSent(tx, actor, userId, { from: accountId }) : 0
    return { changed: true, ended, now: existing(tx, accountId, userId) }
  })
}

/**
 * Removes a service user, and with it its tokens, the invitations that it sent and what it asked for. Its name stays for
 * the history. Undefined when the account has no such service user.
 */
export function removeServiceUser(
  db: Db,
  actor: Actor,
  { accountId, userId }: { accountId: AccountId; userId: UserId },
): ServiceUser | undefined {
  return write(db, actor, (tx) => {
    const service = findServiceUser(tx, accountId, userId)
    if (!service) return undefined
    endServiceUsers(tx, actor, of(accountId, userId))
    return service
  })
}

/** Forgets the service users of an account that is purged, the removed ones too: what the account called them goes. */
export function forgetServiceUsers(tx: Db, accountId: AccountId, at: number): void {
  const theirs = tx.delete(serviceUsers).where(eq(serviceUsers.accountId, accountId)).returning().all()
  const ids = theirs.map(({ userId }) => userId)
  tx.delete(personalChanges)
    .where(and(isOneOf(personalChanges.userId, ids), eq(personalChanges.field, 'name')))
    .run()
  tx.update(users)
    .set({ name: 'Deleted service user', disabledAt: at, deletedAt: at })
    .where(isOneOf(users.id, ids))
    .run()
}
