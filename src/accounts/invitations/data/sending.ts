import { and, eq, exists, gt, isNull, type Placeholder, sql } from 'drizzle-orm'
import { searchText } from '../../../db/fold.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import { type Db, write } from '../../../db/open.ts'
import {
  accounts,
  invitationProjects,
  invitations,
  invitationTokens,
  keptAccess,
  pendingInvitation,
  projects,
  users,
} from '../../../db/schema.ts'
import { matches } from '../../../db/search.ts'
import { isActive, isSuspended, linkAsleep, senderAsleep, suspensionOf } from '../../../db/suspension.ts'
import { allowInvitation, allowResend } from '../../../mail/allowance.ts'
import { type MailContext, type Post, withdrawLetters } from '../../../mail/outbox.ts'
import { createUser, findUserByEmail, renameUser, setPasswordByMail } from '../../../people/log-in/data.ts'
import { adminRole, type ProjectRole, type Role, roleName } from '../../../policy.ts'
import { addAccess } from '../../../projects/access/data.ts'
import { type Actor, type Person, record } from '../../../records/record.ts'
import { hashToken, newToken } from '../../../secrets.ts'
import { emailKey } from '../../../web/fields.ts'
import { date } from '../../../web/format.ts'
import type { Account, User } from '../../data.ts'
import { cancelInvitations } from '../../endings/data.ts'
import { addMember, changeRole, countAdmins, findMember, listAdmins, type Member } from '../../members/data.ts'
import { tellRole } from '../../notices/data.ts'

export type Invitation = typeof invitations.$inferSelect

/** Only a mailed link proves the mailbox of whoever follows it. */
export type LinkKind = (typeof invitationTokens.$inferSelect)['kind']

/** For whom somebody invites into an account that is not their own. */
export type OnBehalf = 'support' | { partner: string }

/** What an invitation's letter needs beside the row: who signs it, for whom, and where its link leads. */
export type Sender = { post: Post; publicUrl: string; inviter: string; from?: OnBehalf; bulk?: boolean }

export type NewInvitation = { name: string; email: string; role: Role; projects: { id: number; role: ProjectRole }[] }

/** How long an invitation is open, in milliseconds. */
export const invitationLifetime = 7 * 24 * 3_600_000

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
  return write(db, actor, (tx) => {
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
        invitedFrom: actor.accountId,
        createdAt: actor.at,
        sentAt: actor.at,
        expiresAt: actor.at + invitationLifetime,
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

/** Why nobody was made an admin from outside. A user who is 'inactive' cannot work in the account now. */
export type NoAdmin = 'has-admin' | 'pending' | 'inactive' | 'unproved'

/**
 * Invites an admin from outside, while the account has no admin who can log in; else 'has-admin'. Who is a user of it
 * already becomes its admin at once: `promoted`.
 */
export function inviteAdmin(
  db: Db,
  actor: Person,
  sender: Sender,
  account: Inviting,
  person: { name: string; email: string },
  mail: MailContext,
): { invited: Invitation } | { promoted: Member } | NoAdmin {
  return write(db, actor, (tx) => {
    if (countAdmins(tx, account.id) > 0) return 'has-admin'
    const member = findMemberByEmail(tx, account.id, person.email)
    if (member) return promote(tx, actor, account, member, mail)
    const invited = invite(tx, actor, sender, account, { ...person, role: adminRole, projects: [] })
    if (typeof invited === 'string') return 'pending'
    return { invited }
  })
}

function promote(
  tx: Db,
  actor: Person,
  account: Inviting,
  member: Member,
  mail: MailContext,
): { promoted: Member } | NoAdmin {
  if (member.active === 0) return 'inactive'
  // An e-mail would reach the owner of the address, and so would an invitation: this user may be somebody else.
  if (member.emailProvedAt === null) return 'unproved'
  changeRole(tx, actor, account.id, member.userId, adminRole, member.version)
  tellRole(tx, actor, account.id, member, adminRole, mail)
  return { promoted: member }
}

/** The account’s user with this address. */
export function findMemberByEmail(tx: Db, accountId: number, email: string): Member | undefined {
  const user = tx
    .select({ id: users.id })
    .from(users)
    .where(eq(users.emailKey, emailKey(email)))
    .get()
  return user && findMember(tx, accountId, user.id)
}

function isMember(tx: Db, accountId: number, email: string): boolean {
  return findMemberByEmail(tx, accountId, email) !== undefined
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
  { post, publicUrl, inviter, from, bulk }: Sender,
  account: Pick<Account, 'kind' | 'name'>,
  invitation: Invitation,
): void {
  allowInvitation(tx, actor, invitation.emailKey)
  const token = addToken(tx, actor, invitation.id, 'mailed')
  post(tx, actor.at, {
    kind: 'invitation',
    email: invitation.email,
    name: invitation.name,
    reason: { because: 'invitation', invitationId: invitation.id, tokenHash: hashToken(token) },
    accountId: invitation.accountId,
    names: [actor.userId],
    bulk: bulk ?? false,
    data: {
      inviter,
      from,
      account: account.name,
      role: roleName(account.kind, invitation.role),
      link: invitationLink(publicUrl, token),
      expires: date(invitation.expiresAt),
    },
  })
}

function addToken(tx: Db, actor: Actor, invitationId: number, kind: LinkKind): string {
  const token = newToken()
  tx.insert(invitationTokens)
    .values({
      hash: hashToken(token),
      invitationId,
      kind,
      madeBy: actor.userId,
      madeFrom: actor.accountId,
      createdAt: actor.at,
    })
    .run()
  return token
}

/** `handled` and `copied`: whoever looks may resend, correct and cancel it, or copy its link. */
export type PendingInvitation = Invitation & {
  letterState: string | null
  letterError: string | null
  handled: boolean
  copied: boolean
}

const toItsAdmins = () => ({ handled: true, copied: true })

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
export function listInvitations(
  db: Db,
  accountId: number,
  query: ListQuery,
  mayDo: (invitation: Invitation) => { handled: boolean; copied: boolean } = toItsAdmins,
): List<PendingInvitation> {
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
    seen: (rows) => rows.map(({ invitation, ...letter }) => ({ ...invitation, ...letter, ...mayDo(invitation) })),
  })
}

/**
 * Who handles an account’s invitations: its own admins all of them; whoever looks after it (a partner; null is
 * Support) those that it sent, and those of admins while the account has no admin who can log in.
 */
export type Handler = 'own' | { from: number | null }

/** Whether a pending invitation is the handler’s to resend, correct and cancel. `admins` are those who can log in. */
export function mayHandle(handler: Handler, { invitedFrom, role }: Invitation, admins: number): boolean {
  return handler === 'own' || invitedFrom === handler.from || (role === adminRole && admins === 0)
}

/** A partner hands links over only until the customer has an admin, and only of invitations that it sent. */
export function mayCopyLink(handler: Handler, { invitedFrom }: Invitation, admins: number): boolean {
  return handler === 'own' || (invitedFrom === handler.from && admins === 0)
}

type Inviting = Pick<Account, 'id' | 'kind' | 'name'>

/** A pending invitation of the account that is the handler’s. */
export function findPending(
  tx: Db,
  accountId: number,
  id: number,
  handler: Handler,
  may = mayHandle,
): Invitation | undefined {
  const invitation = tx
    .select()
    .from(invitations)
    .where(and(pendingOf(accountId), eq(invitations.id, id)))
    .get()
  return invitation && may(handler, invitation, countAdmins(tx, accountId)) ? invitation : undefined
}

/** Sends a pending invitation again: a new link for another seven days; all earlier ones end. Throws a TooMany. */
export function resend(
  db: Db,
  actor: Person,
  sender: Sender,
  account: Inviting,
  id: number,
  handler: Handler,
): Invitation | undefined {
  return write(db, actor, (tx) => {
    const before = findPending(tx, account.id, id, handler)
    if (!before) return undefined
    allowResend(before.sentAt, actor.at)
    const invitation = sendAnew(tx, actor, sender, account, before)
    record(tx, actor, { kind: 'invitation.resent', accountId: account.id, invitationId: id })
    return invitation
  })
}

/**
 * Corrects the name or address of a pending invitation and sends it there; all earlier links end. 'member' and
 * 'pending' as `invite` says it; undefined when there is no such invitation. Throws a TooMany.
 */
export function correctInvitation(
  db: Db,
  actor: Person,
  sender: Sender,
  account: Inviting,
  id: number,
  handler: Handler,
  { name, email }: { name: string; email: string },
): Invitation | 'member' | 'pending' | undefined {
  return write(db, actor, (tx) => {
    const before = findPending(tx, account.id, id, handler)
    if (!before) return undefined
    if (emailKey(email) === before.emailKey) allowResend(before.sentAt, actor.at)
    else {
      if (isMember(tx, account.id, email)) return 'member'
      expireOld(tx, account.id, email, actor.at)
      const other = and(pendingOf(account.id), eq(invitations.emailKey, emailKey(email)))
      if (tx.select({ id: invitations.id }).from(invitations).where(other).get()) return 'pending'
    }
    const person = { name, email, emailKey: emailKey(email), search: searchText(name, email) }
    tx.update(invitations).set(person).where(eq(invitations.id, id)).run()
    const invitation = sendAnew(tx, actor, sender, account, { ...before, ...person })
    record(tx, actor, { kind: 'invitation.corrected', accountId: account.id, invitationId: id })
    return invitation
  })
}

/** From now on it is the invitation of whoever sent it last. */
function sendAnew(tx: Db, actor: Person, sender: Sender, account: Inviting, before: Invitation): Invitation {
  const sent = {
    sentAt: actor.at,
    expiresAt: actor.at + invitationLifetime,
    invitedBy: actor.userId,
    invitedFrom: actor.accountId,
  }
  tx.update(invitations).set(sent).where(eq(invitations.id, before.id)).run()
  tx.update(invitationTokens)
    .set({ supersededAt: actor.at })
    .where(and(eq(invitationTokens.invitationId, before.id), isNull(invitationTokens.supersededAt)))
    .run()
  withdrawLetters(tx, before.id, actor.at)
  const invitation = { ...before, ...sent }
  send(tx, actor, sender, account, invitation)
  return invitation
}

export function cancelInvitation(
  db: Db,
  actor: Actor,
  accountId: number,
  id: number,
  handler: Handler,
): Invitation | undefined {
  return write(db, actor, (tx) => {
    const invitation = findPending(tx, accountId, id, handler)
    if (!invitation) return undefined
    cancelInvitations(tx, actor, eq(invitations.id, id))
    return invitation
  })
}

/**
 * Makes one more link to a pending invitation, to be handed over by other means. It makes the one membership that it
 * was made for, and proves no address. The one in the letter stays valid.
 */
export function copyLink(
  db: Db,
  actor: Actor,
  accountId: number,
  id: number,
  handler: Handler,
): { invitation: Invitation; token: string } | undefined {
  return write(db, actor, (tx) => {
    const invitation = findPending(tx, accountId, id, handler, mayCopyLink)
    if (!invitation || invitation.expiresAt <= actor.at) return undefined
    record(tx, actor, { kind: 'invitation.link-copied', accountId, invitationId: id })
    return { invitation, token: addToken(tx, actor, id, 'copied') }
  })
}

export type Offer = {
  invitation: Invitation
  account: Account
  inviter: { name: string; email: string }
  /** Whom to ask about it: the inviter, while they can act there; else an admin of the account, if it has one. */
  contact: { name: string; email: string } | undefined
  link: LinkKind
  state: 'open' | 'used' | 'cancelled' | 'expired' | 'superseded' | 'deleted' | 'suspended' | 'asleep'
  /** The names of suspended partners whose side sent the invitation, or made the link. */
  senderAsleep: string | null
  linkAsleep: string | null
}

/** What a link leads to. Undefined for a link that was never given out. */
export function findOffer(db: Db, token: string, at: number): Offer | undefined {
  const row = db
    .select({
      invitation: invitations,
      account: accounts,
      inviter: users,
      link: invitationTokens.kind,
      senderAsleep,
      linkAsleep,
      supersededAt: invitationTokens.supersededAt,
    })
    .from(invitationTokens)
    .innerJoin(invitations, eq(invitations.id, invitationTokens.invitationId))
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(eq(invitationTokens.hash, hashToken(token)))
    .get()
  if (!row) return undefined
  const { supersededAt, inviter, ...offer } = row
  return {
    ...offer,
    inviter: { name: inviter.name, email: inviter.email },
    contact: contactOf(db, row.invitation, row.account, inviter),
    state: offerState(row, at),
  }
}

function contactOf(db: Db, { invitedFrom }: Invitation, { id, partnerId }: Account, inviter: User): Offer['contact'] {
  const acts = (accountId: number) => findMember(db, accountId, inviter.id)?.active === 1
  const still =
    invitedFrom === null
      ? inviter.operator && inviter.disabledAt === null
      : acts(id) || (invitedFrom === partnerId && acts(partnerId))
  return still ? inviter : listAdmins(db, id, 1)[0]
}

type OfferFacts = Pick<Offer, 'invitation' | 'account' | 'senderAsleep' | 'linkAsleep'> & {
  supersededAt: number | null
}

function offerState(facts: OfferFacts, at: number): Offer['state'] {
  const { account, supersededAt, senderAsleep, linkAsleep } = facts
  const { state, expiresAt } = facts.invitation
  if (state === 'accepted') return 'used'
  if (state !== 'pending') return state
  if (account.deletedAt !== null) return 'deleted'
  if (supersededAt !== null) return 'superseded'
  if (expiresAt <= at) return 'expired'
  if (suspensionOf(account)) return 'suspended'
  return senderAsleep !== null || linkAsleep !== null ? 'asleep' : 'open'
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
    account: ({ account }) => account,
    role: ({ kind, role }) => roleName(kind, role),
    'invited by': ({ inviter }) => inviter,
    sent: ({ sentAt }) => isoTime(sentAt),
    expires: ({ expiresAt }) => isoTime(expiresAt),
  },
  filters: {},
} as const satisfies ListSpec<InvitationTo>

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

/** How somebody came to accept: by a link, or by a button on Home, which shows invitations to the own, proved address. */
export type Way = LinkKind | 'home'

/**
 * Claims an invitation for a user: one guarded UPDATE, in the transaction that adds the membership
 * and the project access that the invitation names. Undefined when it is not open to this address, its account is
 * deleted or suspended, the partner that sent it is suspended, or the address is not proved: only a copied link is for such a user, and whoever has a mailed
 * one proves the address first (`joinWithPassword`).
 */
export function acceptInvitation(tx: Db, actor: Actor, id: number, userId: number, way: Way): Accepted | undefined {
  const user = tx
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.disabledAt)))
    .get()
  if (!user || (way !== 'copied' && user.emailProvedAt === null)) return undefined
  const active = tx
    .select({ id: accounts.id })
    .from(accounts)
    .where(and(eq(accounts.id, invitations.accountId), isNull(accounts.deletedAt), isActive))
  const [claimed] = tx
    .update(invitations)
    .set({ state: 'accepted', endedAt: actor.at, acceptedBy: user.id })
    .where(
      and(
        eq(invitations.id, id),
        pendingInvitation,
        gt(invitations.expiresAt, actor.at),
        eq(invitations.emailKey, user.emailKey),
        exists(active),
        isNull(senderAsleep),
      ),
    )
    .returning()
    .all()
  if (!claimed) return undefined

  const { accountId } = claimed
  const fromPartner = isForPartner(tx, claimed, user.id, actor.at)
  const joining = { accountId, userId: user.id, role: claimed.role, fromPartner }
  const joined = addMember(tx, actor, joining, 'member.joined')
  const role = joined ? claimed.role : (findMember(tx, accountId, user.id)?.role ?? claimed.role)
  record(tx, actor, {
    kind: 'invitation.accepted',
    accountId,
    invitationId: id,
    userId: user.id,
    // The history says that a member’s role stayed.
    change: joined ? {} : { role: [role, role] },
  })
  withdrawLetters(tx, id, actor.at)
  const chosen = tx
    .select({ projectId: invitationProjects.projectId, role: invitationProjects.role, deletedAt: projects.deletedAt })
    .from(invitationProjects)
    .innerJoin(projects, eq(projects.id, invitationProjects.projectId))
    .where(and(eq(invitationProjects.invitationId, id), isNull(projects.purgedAt)))
    .all()
  let gained = 0
  for (const { projectId, role, deletedAt } of chosen)
    if (deletedAt === null) gained += Number(addAccess(tx, actor, accountId, projectId, user.id, role))
    // Should the project be restored, it has them.
    else tx.insert(keptAccess).values({ accountId, projectId, userId: user.id, role }).onConflictDoNothing().run()
  const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
  return account && { account, joined, role, gained }
}

/** What an accepted invitation did: who was a member before keeps the role, and gains access to `gained` projects alone. */
export type Accepted = { account: Account; joined: boolean; role: Role; gained: number }

/** The partner’s side invited one of the partner’s own people, or somebody whom it invites to become one. */
function isForPartner(
  tx: Db,
  { accountId, emailKey: key, invitedBy, invitedFrom }: Invitation,
  userId: number,
  at: number,
): boolean {
  const partnerId = tx.select({ id: accounts.partnerId }).from(accounts).where(eq(accounts.id, accountId)).get()?.id
  if (partnerId == null) return false
  const inviter = findMember(tx, accountId, invitedBy)
  if (invitedFrom !== partnerId && inviter?.fromPartner !== true) return false
  // Which of two invitations is accepted first makes no difference.
  const pending = and(pendingOf(partnerId), eq(invitations.emailKey, key), gt(invitations.expiresAt, at))
  return (
    findMember(tx, partnerId, userId) !== undefined ||
    tx.select({ id: invitations.id }).from(invitations).where(pending).get() !== undefined
  )
}

/**
 * Accepts by a link, and chooses name and password: creates the user. Through a mailed link the mailbox's owner also
 * takes over a user of this address whom somebody else may have set up, and may be logged in as: all that was set or
 * sent before ends. No `account` where this invitation was sent by that user, and so ended. 'log-in' where the address
 * has a log-in that the link does not open; undefined where the link is not open.
 */
export function joinWithPassword(
  db: Db,
  actor: Actor,
  token: string,
  { name, passwordHash }: { name: string; passwordHash: string },
): { userId: number; account: Account | undefined } | 'log-in' | undefined {
  return write(db, actor, (tx) => {
    const offer = findOffer(tx, token, actor.at)
    if (offer?.state !== 'open') return undefined
    const { link, invitation } = offer
    const there = findUserByEmail(tx, invitation.email)
    if (there && (link === 'copied' || there.emailProvedAt !== null || there.disabledAt !== null)) return 'log-in'
    const by = (userId: number) => ({ ...actor, userId })
    if (there) {
      setPasswordByMail(tx, by(there.id), there, passwordHash)
      renameUser(tx, by(there.id), there.id, name, there.version)
    }
    const { email } = invitation
    const user = there ?? createUser(tx, actor, { email, name, passwordHash, emailProved: link === 'mailed' })
    const accepted = user && acceptInvitation(tx, by(user.id), invitation.id, user.id, link)
    if (!user || (!accepted && invitation.invitedBy !== user.id))
      throw new Error('An open invitation was not accepted.')
    return { userId: user.id, account: accepted?.account }
  })
}
