import { and, asc, count, eq, inArray, ne, or, type SQL, sql } from 'drizzle-orm'
import { countWhere } from '../../../db/counting.ts'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import {
  accounts,
  invitations,
  memberships,
  openQuotaRequest,
  partnerRequests,
  pendingInvitation,
  pendingPartnerRequest,
  quotaRequests,
  serviceUsers,
  users,
} from '../../../db/schema.ts'
import { byPartnersProgram } from '../../../db/suspension.ts'
import type { Role } from '../../../policy.ts'
import { worksAsAdmin } from '../../data/caretaker.ts'
import { type Seat, sentBy } from './acts.ts'
import { customersOf, listProjectsOf, sentTo, sentToCustomers } from './affected.ts'
import {
  countForeignTokens,
  type FirstOf,
  firstOf,
  type KnownToken,
  listKnownTokens,
  listPrograms,
  listWorkingTokens,
  mostNamed,
  ofPartnersPeople,
  type ProgramName,
} from './foreseen-programs.ts'

export type PendingTo = { id: number; name: string; email: string; account: string }

/** Pending invitations that this holds for. */
function listPending(db: Db, which: SQL | undefined): FirstOf<PendingTo> {
  const where = and(pendingInvitation, which)
  const rows = db
    .select({ id: invitations.id, name: invitations.name, email: invitations.email, account: accounts.name })
    .from(invitations)
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .where(where)
    .orderBy(asc(invitations.id))
    .limit(mostNamed)
    .all()
  return firstOf(rows, () => countWhere(db, invitations, where))
}

export type Foreseen = {
  projects: { name: string; identifier: string }[]
  /** Pending invitations that the person sent from the account. */
  sent: FirstOf<PendingTo>
  /** Those that they sent inside the partner’s customers: nobody can keep them. */
  sentInCustomers: FirstOf<PendingTo>
  /** Pending invitations to the person. */
  to: FirstOf<PendingTo>
  /** The names of the accounts for which the person has asked for more quota, or to become a partner. */
  requests: { quota: string[]; partner: string[] }
  /** The partner’s customers that they are in; `alone` would be left without an admin who can log in. */
  customers: FirstOf<{ name: string; identifier: string; alone: number }>
  /** Service users that they made in the partner’s customers: removed with them. */
  programs: FirstOf<ProgramName>
  /** Tokens of service users that stay, which they made and so have read. */
  tokens: FirstOf<KnownToken>
}

/** Tokens that no longer work then. */
type Stopping = { stopping: FirstOf<KnownToken> }

/** What disabling a user would take along. */
export const foreseeDisabling = (db: Db, userId: UserId, at: number): Pick<Foreseen, 'sent'> & Stopping => ({
  sent: listSent(db, userId),
  stopping: listWorkingTokens(db, userId, at, 'made'),
})

/** What the end of a membership would take along. */
export function foreseeEnd(db: Db, { accountId, userId }: Seat, at: number): Foreseen & Stopping {
  const ofPerson = and(
    eq(memberships.userId, userId),
    eq(memberships.fromPartner, true),
    eq(accounts.partnerId, accountId),
  )
  const others = sql<number>`not exists (select 1 from memberships as other join users as person on person.id = other.user_id
    where other.account_id = ${accounts.id} and other.user_id <> ${userId} and ${worksAsAdmin(sql`other`, sql`person`)})`
  const ending = [accountId, ...customersOf(db, accountId, userId)]
  const inCustomers = and(eq(invitations.invitedBy, userId), inArray(invitations.invitedFrom, ending.slice(1)))
  return {
    projects: listProjectsOf(db, accountId, userId),
    sent: listSent(db, userId, accountId),
    sentInCustomers: listPending(db, inCustomers),
    to: listPending(db, or(sentTo(db, accountId, userId), sentToCustomers(db, accountId, userId))),
    requests: listRequestsOf(db, ending, userId),
    customers: listLost(db, ofPerson, others),
    programs: listProgramsOf(db, ending, userId),
    tokens: listKnownTokens(db, accountId, userId, 'staying'),
    stopping: listWorkingTokens(db, userId, at, { endingWith: ending }),
  }
}

/** What ends with the membership of a customer of one of its partner’s people, who remove themselves. */
export const foreseeOwnEnd = (
  db: Db,
  { accountId, userId }: Seat,
  at: number,
): Pick<Foreseen, 'sent' | 'programs'> & Stopping => ({
  sent: listSent(db, userId, accountId),
  programs: listProgramsOf(db, [accountId], userId),
  stopping: listWorkingTokens(db, userId, at, { endingWith: [accountId] }),
})

const listProgramsOf = (db: Db, customers: AccountId[], userId: UserId) =>
  listPrograms(db, and(ofPartnersPeople(customers), eq(serviceUsers.madeBy, userId)))

/** Pending invitations that somebody sent from an account (from any where none is given): they end with the right to send them. */
export function listSent(db: Db, userId: UserId, accountId?: AccountId): FirstOf<PendingTo> {
  return listPending(db, sentBy(userId, accountId))
}

/** What a user's deletion would take along: in all accounts, living or deleted. */
export function foreseeEndOfAll(db: Db, userId: UserId, at: number): Pick<Foreseen, 'sent' | 'customers'> & Stopping {
  const ofPerson = and(eq(memberships.userId, userId), eq(memberships.fromPartner, true))
  return {
    sent: listSent(db, userId),
    stopping: listWorkingTokens(db, userId, at),
    // Who is left without an admin is another question: it may forbid the deletion.
    customers: listLost(db, ofPerson, sql<number>`0`),
  }
}

/** The customers of these memberships. */
function listLost(db: Db, which: SQL | undefined, alone: SQL<number>): Foreseen['customers'] {
  const customers = db
    .select({ name: accounts.name, identifier: accounts.identifier, alone })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(which)
    .orderBy(asc(accounts.sortKey))
    .limit(mostNamed)
    .all()
  const all = db
    .select({ n: count() })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(which)
  return firstOf(customers, () => all.get()?.n ?? 0)
}

function listRequestsOf(db: Db, accountIds: AccountId[], userId: UserId): Foreseen['requests'] {
  const names = (table: typeof quotaRequests | typeof partnerRequests, which: SQL) =>
    db
      .select({ name: accounts.name })
      .from(table)
      .innerJoin(accounts, eq(accounts.id, table.accountId))
      .where(and(inArray(table.accountId, accountIds), eq(table.requestedBy, userId), which))
      .orderBy(asc(accounts.id))
      .all()
      .map(({ name }) => name)
  return {
    quota: names(quotaRequests, openQuotaRequest),
    partner: names(partnerRequests, pendingPartnerRequest),
  }
}

export type Ties = {
  people: FirstOf<{ userId: UserId; name: string; email: string; role: Role }>
  invitations: FirstOf<PendingTo>
  /** Service users that the partner’s people made, and how many tokens they made for others. */
  programs: FirstOf<ProgramName>
  tokens: number
  /** How much ends in all. */
  total: number
  /** The customer would be left with users, but without an admin who can log in. */
  withoutAdmin: boolean
}

/** What would end with the tie between a customer and its partner. */
export function findTies(db: Db, { id, partnerId }: { id: AccountId; partnerId: AccountId | null }): Ties {
  const none = { first: [], total: 0 }
  if (partnerId === null)
    return { people: none, invitations: none, programs: none, tokens: 0, total: 0, withoutAdmin: false }
  const fromPartner = and(eq(memberships.accountId, id), eq(memberships.fromPartner, true))
  const people = db
    .select({ userId: users.id, name: users.name, email: users.email, role: memberships.role })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(fromPartner)
    .orderBy(asc(memberships.sortKey))
    .all()
  const stay = db
    .select({
      n: count(),
      admins: sql<number>`coalesce(sum(${worksAsAdmin(sql`memberships`, sql`users`)}), 0)`,
    })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.accountId, id), ne(memberships.fromPartner, true)))
    .get()
  const theirs = db.select({ userId: memberships.userId }).from(memberships).where(fromPartner)
  const pending = listPending(
    db,
    and(
      eq(invitations.accountId, id),
      or(
        eq(invitations.invitedFrom, partnerId),
        and(eq(invitations.invitedFrom, id), inArray(invitations.invitedBy, theirs)),
        byPartnersProgram(sql`invitations.id`),
      ),
    ),
  )
  const programs = listPrograms(db, ofPartnersPeople([id]))
  const tokens = countForeignTokens(db, id)
  return {
    people: { first: people.slice(0, mostNamed), total: people.length },
    invitations: pending,
    programs,
    tokens,
    total: people.length + pending.total + programs.total + tokens,
    withoutAdmin: people.length > 0 && (stay?.n ?? 0) > 0 && stay?.admins === 0,
  }
}
