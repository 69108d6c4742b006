import { and, asc, desc, eq, isNotNull, isNull, ne, notExists, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { isDeleted, isRestorable, restorableUntil } from '../../../db/deletion.ts'
import { countRows, countWhere, isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import { type Db, write } from '../../../db/open.ts'
import {
  accounts,
  imports,
  invitations,
  limits,
  memberships,
  partnerRequests,
  pendingInvitation,
  pendingPartnerRequest,
  projects,
  resources,
  users,
} from '../../../db/schema.ts'
import { matches } from '../../../db/search.ts'
import { type MailContext, withdrawLettersAbout, withdrawLettersOfAct } from '../../../mail/outbox.ts'
import type { PoolShortage } from '../../../quotas/arithmetic.ts'
import { poolShortages } from '../../../quotas/data/pool.ts'
import { endRequestOf } from '../../../quotas/requests/data/deciding.ts'
import { findOpenRequest } from '../../../quotas/requests/data/reading.ts'
import type { Resource } from '../../../quotas/resources/data.ts'
import { type Actor, record } from '../../../records/record.ts'
import type { Account } from '../../data/account.ts'
import { isOfSupport } from '../../data/caretaker.ts'
import { endTie } from '../../endings/data/ending.ts'
import { endImport } from '../../imports/ending/data.ts'
import { countAdmins } from '../../members/data.ts'
import { tellDeleted } from '../../notices/data.ts'

// A customer account that is deleted is restorable for 30 days: nothing of it goes, but it is found
// nowhere else. A partner deletes and restores its own customers. Support (a partner of null) deletes those
// without a partner, and restores those too whose partner cannot act now.

/** To be deleted by this partner; null is Support. */
function deletableBy(partnerId: number | null): SQL | undefined {
  return and(
    eq(accounts.kind, 'customer'),
    partnerId === null ? isNull(accounts.partnerId) : eq(accounts.partnerId, partnerId),
    isNull(accounts.deletedAt),
  )
}

/** To be restored by this partner (null: Support) at this time. */
function restorableBy(partnerId: number | null, at: number): SQL | undefined {
  return and(
    eq(accounts.kind, 'customer'),
    partnerId === null ? isOfSupport : eq(accounts.partnerId, partnerId),
    isRestorable(accounts, at),
  )
}

/** So many names are shown of each kind of what goes, and so many counted. */
const mostNamed = 20
const mostCounted = 10_000

/** Some of a list, and how many there are: of more than 10,000 no more than that is said. */
export type Some = { names: string[]; total: number; more: boolean }

/** What an account's deletion would take from its people. */
export type Losses = {
  users: number
  /** Users for whom it is the only account. */
  stranded: Some
  projects: Some
  deletedProjects: number
  invitations: Some
  limits: { resource: Resource; amount: number }[]
  /** Whoever asks for more quota, where a request is open. */
  requester: string | null
  asksToBePartner: boolean
  imports: number
}

/** What would go with an account that the caller has found for its viewer. */
export function foreseeLosses(db: Db, accountId: number): Losses {
  const alive = and(eq(projects.accountId, accountId), isNull(projects.deletedAt))
  const pending = and(eq(invitations.accountId, accountId), pendingInvitation)
  const running = and(eq(imports.accountId, accountId), eq(imports.state, 'running'))
  return {
    users: countWhere(db, memberships, eq(memberships.accountId, accountId)),
    stranded: strandedUsers(db, accountId),
    projects: some(
      db
        .select({ name: projects.name, detail: projects.identifier })
        .from(projects)
        .where(alive)
        .orderBy(asc(projects.sortKey))
        .limit(mostNamed)
        .all(),
      (most) => countRows(db, db.select({ one: projects.id }).from(projects).where(alive).limit(most)),
    ),
    deletedProjects: countWhere(db, projects, and(eq(projects.accountId, accountId), isDeleted(projects))),
    invitations: some(
      db
        .select({ name: invitations.name, detail: invitations.email })
        .from(invitations)
        .where(pending)
        .orderBy(desc(invitations.id))
        .limit(mostNamed)
        .all(),
      (most) => countRows(db, db.select({ one: invitations.id }).from(invitations).where(pending).limit(most)),
    ),
    limits: listOwnLimits(db, accountId),
    requester: findOpenRequest(db, accountId)?.requester ?? null,
    asksToBePartner:
      countWhere(db, partnerRequests, and(eq(partnerRequests.accountId, accountId), pendingPartnerRequest)) > 0,
    imports: countWhere(db, imports, running),
  }
}

function strandedUsers(db: Db, accountId: number): Some {
  const other = alias(memberships, 'other')
  const elsewhere = db
    .select({ one: sql`1` })
    .from(other)
    .innerJoin(accounts, eq(accounts.id, other.accountId))
    .where(and(eq(other.userId, memberships.userId), ne(other.accountId, accountId), isNull(accounts.deletedAt)))
  const own = and(eq(memberships.accountId, accountId), notExists(elsewhere))
  return some(
    db
      .select({ name: users.name, detail: users.email })
      .from(memberships)
      .innerJoin(users, eq(users.id, memberships.userId))
      .where(own)
      .orderBy(asc(memberships.sortKey))
      .limit(mostNamed)
      .all(),
    (most) => countRows(db, db.select({ one: memberships.userId }).from(memberships).where(own).limit(most)),
  )
}

function some(first: { name: string; detail: string }[], countUpTo: (most: number) => number): Some {
  const total = first.length < mostNamed ? first.length : countUpTo(mostCounted + 1)
  return {
    names: first.map(({ name, detail }) => `${name} (${detail})`),
    total: Math.min(total, mostCounted),
    more: total > mostCounted,
  }
}

/** The numbers that an account itself has. */
function listOwnLimits(db: Db, accountId: number): { resource: Resource; amount: number }[] {
  return db
    .select({ resource: resources, amount: limits.amount })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(and(eq(limits.accountId, accountId), eq(limits.level, 'account'), isNotNull(limits.amount)))
    .orderBy(asc(resources.id))
    .all()
    .map(({ resource, amount }) => ({ resource, amount: amount ?? 0 }))
}

/**
 * Deletes an account that this partner (null: Support) looks after: its members lose it at once, its
 * imports stop, its requests end, no letter about it goes out. 'projects' while it has living ones;
 * undefined when there is no such account.
 */
export function deleteAccount(
  db: Db,
  actor: Actor,
  partnerId: number | null,
  accountId: number,
  mail: MailContext,
): 'deleted' | 'projects' | undefined {
  return write(db, actor, (tx) => {
    const own = and(eq(accounts.id, accountId), deletableBy(partnerId))
    const account = tx.select().from(accounts).where(own).get()
    if (!account) return undefined
    const alive = and(eq(projects.accountId, accountId), isNull(projects.deletedAt))
    if (tx.select({ id: projects.id }).from(projects).where(alive).limit(1).get()) return 'projects'

    endImports(tx, actor, accountId)
    endRequestOf(tx, actor, accountId, 'The account was deleted.')
    tx.update(partnerRequests)
      .set({ state: 'declined', decidedAt: actor.at })
      .where(and(eq(partnerRequests.accountId, accountId), pendingPartnerRequest))
      .run()
    endTie(tx, actor, account)
    withdrawLettersAbout(tx, accountId, actor.at)
    tx.update(accounts).set({ deletedAt: actor.at, deletedBy: actor.userId }).where(own).run()
    const people = countWhere(tx, memberships, eq(memberships.accountId, accountId))
    record(tx, actor, {
      kind: 'account.deleted',
      accountId,
      change: { name: [account.name, null], users: [people, 0] },
    })
    // After all others were withdrawn: this one tells of the deletion itself.
    tellDeleted(tx, actor, accountId, mail)
    return 'deleted'
  })
}

/** What an import has done stays done. */
function endImports(tx: Db, actor: Actor, accountId: number): void {
  const running = and(eq(imports.accountId, accountId), eq(imports.state, 'running'))
  for (const { id } of tx.select({ id: imports.id }).from(imports).where(running).all())
    endImport(tx, actor, id, accountId, 'stopped')
}

export type DeletedAccount = Account & { deletedAt: number; until: number; deleter: string | null; users: number }

export const deletedCustomerList = {
  name: 'deleted-customers',
  id: accounts.id,
  idOf: (account) => account.id,
  sorts: {
    deleted: {
      words: 'Last deleted first',
      column: accounts.deletedAt,
      order: 'desc',
      value: (account) => account.deletedAt,
    },
  },
  columns: {
    name: ({ name }) => name,
    identifier: ({ identifier }) => identifier,
    users: ({ users }) => users,
    deleted: ({ deletedAt }) => isoTime(deletedAt),
    'deleted by': ({ deleter }) => deleter,
    'restorable until': ({ until }) => isoTime(until),
  },
  filters: {},
} as const satisfies ListSpec<DeletedAccount>

const deletedUsers = sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id)`

/** The customers of a partner that were deleted and can be restored at this time. */
export function listDeletedCustomers(db: Db, partnerId: number, query: ListQuery, at: number): List<DeletedAccount> {
  const own = eq(accounts.partnerId, sql.placeholder('partnerId'))
  return readPage(db, deletedCustomerList, query, {
    values: { partnerId },
    narrowed: and(isRestorable(accounts, at), matches(db, 'accounts', accounts.id, accounts.search, query.q)),
    rows: ({ where, orderBy, limit }) =>
      db
        .select({ account: accounts, deleter: users.name, users: deletedUsers })
        .from(accounts)
        .leftJoin(users, eq(users.id, accounts.deletedBy))
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) => db.select({ one: accounts.id }).from(accounts).where(and(own, where)).limit(limit),
    seen: (rows) =>
      rows.map(({ account, ...more }) => {
        const deletedAt = account.deletedAt ?? 0
        return { ...account, ...more, deletedAt, until: restorableUntil(deletedAt) }
      }),
  })
}

/** A deleted account that this partner (null: Support) can restore at this time. */
export function findRestorable(db: Db, partnerId: number | null, identifier: string, at: number): Account | undefined {
  return db
    .select()
    .from(accounts)
    .where(and(eq(accounts.identifier, identifier), restorableBy(partnerId, at)))
    .get()
}

/**
 * Restores a deleted account with its members and limits. Its share of its partner's pool was given back, so that
 * the pool must have room for it again: what it lacks comes back, and then nothing is restored. 'without-admin'
 * where it is restored with users, the last admin of whom was deleted or disabled meanwhile.
 * Undefined when there is no such account.
 */
export function restoreAccount(
  db: Db,
  actor: Actor,
  partnerId: number | null,
  accountId: number,
): 'restored' | 'without-admin' | PoolShortage[] | undefined {
  return write(db, actor, (tx) => {
    const own = and(eq(accounts.id, accountId), restorableBy(partnerId, actor.at))
    const account = tx.select().from(accounts).where(own).get()
    if (!account) return undefined
    // It has no living project, so it takes its numbers and no more.
    const short = account.partnerId === null ? [] : poolShortages(tx, account.partnerId, listOwnLimits(tx, accountId))
    if (short.length > 0) return short
    tx.update(accounts).set({ deletedAt: null, deletedBy: null }).where(own).run()
    withdrawLettersOfAct(tx, accountId, account.deletedAt ?? 0, 'the account was restored', actor.at)
    const people = countWhere(tx, memberships, eq(memberships.accountId, accountId))
    record(tx, actor, {
      kind: 'account.restored',
      accountId,
      change: { name: [null, account.name], users: [0, people] },
    })
    return people > 0 && countAdmins(tx, accountId) === 0 ? 'without-admin' : 'restored'
  })
}
