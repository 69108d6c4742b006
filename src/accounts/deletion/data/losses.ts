import { and, asc, desc, eq, isNotNull, isNull, ne, notExists, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { countRows, countWhere } from '../../../db/counting.ts'
import { isDeleted } from '../../../db/deletion.ts'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
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
import { findOpenRequest } from '../../../quotas/requests/data/reading.ts'
import type { Resource } from '../../../quotas/resources/data.ts'

/** So many projects at most are deleted with an account: each takes a millisecond, for which all others wait. */
export const mostProjects = 100

/** So many names are shown of each kind of what goes, and so many counted. */
const mostNamed = 20
const mostCounted = 10_000

/** Part of a list, and how many there are: beyond 10,000, only that there are more. */
export type Some = { names: string[]; total: number; more: boolean }

/** What an account's deletion would take from its people. */
export type Losses = {
  users: number
  /** Users who have no other account. */
  stranded: Some
  projects: Some
  /** Which projects these are: their number and the newest one. */
  projectsMark: string
  deletedProjects: number
  invitations: Some
  limits: { resource: Resource; amount: number }[]
  /** Who asks for more quota, if a request is open. */
  requester: string | null
  asksToBePartner: boolean
  imports: number
}

/** What would go with an account that the caller has found for its viewer. */
export function foreseeLosses(db: Db, accountId: AccountId): Losses {
  const alive = and(eq(projects.accountId, accountId), isNull(projects.deletedAt))
  const pending = and(eq(invitations.accountId, accountId), pendingInvitation)
  const running = and(eq(imports.accountId, accountId), eq(imports.state, 'running'))
  return {
    users: countWhere(db, memberships, eq(memberships.accountId, accountId)),
    stranded: strandedUsers(db, accountId),
    projects: firstAndTotal(
      db
        .select({ name: projects.name, detail: projects.identifier })
        .from(projects)
        .where(alive)
        .orderBy(asc(projects.sortKey))
        .limit(mostNamed)
        .all(),
      (most) => countRows(db, db.select({ one: projects.id }).from(projects).where(alive).limit(most)),
    ),
    projectsMark: markOfProjects(db, accountId),
    deletedProjects: countWhere(db, projects, and(eq(projects.accountId, accountId), isDeleted(projects))),
    invitations: firstAndTotal(
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

function strandedUsers(db: Db, accountId: AccountId): Some {
  const other = alias(memberships, 'other')
  const elsewhere = db
    .select({ one: sql`1` })
    .from(other)
    .innerJoin(accounts, eq(accounts.id, other.accountId))
    .where(and(eq(other.userId, memberships.userId), ne(other.accountId, accountId), isNull(accounts.deletedAt)))
  const onlyHere = and(eq(memberships.accountId, accountId), notExists(elsewhere))
  return firstAndTotal(
    db
      .select({ name: users.name, detail: users.email })
      .from(memberships)
      .innerJoin(users, eq(users.id, memberships.userId))
      .where(onlyHere)
      .orderBy(asc(memberships.sortKey))
      .limit(mostNamed)
      .all(),
    (most) => countRows(db, db.select({ one: memberships.userId }).from(memberships).where(onlyHere).limit(most)),
  )
}

function firstAndTotal(first: { name: string; detail: string }[], countUpTo: (most: number) => number): Some {
  const total = first.length < mostNamed ? first.length : countUpTo(mostCounted + 1)
  return {
    names: first.map(({ name, detail }) => `${name} (${detail})`),
    total: Math.min(total, mostCounted),
    more: total > mostCounted,
  }
}

/** The numbers that an account itself has. */
export function listOwnLimits(db: Db, accountId: AccountId): { resource: Resource; amount: number }[] {
  return db
    .select({ resource: resources, amount: limits.amount })
    .from(limits)
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(and(eq(limits.accountId, accountId), eq(limits.level, 'account'), isNotNull(limits.amount)))
    .orderBy(asc(resources.id))
    .all()
    .map(({ resource, amount }) => ({ resource, amount: amount ?? 0 }))
}

/** Changes whenever a living project of an account comes or goes, while they are no more than can be deleted with it. */
export function markOfProjects(db: Db, accountId: AccountId): string {
  const rows = db
    .select({ id: projects.id })
    .from(projects)
    .where(and(eq(projects.accountId, accountId), isNull(projects.deletedAt)))
    .limit(mostProjects + 1)
    .all()
  if (rows.length > mostProjects) return 'too many'
  return rows.length > 0 ? `${rows.length}-${Math.max(...rows.map(({ id }) => id))}` : ''
}
