import { and, desc, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../../db/ids.ts'
import { type List, type ListQuery, type ListSpec, type PageOf, readPage } from '../../db/list.ts'
import { type Authority, type Db, write } from '../../db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared } from '../../db/prepared.ts'
import { accountSecurity, accounts, memberships, ofOneself, sessions } from '../../db/schema.ts'
import { matches } from '../../db/search.ts'
import { isSuspended } from '../../db/suspension.ts'
import type { AccountRules, ActiveAccount, DeletedAccount } from '../../web/request/viewer.ts'
import { partnerActs } from './caretaker.ts'
import { accountRules } from './membership.ts'

const partner = alias(accounts, 'partner')

const ownAccount = {
  id: accounts.id,
  name: accounts.name,
  identifier: accounts.identifier,
  kind: accounts.kind,
  role: memberships.role,
  suspended: sql<number>`${isSuspended} or (${memberships.fromPartner} and exists (select 1 from accounts as partner
    where partner.id = ${accounts.partnerId} and partner.support_suspended_at is not null))`,
  lastUsedAt: memberships.lastUsedAt,
}

export type OwnAccount = Pick<ActiveAccount, 'id' | 'name' | 'identifier' | 'kind' | 'role'> & {
  /** 1 where the user cannot work in it now. */
  suspended: number
  lastUsedAt: number
}

export function findOwnAccount(db: Db, userId: UserId, identifier: string): OwnAccount | undefined {
  return db
    .select(ownAccount)
    .from(accounts)
    .innerJoin(memberships, eq(memberships.accountId, accounts.id))
    .where(and(eq(accounts.identifier, identifier), eq(memberships.userId, userId), isNull(accounts.deletedAt)))
    .get()
}

const ruledAccount = { ...ownAccount, rules: accountRules }

/** An account of the user, with the rules that it sets for everybody who works in it. */
export type RuledAccount = OwnAccount & { rules: AccountRules | null }

const partnerAccounts = prepared((db, { userId, limit }: Placeholders<{ userId: UserId; limit: number }>) =>
  db
    .select(ruledAccount)
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .leftJoin(accountSecurity, eq(accountSecurity.accountId, accounts.id))
    .where(and(equals(memberships.userId, userId), ofOneself, eq(accounts.kind, 'partner')))
    .orderBy(desc(memberships.lastUsedAt), desc(memberships.accountId))
    .limit(limit)
    .prepare(),
)

/** The partner accounts that a user has used last. */
export function listPartnerAccounts(db: Db, userId: UserId, limit: number): RuledAccount[] {
  return partnerAccounts(db).all({ userId, limit })
}

export const isInPartnerAccount = (db: Db, userId: UserId): boolean => listPartnerAccounts(db, userId, 1).length > 0

/** The accounts that a user works in, the last used first. */
export const ownAccountList = {
  name: 'own-accounts',
  id: memberships.accountId,
  idOf: (account) => account.id,
  sorts: {
    used: {
      words: 'Last used first',
      column: memberships.lastUsedAt,
      order: 'desc',
      value: (account) => account.lastUsedAt,
    },
  },
  columns: {
    name: { head: 'Account', look: 'main who', file: ({ name }) => name },
    identifier: { file: ({ identifier }) => identifier },
    role: { head: 'Role', file: ({ role }) => role },
  },
  filters: {},
} as const satisfies ListSpec<OwnAccount>

export function listOwnAccounts(db: Db, userId: UserId, query: ListQuery): List<OwnAccount> {
  const values = { userId }
  const condition = and(equals(memberships.userId, placeholdersOf(values).userId), isNull(accounts.deletedAt))
  return readPage(db, ownAccountList, query, {
    values,
    narrowed: matches(db, { table: 'accounts', id: memberships.accountId, text: accounts.search }, query.q),
    rows: ({ where, orderBy, limit }) =>
      db
        .select(ownAccount)
        .from(memberships)
        .innerJoin(accounts, eq(accounts.id, memberships.accountId))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: countOwn(db, condition),
    seen: (rows) => rows,
  })
}

/** Counts memberships with their accounts, as far as a list asks. */
const countOwn =
  (db: Db, which: SQL | undefined) =>
  ({ where, limit }: Pick<PageOf, 'where' | 'limit'>) =>
    db
      .select({ one: memberships.accountId })
      .from(memberships)
      .innerJoin(accounts, eq(accounts.id, memberships.accountId))
      .where(and(which, where))
      .limit(limit)

const recentAccounts = prepared((db, { userId, limit }: Placeholders<{ userId: UserId; limit: number }>) =>
  db
    .select(ruledAccount)
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .leftJoin(accountSecurity, eq(accountSecurity.accountId, accounts.id))
    .where(and(equals(memberships.userId, userId), isNull(accounts.deletedAt)))
    .orderBy(desc(memberships.lastUsedAt), desc(memberships.accountId))
    .limit(limit)
    .prepare(),
)

/** The accounts that a user has used last. */
export function listRecentAccounts(db: Db, userId: UserId, limit: number): RuledAccount[] {
  return recentAccounts(db).all({ userId, limit })
}

export const deletedMembershipList = {
  name: 'own-deleted-accounts',
  id: memberships.accountId,
  idOf: (account) => account.id,
  sorts: {
    used: {
      words: 'Last used first',
      column: memberships.lastUsedAt,
      order: 'desc',
      value: (account) => account.lastUsedAt,
    },
  },
  columns: {
    name: { file: ({ name }) => name },
    identifier: { file: ({ identifier }) => identifier },
    'restored by': { file: ({ restorer }) => restorer ?? 'Support' },
  },
  filters: {},
} as const satisfies ListSpec<DeletedAccount & { id: AccountId; lastUsedAt: number }>

/** A user's accounts that were deleted and may be restored. */
export function listDeletedAccounts(
  db: Db,
  userId: UserId,
  query: ListQuery,
): List<DeletedAccount & { id: AccountId; lastUsedAt: number }> {
  const values = { userId }
  const condition = and(equals(memberships.userId, placeholdersOf(values).userId), isNotNull(accounts.deletedAt))
  return readPage(db, deletedMembershipList, query, {
    values,
    narrowed: undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select({
          id: accounts.id,
          name: accounts.name,
          identifier: accounts.identifier,
          restorer: partner.name,
          lastUsedAt: memberships.lastUsedAt,
        })
        .from(memberships)
        .innerJoin(accounts, eq(accounts.id, memberships.accountId))
        .leftJoin(partner, and(eq(partner.id, accounts.partnerId), partnerActs))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: countOwn(db, condition),
    seen: (rows) => rows,
  })
}

/** Makes an account of the user the active one of a session. Undefined if the user is not in it. */
export function switchAccount(
  db: Db,
  actor: Authority,
  { sessionHash, userId }: { sessionHash: string; userId: UserId },
  { identifier, at }: { identifier: string; at: number },
): OwnAccount | undefined {
  return write(db, actor, (tx) => {
    const account = findOwnAccount(tx, userId, identifier)
    if (!account) return undefined
    tx.update(sessions)
      .set({ activeAccountId: account.id })
      .where(and(eq(sessions.hash, sessionHash), eq(sessions.userId, userId)))
      .run()
    tx.update(memberships)
      .set({ lastUsedAt: at })
      .where(and(eq(memberships.accountId, account.id), eq(memberships.userId, userId)))
      .run()
    return account
  })
}
