import { and, eq, inArray, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { searchText, sortKey } from '../../../../db/fold.ts'
import type { AccountId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import {
  accounts,
  imports,
  invitations,
  letterPeople,
  letters,
  limits,
  personalChanges,
  quotaRequests,
  records,
  savedViews,
  ties,
} from '../../../../db/schema.ts'
import { isOneOf } from '../../../../db/search.ts'
import { withdrawLetters } from '../../../../mail/outbox.ts'
import { withdrawTelling } from '../../../../records/data/telling-anew.ts'
import { type Actor, record, typedFields } from '../../../../records/record.ts'
import type { Secrets } from '../../../../secrets.ts'
import { emailKey } from '../../../../web/fields.ts'
import { forgive, logInCounter, resetCounter } from '../../../log-in/throttle/data.ts'
import { mentionsOf } from '../../mentions.ts'
import { forgetDetails, forgetInViews } from './notes.ts'
import { deletedName, invitationsTo, type Known, lettersNaming, lettersTo, mentioned } from './recognising.ts'

// Finds the data about a person and forgets it, as erasure.ts lists it.

/** Open invitations to the person end, and no invitation remembers who it was for. */
export function forgetInvitations(tx: Db, actor: Actor, person: Known): void {
  const to = isOneOf(invitations.id, invitationsTo(tx, person))
  for (const { id, accountId, state } of tx.select().from(invitations).where(to).all()) {
    const email = `deleted-${id}@deleted.invalid`
    tx.update(invitations)
      .set({
        email,
        emailKey: email,
        name: deletedName,
        search: '',
        ...(state === 'pending' ? ({ state: 'cancelled', endedAt: actor.at } as const) : {}),
      })
      .where(eq(invitations.id, id))
      .run()
    withdrawLetters(tx, id, actor.at)
    if (state === 'pending') record(tx, actor, { kind: 'invitation.cancelled', accountId, invitationId: id })
  }
}

/** E-mails to the person lose everything; e-mails that name the person lose subject and text. None of them is sent. */
export function forgetLetters(tx: Db, actor: Actor, secrets: Secrets, person: Known): void {
  const to = lettersTo(tx, person)
  const naming = lettersNaming(tx, secrets, person).filter((id) => !to.includes(id))
  tx.update(letters)
    .set({
      email: 'deleted@deleted.invalid',
      name: deletedName,
      subject: 'An e-mail',
      search: '',
      body: null,
      error: null,
    })
    .where(isOneOf(letters.id, to))
    .run()
  const subject = 'An e-mail that named a deleted user'
  for (const { id, name, email } of tx.select().from(letters).where(isOneOf(letters.id, naming)).all())
    tx.update(letters)
      .set({ subject, search: searchText(name, email, subject), body: null })
      .where(eq(letters.id, id))
      .run()
  const all = [...to, ...naming]
  withdrawTelling(tx, all, 'a user whom it was for, or whom it named, was deleted', actor.at)
  tx.delete(letterPeople).where(isOneOf(letterPeople.letterId, all)).run()
}

/**
 * What others typed stays, but no longer names somebody: nowhere by an e-mail of theirs, and not by name in the accounts
 * that they were in. Elsewhere the same name may be another’s, and so may an address that they never proved.
 */
export function forgetMentions(tx: Db, person: Known): void {
  const byMail = mentionsOf({ names: [], emails: person.emails })
  const inOwn = mentionsOf(person)
  const rewrite = (accountId: AccountId | null, text: string) => {
    if (accountId !== null && person.accountIds.includes(accountId)) return inOwn.replaced(text)
    const theirs = person.keys.length > 0 || person.joined.some((one) => one.accountId === accountId)
    return theirs ? byMail.replaced(text) : text
  }
  const naming = (...columns: SQLiteColumn[]) => mentioned(columns, person)

  for (const { id, accountId, remark } of tx
    .select()
    .from(limits)
    .where(and(sql`remark <> ''`, naming(limits.remark)))
    .all())
    tx.update(limits)
      .set({ remark: rewrite(accountId, remark) })
      .where(eq(limits.id, id))
      .run()

  const requests = tx.select().from(quotaRequests).where(naming(quotaRequests.reason, quotaRequests.comment)).all()
  for (const { id, accountId, reason, comment } of requests)
    tx.update(quotaRequests)
      .set({ reason: rewrite(accountId, reason), comment: rewrite(accountId, comment) })
      .where(eq(quotaRequests.id, id))
      .run()

  const suspended = and(
    sql`(suspended_reason is not null or support_suspended_reason is not null)`,
    naming(accounts.suspendedReason, accounts.supportSuspendedReason),
  )
  for (const { id, suspendedReason, supportSuspendedReason } of tx.select().from(accounts).where(suspended).all())
    tx.update(accounts)
      .set({
        suspendedReason: suspendedReason && rewrite(id, suspendedReason),
        supportSuspendedReason: supportSuspendedReason && rewrite(id, supportSuspendedReason),
      })
      .where(eq(accounts.id, id))
      .run()

  forgetDetails(tx, naming(ties.contactName, ties.contactEmail, ties.contactAddress, ties.note), rewrite)
  forgetInViews(tx, naming(savedViews.name, savedViews.search), person, rewrite)

  const files = tx
    .select()
    .from(imports)
    .where(naming(imports.fileName, imports.header, imports.leftOut))
    .all()
  for (const { id, accountId, fileName, header, leftOut } of files)
    tx.update(imports)
      .set({
        fileName: rewrite(accountId, fileName),
        header: header && rewrite(accountId, header),
        leftOut: leftOut && rewrite(accountId, leftOut),
      })
      .where(eq(imports.id, id))
      .run()

  const typed = tx
    .select({ change: personalChanges, accountId: records.accountId })
    .from(personalChanges)
    .innerJoin(records, eq(records.id, personalChanges.recordId))
    .where(and(inArray(personalChanges.field, [...typedFields]), naming(personalChanges.before, personalChanges.after)))
    .all()
  for (const { change, accountId } of typed)
    tx.update(personalChanges)
      .set({ before: rewrite(accountId, change.before), after: rewrite(accountId, change.after) })
      .where(and(eq(personalChanges.recordId, change.recordId), eq(personalChanges.field, change.field)))
      .run()
}

/** The names and e-mails that records told of, and attempts on the log-in. */
export function forgetChanges(tx: Db, person: Known): void {
  const where = and(eq(personalChanges.userId, person.id), inArray(personalChanges.field, ['name', 'email']))
  tx.delete(personalChanges).where(where).run()
  for (const account of person.emails.flatMap((email) => [logInCounter(email), resetCounter(email)]))
    forgive(tx, { account, address: undefined })
}

/** The spellings in which what identifies somebody may be left in the files of the database. */
export function spellingsOf({ names, emails }: Known): string[] {
  // A single word is in too many other places.
  const full = names.filter((name) => /\s/.test(name))
  return [
    ...new Set(
      [...full, ...emails, ...emails.map(emailKey)].flatMap((text) => [
        text,
        ...searchText(text).split('\t'),
        sortKey(text),
      ]),
    ),
  ]
}
