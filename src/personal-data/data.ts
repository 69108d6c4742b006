import { and, asc, count, desc, eq, gt, inArray, isNull, ne, or, sql } from 'drizzle-orm'
import { union } from 'drizzle-orm/sqlite-core'
import { searchText } from '../db/fold.ts'
import { type Db, write } from '../db/open.ts'
import {
  accounts,
  emailChanges,
  invitations,
  keptAccess,
  letters,
  memberships,
  passwordResets,
  personalChanges,
  projectAccess,
  projects,
  quotaRequests,
  records,
  recoveryCodes,
  sessions,
  users,
} from '../db/schema.ts'
import { type Actor, record } from '../history/record.ts'
import { withdrawLetters } from '../mail/outbox.ts'
import { adminRole } from '../policy.ts'

const nobody = 'deleted@deleted.invalid'

type AccountName = { name: string; identifier: string }

/** Everything that the panel keeps about a user, what may be long as it is asked for; undefined for one that does not exist. */
export function collectPersonalData(db: Db, userId: number) {
  const user = db.select().from(users).where(eq(users.id, userId)).get()
  if (!user) return undefined
  const { name, email, createdAt, lastLogInAt, operator, totpSecret } = user
  return {
    user: { name, email, createdAt, lastLogInAt, support: operator, twoFactor: totpSecret !== null },
    accounts: db
      .select({
        account: accounts.identifier,
        name: accounts.name,
        role: memberships.role,
        since: memberships.createdAt,
      })
      .from(memberships)
      .innerJoin(accounts, eq(accounts.id, memberships.accountId))
      .where(eq(memberships.userId, userId))
      .orderBy(asc(accounts.id))
      .all(),
    projects: db
      .select({
        account: accounts.identifier,
        project: projects.identifier,
        role: projectAccess.role,
        since: projectAccess.createdAt,
      })
      .from(projectAccess)
      .innerJoin(projects, eq(projects.id, projectAccess.projectId))
      .innerJoin(accounts, eq(accounts.id, projectAccess.accountId))
      .where(eq(projectAccess.userId, userId))
      .orderBy(asc(projects.id))
      .all(),
    deletedProjects: db
      .select({ account: accounts.identifier, project: projects.identifier, role: keptAccess.role })
      .from(memberships)
      .innerJoin(
        keptAccess,
        and(eq(keptAccess.accountId, memberships.accountId), eq(keptAccess.userId, memberships.userId)),
      )
      .innerJoin(projects, eq(projects.id, keptAccess.projectId))
      .innerJoin(accounts, eq(accounts.id, keptAccess.accountId))
      .where(eq(memberships.userId, userId))
      .orderBy(asc(projects.id))
      .all(),
    invitations: db
      .select({
        account: accounts.identifier,
        email: invitations.email,
        name: invitations.name,
        state: invitations.state,
        sentAt: invitations.sentAt,
      })
      .from(invitations)
      .innerJoin(accounts, eq(accounts.id, invitations.accountId))
      .where(or(eq(invitations.emailKey, user.emailKey), eq(invitations.acceptedBy, userId)))
      .orderBy(asc(invitations.id))
      .all(),
    quotaRequests: db
      .select({
        account: accounts.identifier,
        reason: quotaRequests.reason,
        state: quotaRequests.state,
        sentAt: quotaRequests.createdAt,
      })
      .from(quotaRequests)
      .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
      .where(eq(quotaRequests.requestedBy, userId))
      .orderBy(asc(quotaRequests.id))
      .all(),
    letters: pages((after) =>
      db
        .select({
          id: letters.id,
          email: letters.email,
          subject: letters.subject,
          state: letters.state,
          writtenAt: letters.createdAt,
        })
        .from(letters)
        .where(and(or(eq(letters.email, email), eq(letters.userId, userId)), gt(letters.id, after)))
        .orderBy(asc(letters.id))
        .limit(pageSize)
        .all(),
    ),
    sessions: db
      .select({
        ip: sessions.ip,
        browser: sessions.browser,
        beganAt: sessions.createdAt,
        lastUsedAt: sessions.lastSeenAt,
      })
      .from(sessions)
      .where(eq(sessions.userId, userId))
      .orderBy(desc(sessions.lastSeenAt))
      .all(),
    changesOfMyName: db
      .select({ field: personalChanges.field, before: personalChanges.before, after: personalChanges.after })
      .from(personalChanges)
      .where(eq(personalChanges.userId, userId))
      .orderBy(asc(personalChanges.recordId))
      .all(),
    // What I did, and what was done to me; from where I came only in what I did.
    history: pages((after) =>
      db
        .select({
          id: records.id,
          at: records.at,
          what: records.kind,
          byMe: sql<number>`${records.actorId} is ${userId}`,
          account: accounts.identifier,
          ip: sql<string | null>`case when ${records.actorId} is ${userId} then ${records.ip} end`,
        })
        .from(records)
        .leftJoin(accounts, eq(accounts.id, records.accountId))
        .where(inArray(records.id, recordsOf(db, userId, after)))
        .orderBy(asc(records.id))
        .all()
        .map((row) => ({ ...row, byMe: row.byMe === 1 })),
    ),
  }
}

/** Two indexes, merged in their order: a page costs the same wherever it begins. */
function recordsOf(db: Db, userId: number, after: number) {
  const by = (person: typeof records.actorId | typeof records.userId) =>
    db
      .select({ id: records.id })
      .from(records)
      .where(and(eq(person, userId), gt(records.id, after)))
  return union(by(records.actorId), by(records.userId)).orderBy(asc(sql`id`)).limit(pageSize)
}

/** So many rows are read at once of what grows without end. */
const pageSize = 500

/** Every row, page by page and without its id, as it is asked for. */
function* pages<Row extends { id: number }>(read: (after: number) => Row[]): Generator<Omit<Row, 'id'>> {
  for (let page = read(0), last = page.at(-1); last; page = read(last.id), last = page.at(-1))
    for (const { id, ...row } of page) yield row
}

/** What a user's deletion would do to living accounts: `needed` forbid it, since others are left there without an admin. */
export function foreseeDeletion(db: Db, userId: number): { needed: AccountName[]; emptied: AccountName[] } {
  const others = sql<number>`(select count(*) from memberships as other where other.account_id = memberships.account_id and other.user_id <> ${userId})`
  const otherAdmins = sql<number>`(select count(*) from memberships as other join users as person on person.id = other.user_id where other.account_id = memberships.account_id and other.user_id <> ${userId} and other.role = ${adminRole} and person.disabled_at is null)`
  const last = db
    .select({ name: accounts.name, identifier: accounts.identifier, others: others.as('others') })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(
      and(
        eq(memberships.userId, userId),
        eq(memberships.role, adminRole),
        eq(otherAdmins, 0),
        isNull(accounts.deletedAt),
      ),
    )
    .orderBy(asc(accounts.name))
    .all()
  return { needed: last.filter((own) => own.others > 0), emptied: last.filter((own) => own.others === 0) }
}

/**
 * Deletes a user: memberships, project access, sessions, codes and open links go, and with them the
 * name and the e-mail wherever they stand. The records stay, and speak of a deleted user. `removeFiles`
 * removes the files of letters that were written to the user, by their ids, before it is done.
 */
export function deleteUser(
  db: Db,
  actor: Actor,
  userId: number,
  removeFiles: (letterIds: number[]) => void,
): 'deleted' | 'needed' | 'last-operator' {
  return write(db, (tx) => {
    const user = tx
      .select()
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.deletedAt)))
      .get()
    if (!user) return 'deleted'
    if (user.operator && !anotherOperator(tx, userId)) return 'last-operator'
    if (foreseeDeletion(tx, userId).needed.length > 0) return 'needed'

    endMemberships(tx, actor, userId)
    for (const table of [sessions, recoveryCodes, passwordResets, emailChanges, personalChanges])
      tx.delete(table).where(eq(table.userId, userId)).run()
    forgetInvitations(tx, actor, user)
    const letterIds = forgetLetters(tx, userId, user.email)
    const email = `deleted-${userId}@deleted.invalid`
    tx.update(users)
      .set({
        name: 'Deleted user',
        email,
        emailKey: email,
        search: '',
        passwordHash: '',
        operator: false,
        totpSecret: null,
        totpStep: null,
        disabledAt: user.disabledAt ?? actor.at,
        deletedAt: actor.at,
      })
      .where(eq(users.id, userId))
      .run()
    record(tx, actor, { kind: 'user.deleted', userId })
    removeFiles(letterIds)
    return 'deleted'
  })
}

function anotherOperator(tx: Db, userId: number): boolean {
  const other = and(eq(users.operator, true), ne(users.id, userId), isNull(users.disabledAt))
  return (tx.select({ n: count() }).from(users).where(other).get()?.n ?? 0) > 0
}

function endMemberships(tx: Db, actor: Actor, userId: number): void {
  tx.delete(projectAccess).where(eq(projectAccess.userId, userId)).run()
  tx.delete(keptAccess).where(eq(keptAccess.userId, userId)).run()
  const ended = tx.delete(memberships).where(eq(memberships.userId, userId)).returning().all()
  for (const { accountId, role } of ended)
    record(tx, actor, { kind: 'member.deleted', accountId, userId, change: { role: [role, null] } })
}

/** Open invitations to the user end; all of them forget whom they were for. */
function forgetInvitations(tx: Db, actor: Actor, user: { id: number; emailKey: string }): void {
  const toUser = or(eq(invitations.emailKey, user.emailKey), eq(invitations.acceptedBy, user.id))
  for (const { id, accountId, state } of tx.select().from(invitations).where(toUser).all()) {
    const email = `deleted-${id}@deleted.invalid`
    tx.update(invitations)
      .set({
        email,
        emailKey: email,
        name: 'Deleted user',
        search: '',
        ...(state === 'pending' ? ({ state: 'cancelled', endedAt: actor.at } as const) : {}),
      })
      .where(eq(invitations.id, id))
      .run()
    withdrawLetters(tx, id, actor.at)
    if (state === 'pending') record(tx, actor, { kind: 'invitation.cancelled', accountId, invitationId: id })
  }
}

/** Letters to the user lose address, name and text; letters in which the user invited others lose the name. */
function forgetLetters(tx: Db, userId: number, email: string): number[] {
  const toUser = tx
    .update(letters)
    .set({ email: nobody, name: 'Deleted user', subject: 'A letter', search: '', body: null })
    .where(or(eq(letters.email, email), eq(letters.userId, userId)))
    .returning({ id: letters.id })
    .all()
  tx.update(letters)
    .set({ state: 'withdrawn' })
    .where(and(eq(letters.email, nobody), eq(letters.state, 'waiting')))
    .run()
  const byUser = tx
    .select({ id: letters.id, email: letters.email, name: letters.name })
    .from(letters)
    .innerJoin(invitations, eq(invitations.id, letters.invitationId))
    .where(eq(invitations.invitedBy, userId))
    .all()
  const subject = 'An invitation'
  for (const { id, name, email } of byUser)
    tx.update(letters)
      .set({ subject, search: searchText(name, email, subject) })
      .where(eq(letters.id, id))
      .run()
  return toUser.map(({ id }) => id)
}
