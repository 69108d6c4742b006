import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { works, worksAsAdmin } from '../../accounts/data/caretaker.ts'
import { endSent } from '../../accounts/endings/data/acts.ts'
import { endMembership } from '../../accounts/endings/data/ending.ts'
import type { UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import {
  accounts,
  emailChanges,
  identities,
  listChoices,
  memberships,
  passkeys,
  passwordResets,
  recoveryCodes,
  savedViews,
  sessions,
  users,
} from '../../db/schema.ts'
import { forgetNotificationsOf } from '../../records/data/forgetting.ts'
import { type Actor, record } from '../../records/record.ts'
import { adminRole } from '../../roles.ts'
import type { Secrets } from '../../secrets.ts'
import { hasOtherOperator } from '../data/users.ts'
import { endTokensOfSupport, forgetTokens } from '../tokens/data.ts'
import { forgetAnswers, forgetAnswersInTurns } from '../tokens/replays/data.ts'
import {
  forgetChanges,
  forgetInvitations,
  forgetLetters,
  forgetMentions,
  spellingsOf,
} from './forget/data/forgetting.ts'
import { forgetImports, type LookedAt, lookAtImportRows } from './forget/data/import-rows.ts'
import { recognise } from './forget/data/recognising.ts'
import { mentionsOf } from './mentions.ts'

type AccountName = { name: string; identifier: string }

/** What a user's deletion would do to living accounts: `needed` forbid it, since others are left there without an admin. */
export function foreseeDeletion(db: Db, userId: UserId): { needed: AccountName[]; emptied: AccountName[] } {
  const others = sql<number>`(select count(*) from memberships as other where other.account_id = memberships.account_id and other.user_id <> ${userId})`
  const otherAdmins = sql<number>`(select count(*) from memberships as other join users as person on person.id = other.user_id where other.account_id = memberships.account_id and other.user_id <> ${userId} and ${worksAsAdmin(sql`other`, sql`person`)})`
  const last = db
    .select({
      name: accounts.name,
      identifier: accounts.identifier,
      others: others.as('others'),
      works: works(sql`memberships`, sql`users`),
    })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(
      and(
        eq(memberships.userId, userId),
        eq(memberships.role, adminRole),
        eq(otherAdmins, 0),
        isNull(accounts.deletedAt),
      ),
    )
    .orderBy(asc(accounts.sortKey), asc(accounts.id))
    .all()
  // If they cannot act themselves, the account loses nobody who looks after it.
  return {
    needed: last.filter((account) => account.others > 0 && account.works === 1),
    emptied: last.filter((account) => account.others === 0),
  }
}

export type Erasing = {
  secrets: Secrets
  /** Removes the files of e-mails whose text is gone, before the deletion is done. */
  removeFiles: () => void
  /** Removes leftovers of these texts from the database's files, after the erasure. */
  eraseTraces: (tx: Db, texts: string[]) => void
  /** The earlier kept answers to programs are done (forgetAnswersOf). */
  answersSince?: number | undefined
  /** What the rows of imports were found to hold (prepareDeletion). */
  rowsLookedAt?: LookedAt | undefined
}

/** Forgets the kept answers to programs that name a user who will be deleted, in turns. Returns since when answers are left. */
export async function forgetAnswersOf(
  db: Db,
  by: Actor,
  userId: UserId,
  secrets: Secrets,
): Promise<number | undefined> {
  const [user] = db.select().from(users).where(eq(users.id, userId)).all()
  if (!user || user.deletedAt !== null || foreseeDeletion(db, userId).needed.length > 0) return undefined
  if (user.operator && !hasOtherOperator(db, userId)) return undefined
  return forgetAnswersInTurns(db, by, secrets, { userId, isNamedIn: mentionsOf(recognise(db, user)).in })
}

/** What takes long of a user's deletion, before it and in turns. */
export async function prepareDeletion(
  db: Db,
  by: Actor,
  userId: UserId,
  secrets: Secrets,
): Promise<Pick<Erasing, 'answersSince' | 'rowsLookedAt'>> {
  const answersSince = await forgetAnswersOf(db, by, userId, secrets)
  const [user] = db.select().from(users).where(eq(users.id, userId)).all()
  if (answersSince === undefined || !user) return {}
  return { answersSince, rowsLookedAt: await lookAtImportRows(db, recognise(db, user)) }
}

/**
 * Deletes a user: memberships, project access, sessions, codes, passkeys, identities and open links, and the name and the
 * e-mail everywhere they occur (erasure.ts). The records stay, and name a deleted user.
 */
export function deleteUser(
  db: Db,
  actor: Actor,
  userId: UserId,
  { secrets, removeFiles, eraseTraces, answersSince, rowsLookedAt }: Erasing,
): 'deleted' | 'needed' | 'last-operator' {
  return write(db, actor, (tx) => {
    const user = tx
      .select()
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.deletedAt)))
      .get()
    if (!user) return 'deleted'
    if (user.operator && !hasOtherOperator(tx, userId)) return 'last-operator'
    if (foreseeDeletion(tx, userId).needed.length > 0) return 'needed'

    const person = recognise(tx, user)
    forgetNotificationsOf(tx, userId)
    endMemberships(tx, actor, userId)
    for (const table of [
      sessions,
      identities,
      listChoices,
      savedViews,
      recoveryCodes,
      passkeys,
      passwordResets,
      emailChanges,
    ])
      tx.delete(table).where(eq(table.userId, userId)).run()
    // While the rows by which they are found still know the person.
    forgetLetters(tx, actor, secrets, person)
    forgetInvitations(tx, actor, person)
    forgetImports(tx, person, rowsLookedAt)
    forgetMentions(tx, person)
    forgetChanges(tx, person)
    forgetTokens(tx, userId)
    forgetAnswers(tx, secrets, { userId, isNamedIn: mentionsOf(person).in }, answersSince)
    // What ended with the user was told again.
    forgetNotificationsOf(tx, userId)
    const email = `deleted-${userId}@deleted.invalid`
    tx.update(users)
      .set({
        name: 'Deleted user',
        email,
        emailKey: email,
        search: '',
        sortKey: '',
        passwordHash: '',
        ...{ theme: '', timeZone: '', zoneByBrowser: true, numbers: '' },
        operator: false,
        totpSecret: null,
        totpStep: null,
        passkeyHandle: null,
        disabledAt: user.disabledAt ?? actor.at,
        deletedAt: actor.at,
      })
      .where(eq(users.id, userId))
      .run()
    record(tx, actor, { kind: 'user.deleted', userId })
    removeFiles()
    eraseTraces(tx, spellingsOf(person))
    return 'deleted'
  })
}

function endMemberships(tx: Db, actor: Actor, userId: UserId): void {
  const seats = tx.select({ accountId: memberships.accountId }).from(memberships).where(eq(memberships.userId, userId))
  for (const { accountId } of seats.all()) endMembership(tx, actor, { accountId, userId }, { exit: 'member.deleted' })
  endSent(tx, actor, userId)
  endTokensOfSupport(tx, actor, userId)
}
