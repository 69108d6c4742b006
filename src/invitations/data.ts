import { and, count, desc, eq, exists, gt, isNull, type Placeholder, sql } from 'drizzle-orm'
import { addAccess } from '../access/data.ts'
import type { Account } from '../accounts/data.ts'
import { searchText } from '../db/fold.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../db/list.ts'
import { type Db, write } from '../db/open.ts'
import {
  accounts,
  invitationProjects,
  invitations,
  invitationTokens,
  keptAccess,
  memberships,
  pendingInvitation,
  projects,
  users,
} from '../db/schema.ts'
import { matches } from '../db/search.ts'
import type { RecordKind } from '../history/kinds.ts'
import { type Actor, type Person, record } from '../history/record.ts'
import { allowInvitation, allowResend } from '../mail/allowance.ts'
import { type Post, withdrawLetters } from '../mail/outbox.ts'
import { addMember } from '../members/data.ts'
import { type ProjectRole, type Role, roleName } from '../policy.ts'
import { hashToken, newToken } from '../secrets.ts'
import { emailKey } from '../web/fields.ts'
import { date } from '../web/format.ts'

export type Invitation = typeof invitations.$inferSelect

/** What an invitation's letter needs beside the row: who signs it, and where its link leads. */
export type Sender = { post: Post; publicUrl: string; inviter: string }

export type NewInvitation = { name: string; email: string; role: Role; projects: { id: number; role: ProjectRole }[] }

const lifetime = 7 * 24 * 3_600_000

/** An invitation is a link of the panel's own address, never of the Host header. */
export function invitationLink(publicUrl: string, token: string): string {
  return `${publicUrl}/invitations/${token}`
}

/**
 * Invites somebody and writes the letter, in one transaction. 'member' when the address belongs to a
 * user of the account, 'pending' when it is invited already. Throws a TooMany.
 */
export function invite(
  db: Db,
  actor: Person,
  sender: Sender,
  account: Pick<Account, 'id' | 'kind' | 'name'>,
  input: NewInvitation,
): Invitation | 'member' | 'pending' {
  return write(db, (tx) => {
    if (isMember(tx, account.id, input.email)) return 'member'
    expireOld(tx, account.id, input.email, actor.at)
    const [invitation] = tx
      .insert(invitations)
      .values({
        accountId: account.id,
        email: input.email,
        emailKey: emailKey(input.email),
        name: input.name,
        search: searchText(input.name, input.email),
        role: input.role,
        invitedBy: actor.userId,
        createdAt: actor.at,
        sentAt: actor.at,
        expiresAt: actor.at + lifetime,
      })
      .onConflictDoNothing()
      .returning()
      .all()
    if (!invitation) return 'pending'
    for (const { id, role } of input.projects) {
      tx.insert(invitationProjects)
        .values({ accountId: account.id, invitationId: invitation.id, projectId: id, role })
        .run()
    }
    send(tx, actor, sender, account, invitation)
    record(tx, actor, {
      kind: 'invitation.sent',
      accountId: account.id,
      invitationId: invitation.id,
      change: { role: [null, invitation.role] },
    })
    return invitation
  })
}

function isMember(tx: Db, accountId: number, email: string): boolean {
  const own = and(eq(memberships.accountId, accountId), eq(users.emailKey, emailKey(email)))
  return (
    tx
      .select({ id: users.id })
      .from(memberships)
      .innerJoin(users, eq(users.id, memberships.userId))
      .where(own)
      .get() !== undefined
  )
}

/** Why somebody cannot be invited now: as `invite` says it. Undefined where nothing stands in the way. */
export function whyNotInvited(db: Db, accountId: number, email: string, at: number): 'member' | 'pending' | undefined {
  if (isMember(db, accountId, email)) return 'member'
  const open = and(pendingOf(accountId), eq(invitations.emailKey, emailKey(email)), gt(invitations.expiresAt, at))
  return db.select({ id: invitations.id }).from(invitations).where(open).get() ? 'pending' : undefined
}

/** An expired invitation gives way to a new one. */
function expireOld(tx: Db, accountId: number, email: string, at: number): void {
  const pending = and(
    eq(invitations.accountId, accountId),
    eq(invitations.emailKey, emailKey(email)),
    pendingInvitation,
  )
  const old = tx.select().from(invitations).where(pending).get()
  if (old && old.expiresAt <= at)
    tx.update(invitations).set({ state: 'expired', endedAt: at }).where(eq(invitations.id, old.id)).run()
}

function send(
  tx: Db,
  actor: Actor,
  { post, publicUrl, inviter }: Sender,
  account: Pick<Account, 'kind' | 'name'>,
  invitation: Invitation,
): void {
  allowInvitation(tx, actor, invitation.emailKey)
  post(tx, actor.at, {
    kind: 'invitation',
    email: invitation.email,
    name: invitation.name,
    invitationId: invitation.id,
    accountId: invitation.accountId,
    data: {
      inviter,
      account: account.name,
      role: roleName(account.kind, invitation.role),
      link: invitationLink(publicUrl, addToken(tx, invitation.id, actor.at)),
      expires: date(invitation.expiresAt),
    },
  })
}

function addToken(tx: Db, invitationId: number, at: number): string {
  const token = newToken()
  tx.insert(invitationTokens)
    .values({ hash: hashToken(token), invitationId, createdAt: at })
    .run()
  return token
}

export type PendingInvitation = Invitation & { letterState: string | null; letterError: string | null }

function pendingOf(accountId: number | Placeholder) {
  return and(eq(invitations.accountId, accountId), pendingInvitation)
}

/** The newest first. */
export const invitationList = {
  name: 'invitations',
  id: invitations.id,
  idOf: (invitation) => invitation.id,
  sorts: {
    sent: { words: 'Newest first', column: invitations.id, order: 'desc', value: (invitation) => invitation.id },
  },
  columns: {
    name: ({ name }) => name,
    'e-mail': ({ email }) => email,
    role: ({ role }) => role,
    sent: ({ sentAt }) => isoTime(sentAt),
    expires: ({ expiresAt }) => isoTime(expiresAt),
    letter: ({ letterState }) => letterState,
  },
  filters: {},
} as const satisfies ListSpec<PendingInvitation>

/** The pending ones, with how the last letter of each fares. Expired ones stay listed until they are resent or cancelled. */
export function listInvitations(db: Db, accountId: number, query: ListQuery): List<PendingInvitation> {
  // Drizzle leaves out a column's table where a query has only one, so the subqueries name it.
  const last = sql`from letters where letters.invitation_id = invitations.id order by letters.id desc limit 1`
  const own = pendingOf(sql.placeholder('accountId'))
  return readPage(db, invitationList, query, {
    values: { accountId },
    narrowed: matches(db, 'invitations', invitations.id, invitations.search, query.q),
    rows: ({ where, orderBy, limit }) =>
      db
        .select({
          invitation: invitations,
          letterState: sql<string | null>`(select letters.state ${last})`,
          letterError: sql<string | null>`(select letters.error ${last})`,
        })
        .from(invitations)
        .where(and(own, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ one: invitations.id }).from(invitations).where(and(own, where)).limit(limit),
    seen: (rows) => rows.map(({ invitation, ...letter }) => ({ ...invitation, ...letter })),
  })
}

function findPending(tx: Db, accountId: number, id: number): Invitation | undefined {
  return tx
    .select()
    .from(invitations)
    .where(and(pendingOf(accountId), eq(invitations.id, id)))
    .get()
}

/** Sends a pending invitation again: a new link for another seven days; all earlier ones end. Throws a TooMany. */
export function resend(
  db: Db,
  actor: Actor,
  sender: Sender,
  account: Pick<Account, 'id' | 'kind' | 'name'>,
  id: number,
): Invitation | undefined {
  return write(db, (tx) => {
    const before = findPending(tx, account.id, id)
    if (!before) return undefined
    allowResend(before.sentAt, actor.at)
    const invitation = { ...before, sentAt: actor.at, expiresAt: actor.at + lifetime }
    tx.update(invitations)
      .set({ sentAt: invitation.sentAt, expiresAt: invitation.expiresAt })
      .where(eq(invitations.id, id))
      .run()
    tx.update(invitationTokens)
      .set({ supersededAt: actor.at })
      .where(and(eq(invitationTokens.invitationId, id), isNull(invitationTokens.supersededAt)))
      .run()
    withdrawLetters(tx, id, actor.at)
    send(tx, actor, sender, account, invitation)
    record(tx, actor, { kind: 'invitation.resent', accountId: account.id, invitationId: id })
    return invitation
  })
}

export function cancelInvitation(db: Db, actor: Actor, accountId: number, id: number): Invitation | undefined {
  return write(db, (tx) => {
    const invitation = findPending(tx, accountId, id)
    if (!invitation) return undefined
    tx.update(invitations).set({ state: 'cancelled', endedAt: actor.at }).where(eq(invitations.id, id)).run()
    withdrawLetters(tx, id, actor.at)
    record(tx, actor, { kind: 'invitation.cancelled', accountId, invitationId: id })
    return invitation
  })
}

/** Makes one more link to a pending invitation, to be handed over by other means. The one in the letter stays valid. */
export function copyLink(
  db: Db,
  actor: Actor,
  accountId: number,
  id: number,
): { invitation: Invitation; token: string } | undefined {
  return write(db, (tx) => {
    const invitation = findPending(tx, accountId, id)
    if (!invitation || invitation.expiresAt <= actor.at) return undefined
    record(tx, actor, { kind: 'invitation.link-copied', accountId, invitationId: id })
    return { invitation, token: addToken(tx, id, actor.at) }
  })
}

export type Offer = {
  invitation: Invitation
  account: Account
  inviter: { name: string; email: string }
  state: 'open' | 'used' | 'cancelled' | 'expired' | 'superseded' | 'deleted' | 'suspended'
}

/** What a link leads to. Undefined for a link that was never given out. */
export function findOffer(db: Db, token: string, at: number): Offer | undefined {
  const row = db
    .select({
      invitation: invitations,
      account: accounts,
      inviter: { name: users.name, email: users.email },
      supersededAt: invitationTokens.supersededAt,
    })
    .from(invitationTokens)
    .innerJoin(invitations, eq(invitations.id, invitationTokens.invitationId))
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(eq(invitationTokens.hash, hashToken(token)))
    .get()
  if (!row) return undefined
  const { supersededAt, ...offer } = row
  return { ...offer, state: offerState(row.invitation, row.account, supersededAt, at) }
}

function offerState(
  { state, expiresAt }: Invitation,
  { deletedAt, suspendedAt }: Account,
  supersededAt: number | null,
  at: number,
): Offer['state'] {
  if (state === 'accepted') return 'used'
  if (state !== 'pending') return state
  if (deletedAt !== null) return 'deleted'
  if (supersededAt !== null) return 'superseded'
  if (expiresAt <= at) return 'expired'
  return suspendedAt === null ? 'open' : 'suspended'
}

function openTo(email: string, at: number) {
  return and(eq(invitations.emailKey, emailKey(email)), pendingInvitation, gt(invitations.expiresAt, at))
}

export function countInvitationsTo(db: Db, email: string, at: number): number {
  return (
    db
      .select({ n: count() })
      .from(invitations)
      .innerJoin(accounts, eq(accounts.id, invitations.accountId))
      .where(and(openTo(email, at), isNull(accounts.deletedAt)))
      .get()?.n ?? 0
  )
}

/** Open invitations to an address: what waits for its owner. */
export function listInvitationsTo(
  db: Db,
  email: string,
  at: number,
  limit: number,
): {
  id: number
  role: Role
  kind: Account['kind']
  account: string
  suspendedAt: number | null
  inviter: string
}[] {
  return db
    .select({
      id: invitations.id,
      role: invitations.role,
      kind: accounts.kind,
      account: accounts.name,
      suspendedAt: accounts.suspendedAt,
      inviter: users.name,
    })
    .from(invitations)
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(and(openTo(email, at), isNull(accounts.deletedAt)))
    .orderBy(desc(invitations.id))
    .limit(limit)
    .all()
}

/**
 * Claims an invitation for a user: one guarded UPDATE, in the transaction that adds the membership
 * and the project access that the invitation names. Undefined when it is not open to this address, or its
 * account is deleted or suspended.
 */
export function acceptInvitation(
  tx: Db,
  actor: Actor,
  id: number,
  user: { id: number; email: string },
): Account | undefined {
  const active = tx
    .select({ id: accounts.id })
    .from(accounts)
    .where(and(eq(accounts.id, invitations.accountId), isNull(accounts.deletedAt), isNull(accounts.suspendedAt)))
  const [claimed] = tx
    .update(invitations)
    .set({ state: 'accepted', endedAt: actor.at, acceptedBy: user.id })
    .where(
      and(
        eq(invitations.id, id),
        pendingInvitation,
        gt(invitations.expiresAt, actor.at),
        eq(invitations.emailKey, emailKey(user.email)),
        exists(active),
      ),
    )
    .returning()
    .all()
  if (!claimed) return undefined

  const { accountId } = claimed
  const joined: RecordKind = 'member.joined'
  addMember(tx, actor, accountId, user.id, claimed.role, joined)
  record(tx, actor, { kind: 'invitation.accepted', accountId, invitationId: id, userId: user.id })
  withdrawLetters(tx, id, actor.at)
  const chosen = tx
    .select({ projectId: invitationProjects.projectId, role: invitationProjects.role, deletedAt: projects.deletedAt })
    .from(invitationProjects)
    .innerJoin(projects, eq(projects.id, invitationProjects.projectId))
    .where(and(eq(invitationProjects.invitationId, id), isNull(projects.purgedAt)))
    .all()
  for (const { projectId, role, deletedAt } of chosen)
    if (deletedAt === null) addAccess(tx, actor, accountId, projectId, user.id, role)
    // Should the project be restored, it has them.
    else tx.insert(keptAccess).values({ accountId, projectId, userId: user.id, role }).onConflictDoNothing().run()
  return tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
}
