import { and, count, eq, gt, isNull, sql } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared } from '../../../db/prepared.ts'
import { accounts, invitations, pendingInvitation, users } from '../../../db/schema.ts'
import { matches } from '../../../db/search.ts'
import { isSuspended, senderAsleep } from '../../../db/suspension.ts'
import type { Role } from '../../../policy.ts'
import { roleName } from '../../../roles.ts'
import { emailKey } from '../../../web/fields.ts'
import type { Account } from '../../data/account.ts'
import type { Invitation } from './invitation.ts'
import { pendingOf } from './invitation.ts'

/** `handled` and `copied`: the viewer may resend, correct and cancel it, or copy its link. */
export type PendingInvitation = Invitation & {
  letterState: string | null
  letterError: string | null
  handled: boolean
  copied: boolean
}

const toItsAdmins = () => ({ handled: true, copied: true })

/** The newest first. */
export const invitationList = {
  name: 'invitations',
  id: invitations.id,
  idOf: (invitation) => invitation.id,
  sorts: {
    sent: { words: 'Newest first', column: invitations.id, order: 'desc', value: (invitation) => invitation.id },
  },
  columns: {
    name: { head: 'Name', look: 'main who person', file: ({ name }) => name },
    'e-mail': { file: ({ email }) => email },
    role: { head: 'Role', look: 'wide', file: ({ role }) => role },
    sent: { head: 'Sent', look: 'trim', label: true, file: ({ sentAt }) => isoTime(sentAt) },
    expires: { head: 'Expires', look: 'trim', label: true, file: ({ expiresAt }) => isoTime(expiresAt) },
    letter: { file: ({ letterState }) => letterState },
  },
  filters: {},
} as const satisfies ListSpec<PendingInvitation>

/** The pending ones, with the delivery of their last e-mail. Expired ones stay listed until they are resent or cancelled. */
export function listInvitations(
  db: Db,
  accountId: AccountId,
  query: ListQuery,
  mayDo: (invitation: Invitation) => { handled: boolean; copied: boolean } = toItsAdmins,
): List<PendingInvitation> {
  // Drizzle leaves out a column's table where a query has only one, so the subqueries name it.
  const last = sql`from letters where letters.invitation_id = invitations.id order by letters.id desc limit 1`
  const values = { accountId }
  const condition = pendingOf(placeholdersOf(values).accountId)
  return readPage(db, invitationList, query, {
    values,
    narrowed: matches(db, { table: 'invitations', id: invitations.id, text: invitations.search }, query.q),
    rows: ({ where, orderBy, limit }) =>
      db
        .select({
          invitation: invitations,
          letterState: sql<string | null>`(select letters.state ${last})`,
          letterError: sql<string | null>`(select letters.error ${last})`,
        })
        .from(invitations)
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: invitations.id }).from(invitations).where(and(condition, where)).limit(limit),
    seen: (rows) => rows.map(({ invitation, ...letter }) => ({ ...invitation, ...letter, ...mayDo(invitation) })),
  })
}

function openTo(email: string, at: number) {
  return and(eq(invitations.emailKey, emailKey(email)), pendingInvitation, gt(invitations.expiresAt, at))
}

export type InvitationTo = {
  id: number
  role: Role
  kind: Account['kind']
  account: string
  suspended: number
  /** The name of the suspended partner that sent it. */
  senderAsleep: string | null
  inviter: string
  sentAt: number
  expiresAt: number
}

export const invitationToList = {
  name: 'invitations-to-me',
  id: invitations.id,
  idOf: (invitation) => invitation.id,
  sorts: {
    sent: { words: 'Newest first', column: invitations.id, order: 'desc', value: (invitation) => invitation.id },
  },
  columns: {
    account: { file: ({ account }) => account },
    role: { file: ({ kind, role }) => roleName(kind, role) },
    'invited by': { file: ({ inviter }) => inviter },
    sent: { file: ({ sentAt }) => isoTime(sentAt) },
    expires: { file: ({ expiresAt }) => isoTime(expiresAt) },
  },
  filters: {},
} as const satisfies ListSpec<InvitationTo>

const invitationsTo = prepared((db, { key, at }: Placeholders<{ key: string; at: number }>) =>
  db
    .select({ n: count() })
    .from(invitations)
    .innerJoin(accounts, and(eq(accounts.id, invitations.accountId), isNull(accounts.deletedAt)))
    .where(and(equals(invitations.emailKey, key), pendingInvitation, sql`${invitations.expiresAt} > ${at}`))
    .prepare(),
)

/** How many open invitations wait for the owner of an address, which must be proved. */
export function countInvitationsTo(
  db: Db,
  { email, emailProved }: { email: string; emailProved: boolean },
  at: number,
): number {
  return emailProved ? (invitationsTo(db).get({ key: emailKey(email), at })?.n ?? 0) : 0
}

/** Open invitations to an address: what waits for its owner. */
export function listInvitationsTo(
  db: Db,
  { email, emailProved }: { email: string; emailProved: boolean },
  at: number,
  query: ListQuery,
): List<InvitationTo> {
  // Whose mailbox it is must be proved first.
  const open = and(emailProved ? openTo(email, at) : sql`false`, isNull(accounts.deletedAt))
  return readPage(db, invitationToList, query, {
    values: {},
    // The address and the time narrow it down: neither is a tenant of the list.
    narrowed: open,
    rows: ({ where, orderBy, limit }) =>
      db
        .select({
          id: invitations.id,
          role: invitations.role,
          kind: accounts.kind,
          account: accounts.name,
          suspended: sql<number>`${isSuspended}`,
          senderAsleep,
          inviter: users.name,
          sentAt: invitations.sentAt,
          expiresAt: invitations.expiresAt,
        })
        .from(invitations)
        .innerJoin(accounts, eq(accounts.id, invitations.accountId))
        .innerJoin(users, eq(users.id, invitations.invitedBy))
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db
        .select({ one: invitations.id })
        .from(invitations)
        .innerJoin(accounts, eq(accounts.id, invitations.accountId))
        .where(where)
        .limit(limit),
    seen: (rows) => rows,
  })
}
