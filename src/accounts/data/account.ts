import { randomInt } from 'node:crypto'
import { type AnyColumn, and, desc, eq, inArray, isNotNull, isNull, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { named } from '../../db/fold.ts'
import { type List, type ListQuery, type ListSpec, type PageOf, readPage } from '../../db/list.ts'
import { type Authority, type Db, write } from '../../db/open.ts'
import { prepared } from '../../db/prepared.ts'
import { accounts, memberships, sessions, users } from '../../db/schema.ts'
import { matches } from '../../db/search.ts'
import { isSuspended, type Suspension, suspensionOf } from '../../db/suspension.ts'
import { type MailContext, withdrawLettersOfAct } from '../../mail/outbox.ts'
import { partnerActs } from '../../partners/partnership/caretaker.ts'
import { type Actor, record } from '../../records/record.ts'
import type { ActiveAccount, DeletedAccount } from '../../web/request/viewer.ts'
import { tellResumed, tellSuspended } from '../notices/data.ts'

export type Account = typeof accounts.$inferSelect
export type User = typeof users.$inferSelect

const partner = alias(accounts, 'partner')

const activeUser = prepared((db) =>
  db
    .select()
    .from(users)
    .where(and(eq(users.id, sql.placeholder('userId')), isNull(users.disabledAt)))
    .prepare(),
)

/** A user who may log in and act: a disabled one is not found. */
export function findActiveUser(db: Db, userId: number): User | undefined {
  return activeUser(db).get({ userId })
}

const memberOf = {
  id: accounts.id,
  kind: accounts.kind,
  name: accounts.name,
  identifier: accounts.identifier,
  suspendedAt: accounts.suspendedAt,
  suspendedReason: accounts.suspendedReason,
  supportSuspendedAt: accounts.supportSuspendedAt,
  supportSuspendedReason: accounts.supportSuspendedReason,
}
const ofPartner = {
  name: partner.name,
  supportSuspendedAt: partner.supportSuspendedAt,
  supportSuspendedReason: partner.supportSuspendedReason,
}
/** 1 where the partner's suspension is left to Support. */
const leftToSupport = sql<number | null>`accounts.suspended_at is not null and not (${partnerActs})`
const asMember = { role: memberships.role, fromPartner: memberships.fromPartner }

const membership = prepared((db) =>
  db
    .select({ account: memberOf, membership: asMember, partner: ofPartner, leftToSupport })
    .from(memberships)
    .innerJoin(accounts, and(eq(accounts.id, memberships.accountId), isNull(accounts.deletedAt)))
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(
      and(eq(memberships.userId, sql.placeholder('userId')), eq(memberships.accountId, sql.placeholder('accountId'))),
    )
    .prepare(),
)

/** An account as its member sees it; undefined for everybody else, and once it is deleted. */
export function findMembership(db: Db, userId: number, accountId: number): ActiveAccount | undefined {
  const row = membership(db).get({ userId, accountId })
  return row && activeAccount(row.account, row.membership, row.partner, row.leftToSupport)
}

type RowOf<Fields extends Record<string, { _: { data: unknown; notNull: boolean } }>> = {
  [Name in keyof Fields]: Fields[Name]['_']['data'] | (Fields[Name]['_']['notNull'] extends true ? never : null)
}

function activeAccount(
  { id, kind, name, identifier, ...suspension }: RowOf<typeof memberOf>,
  { role, fromPartner }: RowOf<typeof asMember>,
  partner: RowOf<typeof ofPartner> | null,
  leftToSupport: number | null,
): ActiveAccount {
  const sleeping =
    fromPartner && partner?.supportSuspendedAt
      ? ({ by: 'support', reason: partner.supportSuspendedReason ?? '', ofPartner: true } as const)
      : null
  return {
    id,
    kind,
    name,
    identifier,
    role,
    fromPartner,
    suspension: suspensionOf(suspension) ?? sleeping,
    partnerName: partner?.name ?? null,
    leftToSupport: leftToSupport === 1,
  }
}

/** The account is the session's active one, or the one that a request acts in. */
const viewing = (account: SQL | AnyColumn) =>
  prepared((db) =>
    db
      .select({
        user: {
          id: users.id,
          name: users.name,
          email: users.email,
          emailProvedAt: users.emailProvedAt,
          operator: users.operator,
          totpSecret: users.totpSecret,
        },
        secondFactor: sessions.secondFactor,
        activeAccountId: sessions.activeAccountId,
        account: memberOf,
        membership: asMember,
        partner: ofPartner,
        leftToSupport,
      })
      .from(sessions)
      .innerJoin(users, and(eq(users.id, sessions.userId), isNull(users.disabledAt)))
      .leftJoin(memberships, and(eq(memberships.userId, users.id), eq(memberships.accountId, account)))
      .leftJoin(accounts, and(eq(accounts.id, memberships.accountId), isNull(accounts.deletedAt)))
      .leftJoin(partner, eq(partner.id, accounts.partnerId))
      .where(eq(sessions.hash, sql.placeholder('hash')))
      .prepare(),
  )

const viewingActive = viewing(sessions.activeAccountId)
const viewingIn = viewing(sql`${sql.placeholder('accountId')}`)

/** Whose session it is and how they stand, to its active account or to `accountId`. Undefined when it has ended, or its user is disabled. */
export function findSessionViewer(db: Db, hash: string, accountId?: number) {
  const row = accountId === undefined ? viewingActive(db).get({ hash }) : viewingIn(db).get({ hash, accountId })
  if (!row) return undefined
  const { account, membership, partner, leftToSupport, ...rest } = row
  return {
    ...rest,
    account: account && membership ? activeAccount(account, membership, partner, leftToSupport) : undefined,
  }
}

function selectDeleted(db: Db, own: SQL | undefined) {
  return db
    .select({ name: accounts.name, identifier: accounts.identifier, restorer: partner.name })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .leftJoin(partner, and(eq(partner.id, accounts.partnerId), partnerActs))
    .where(and(own, isNotNull(accounts.deletedAt)))
}

/** A deleted account as somebody sees it who is a member of it until it is purged; undefined for everybody else. */
export function findDeletedMembership(db: Db, userId: number, accountId: number): DeletedAccount | undefined {
  return selectDeleted(db, and(eq(memberships.userId, userId), eq(memberships.accountId, accountId))).get()
}

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

export function findOwnAccount(db: Db, userId: number, identifier: string): OwnAccount | undefined {
  return db
    .select(ownAccount)
    .from(accounts)
    .innerJoin(memberships, eq(memberships.accountId, accounts.id))
    .where(and(eq(accounts.identifier, identifier), eq(memberships.userId, userId), isNull(accounts.deletedAt)))
    .get()
}

const lastPartnerAccount = prepared((db) =>
  db
    .select(ownAccount)
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(and(eq(memberships.userId, sql.placeholder('userId')), eq(accounts.kind, 'partner')))
    .orderBy(desc(memberships.lastUsedAt))
    .limit(1)
    .prepare(),
)

export function findLastPartnerAccount(db: Db, userId: number): OwnAccount | undefined {
  return lastPartnerAccount(db).get({ userId })
}

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
  columns: { name: ({ name }) => name, identifier: ({ identifier }) => identifier, role: ({ role }) => role },
  filters: {},
} as const satisfies ListSpec<OwnAccount>

export function listOwnAccounts(db: Db, userId: number, query: ListQuery): List<OwnAccount> {
  const own = and(eq(memberships.userId, sql.placeholder('userId')), isNull(accounts.deletedAt))
  return readPage(db, ownAccountList, query, {
    values: { userId },
    narrowed: matches(db, 'accounts', memberships.accountId, accounts.search, query.q),
    rows: ({ where, orderBy, limit }) =>
      db
        .select(ownAccount)
        .from(memberships)
        .innerJoin(accounts, eq(accounts.id, memberships.accountId))
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: countOwn(db, own),
    seen: (rows) => rows,
  })
}

/** Counts memberships with their accounts, as far as a list asks. */
const countOwn =
  (db: Db, own: SQL | undefined) =>
  ({ where, limit }: Pick<PageOf, 'where' | 'limit'>) =>
    db
      .select({ one: memberships.accountId })
      .from(memberships)
      .innerJoin(accounts, eq(accounts.id, memberships.accountId))
      .where(and(own, where))
      .limit(limit)

const recentAccounts = prepared((db) =>
  db
    .select(ownAccount)
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(and(eq(memberships.userId, sql.placeholder('userId')), isNull(accounts.deletedAt)))
    .orderBy(desc(memberships.lastUsedAt), desc(memberships.accountId))
    .limit(sql.placeholder('limit'))
    .prepare(),
)

/** The accounts that a user has used last. */
export function listRecentAccounts(db: Db, userId: number, limit: number): OwnAccount[] {
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
    name: ({ name }) => name,
    identifier: ({ identifier }) => identifier,
    'restored by': ({ restorer }) => restorer ?? 'Support',
  },
  filters: {},
} as const satisfies ListSpec<DeletedAccount & { id: number; lastUsedAt: number }>

/** A user's accounts that were deleted and may be restored. */
export function listDeletedAccounts(
  db: Db,
  userId: number,
  query: ListQuery,
): List<DeletedAccount & { id: number; lastUsedAt: number }> {
  const own = and(eq(memberships.userId, sql.placeholder('userId')), isNotNull(accounts.deletedAt))
  return readPage(db, deletedMembershipList, query, {
    values: { userId },
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
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: countOwn(db, own),
    seen: (rows) => rows,
  })
}

/** Makes an account of the user's the active one of a session. Undefined when it is none of theirs. */
export function switchAccount(
  db: Db,
  actor: Authority,
  sessionHash: string,
  userId: number,
  identifier: string,
  at: number,
): OwnAccount | undefined {
  return write(db, actor, (tx) => {
    const own = findOwnAccount(tx, userId, identifier)
    if (!own) return undefined
    tx.update(sessions)
      .set({ activeAccountId: own.id })
      .where(and(eq(sessions.hash, sessionHash), eq(sessions.userId, userId)))
      .run()
    tx.update(memberships)
      .set({ lastUsedAt: at })
      .where(and(eq(memberships.accountId, own.id), eq(memberships.userId, userId)))
      .run()
    return own
  })
}

/** A living account. */
export function findAccount(db: Db, accountId: number): (Account & { partnerName: string | null }) | undefined {
  const row = db
    .select({ account: accounts, partnerName: partner.name })
    .from(accounts)
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(eq(accounts.id, accountId), isNull(accounts.deletedAt)))
    .get()
  return row && { ...row.account, partnerName: row.partnerName }
}

export type NewAccount = { name: string; identifier: string }

const newAccount = prepared((db) =>
  db
    .insert(accounts)
    .values({
      name: sql.placeholder('name'),
      identifier: sql.placeholder('identifier'),
      kind: sql.placeholder('kind'),
      partnerId: sql.placeholder('partnerId'),
      search: sql.placeholder('search'),
      sortKey: sql.placeholder('sortKey'),
      createdAt: sql.placeholder('createdAt'),
    })
    .onConflictDoNothing({ target: accounts.identifier })
    .returning()
    .prepare(),
)

/** Creates an account; it has no member. Undefined when the identifier was ever given out. */
export function createAccount(
  tx: Db,
  actor: Actor,
  account: NewAccount & Pick<Account, 'kind' | 'partnerId'>,
): Account | undefined {
  const [created] = newAccount(tx).all({
    ...account,
    ...named(account.name, account.identifier),
    createdAt: actor.at,
  })
  if (created) {
    const { name, identifier, kind } = created
    record(tx, actor, {
      kind: 'account.created',
      accountId: created.id,
      change: { name: [null, name], identifier: [null, identifier], kind: [null, kind] },
    })
  }
  return created
}

/** A free identifier like the one that is taken: by itself acme-2, acme-3 … */
export function proposeIdentifier(
  taken: string,
  isTaken: (candidates: string[]) => string[],
  numberAt: (n: number) => number = (n) => n + 2,
): string {
  for (let from = 0; ; from += 20) {
    const candidates = Array.from({ length: 20 }, (_, step) => {
      const suffix = `-${numberAt(from + step)}`
      return taken.slice(0, 32 - suffix.length).replace(/-+$/, '') + suffix
    })
    const inUse = new Set(isTaken(candidates))
    const free = candidates.find((candidate) => !inUse.has(candidate))
    if (free) return free
  }
}

/** A number at random says nothing about who else has the same name: the next free one would count them. */
export function proposeAccountIdentifier(db: Db, taken: string): string {
  return proposeIdentifier(
    taken,
    (candidates) =>
      db
        .select({ identifier: accounts.identifier })
        .from(accounts)
        .where(inArray(accounts.identifier, candidates))
        .all()
        .map((row) => row.identifier),
    (n) => randomInt(100, 1_000 + n * 10),
  )
}

/** Renames an account. Undefined when it is no longer at the version that the edit was made on. */
export function renameAccount(
  db: Db,
  actor: Actor,
  accountId: number,
  name: string,
  version: number,
): 'saved' | 'unchanged' | undefined {
  return write(db, actor, (tx) => {
    const before = tx
      .select()
      .from(accounts)
      .where(and(eq(accounts.id, accountId), eq(accounts.version, version), isNull(accounts.deletedAt)))
      .get()
    if (!before) return undefined
    if (before.name === name) return 'unchanged'
    tx.update(accounts)
      .set({ name, ...named(name, before.identifier), version: sql`${accounts.version} + 1` })
      .where(eq(accounts.id, accountId))
      .run()
    record(tx, actor, { kind: 'account.renamed', accountId, change: { name: [before.name, name] } })
    return 'saved'
  })
}

/** The two suspensions: a partner's and Support's. Each has columns of its own. */
const suspensions = {
  partner: {
    at: 'suspendedAt',
    set: (at: number | null, reason: string | null) => ({ suspendedAt: at, suspendedReason: reason }),
    reason: 'suspendedReason',
  },
  support: {
    at: 'supportSuspendedAt',
    set: (at: number | null, reason: string | null) => ({ supportSuspendedAt: at, supportSuspendedReason: reason }),
    reason: 'supportSuspendedReason',
  },
} as const

const suspensionBy = ({ bySupport }: Actor) => suspensions[bySupport ? 'support' : 'partner']

/**
 * Stops an account's members from working in it, with the reason that they are shown. Nothing is deleted. A partner
 * and Support each suspend for themselves. False when the actor's side had suspended it before.
 */
export function suspendAccount(db: Db, actor: Actor, accountId: number, reason: string, mail: MailContext): boolean {
  return write(db, actor, (tx) => {
    const own = suspensionBy(actor)
    const before = tx
      .select()
      .from(accounts)
      .where(and(eq(accounts.id, accountId), isNull(accounts.deletedAt)))
      .get()
    if (!before || before[own.at] !== null) return false
    tx.update(accounts).set(own.set(actor.at, reason)).where(eq(accounts.id, accountId)).run()
    record(tx, actor, { kind: 'account.suspended', accountId, change: { reason: [null, reason] } })
    tellSuspended(tx, actor, accountId, reason, mail)
    return true
  })
}

/** Lifts the suspension of the actor's own side. `nothing` where it had none; `other` is what still holds the account. */
export function resumeAccount(
  db: Db,
  actor: Actor,
  accountId: number,
  mail: MailContext,
): { done: 'resumed' | 'nothing'; other: Suspension | null } {
  return write(db, actor, (tx) => {
    const own = suspensionBy(actor)
    const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
    const since = account?.[own.at] ?? null
    if (!account || since === null) return { done: 'nothing', other: account ? suspensionOf(account) : null }
    tx.update(accounts).set(own.set(null, null)).where(eq(accounts.id, accountId)).run()
    record(tx, actor, { kind: 'account.resumed', accountId, change: { reason: [account[own.reason], null] } })
    withdrawLettersOfAct(tx, accountId, since, 'the account was resumed', actor.at)
    const other = suspensionOf({ ...account, ...own.set(null, null) })
    if (!other) tellResumed(tx, actor, accountId, mail)
    return { done: 'resumed', other }
  })
}
