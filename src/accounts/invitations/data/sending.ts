import { and, eq, gt } from 'drizzle-orm'
import { searchText } from '../../../db/fold.ts'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { invitationProjects, invitations, invitationTokens, pendingInvitation, users } from '../../../db/schema.ts'
import { allowInvitation } from '../../../mail/allowance.ts'
import type { MailContext, Post } from '../../../mail/outbox.ts'
import type { ProjectRole, Role } from '../../../policy.ts'
import { isProgram } from '../../../records/data/programs.ts'
import { type Actor, type Person, record } from '../../../records/record.ts'
import { adminRole, roleName } from '../../../roles.ts'
import { hashToken, newToken } from '../../../secrets.ts'
import { emailKey } from '../../../web/fields.ts'
import { date } from '../../../web/format.ts'
import { anybody, forReader } from '../../../web/reader.ts'
import type { Account } from '../../data/account.ts'
import { changeRole, countAdmins, findMember, type Member } from '../../members/data.ts'
import { tellRole } from '../../notices/data/notices.ts'
import { type Invitation, type Inviting, type LinkKind, pendingOf } from './invitation.ts'

/** The side that somebody invites for, into an account that is not their own. */
export type OnBehalf = 'support' | { partner: string }

/** What an invitation's e-mail needs besides the row: who signs it, for which side, and where its link leads. */
export type Sender = { post: Post; publicUrl: string; inviter: string; from?: OnBehalf; bulk?: boolean }

export type NewInvitation = {
  name: string
  email: string
  role: Role
  projects: { id: ProjectId; role: ProjectRole }[]
}

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
  { account, input }: { account: Pick<Account, 'id' | 'kind' | 'name'>; input: NewInvitation },
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
    send(tx, actor, sender, { account, invitation })
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
  { account, person, mail }: { account: Inviting; person: { name: string; email: string }; mail: MailContext },
): { invited: Invitation } | { promoted: Member } | NoAdmin {
  return write(db, actor, (tx) => {
    if (countAdmins(tx, account.id) > 0) return 'has-admin'
    const member = findMemberByEmail(tx, account.id, person.email)
    if (member) return promote(tx, actor, { account, member }, mail)
    const invited = invite(tx, actor, sender, { account, input: { ...person, role: adminRole, projects: [] } })
    if (typeof invited === 'string') return 'pending'
    return { invited }
  })
}

function promote(
  tx: Db,
  actor: Person,
  { account, member }: { account: Inviting; member: Member },
  mail: MailContext,
): { promoted: Member } | NoAdmin {
  if (member.active === 0) return 'inactive'
  // An e-mail would reach the owner of the address, and so would an invitation: this user may be somebody else.
  if (member.emailProvedAt === null) return 'unproved'
  changeRole(tx, actor, { accountId: account.id, userId: member.userId }, { role: adminRole, version: member.version })
  tellRole(tx, actor, { accountId: account.id, person: member, role: adminRole }, mail)
  return { promoted: member }
}

/** The account’s user with this address. */
export function findMemberByEmail(tx: Db, accountId: AccountId, email: string): Member | undefined {
  const user = tx
    .select({ id: users.id })
    .from(users)
    .where(eq(users.emailKey, emailKey(email)))
    .get()
  return user && findMember(tx, accountId, user.id)
}

export function isMember(tx: Db, accountId: AccountId, email: string): boolean {
  return findMemberByEmail(tx, accountId, email) !== undefined
}

/** Why somebody cannot be invited now, in the terms of `invite`. Undefined if nothing prevents it. */
export function whyNotInvited(
  db: Db,
  accountId: AccountId,
  email: string,
  at: number,
): 'member' | 'pending' | undefined {
  if (isMember(db, accountId, email)) return 'member'
  const open = and(pendingOf(accountId), eq(invitations.emailKey, emailKey(email)), gt(invitations.expiresAt, at))
  return db.select({ id: invitations.id }).from(invitations).where(open).get() ? 'pending' : undefined
}

/** An expired invitation gives way to a new one. */
export function expireOld(tx: Db, accountId: AccountId, email: string, at: number): void {
  const pending = and(
    eq(invitations.accountId, accountId),
    eq(invitations.emailKey, emailKey(email)),
    pendingInvitation,
  )
  const old = tx.select().from(invitations).where(pending).get()
  if (old && old.expiresAt <= at)
    tx.update(invitations).set({ state: 'expired', endedAt: at }).where(eq(invitations.id, old.id)).run()
}

export function send(
  tx: Db,
  actor: Actor,
  { post, publicUrl, inviter, from, bulk }: Sender,
  { account, invitation }: { account: Pick<Account, 'kind' | 'name'>; invitation: Invitation },
): void {
  allowInvitation(tx, actor, invitation.emailKey)
  const token = addToken(tx, actor, invitation.id, 'mailed')
  const reader = tx.select().from(users).where(eq(users.emailKey, invitation.emailKey)).get()
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
      byProgram: isProgram(tx, actor.userId),
      from,
      account: account.name,
      role: roleName(account.kind, invitation.role),
      link: invitationLink(publicUrl, token),
      expires: forReader(reader ?? anybody, () => date(invitation.expiresAt)),
    },
  })
}

export function addToken(tx: Db, actor: Actor, invitationId: number, kind: LinkKind): string {
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
