import { and, eq, inArray, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { searchText, sortKey } from '../../../../db/fold.ts'
import type { AccountId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import {
  accounts,
  importRows,
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
import { type Mentioned, mentionsOf } from '../../mentions.ts'
import { forgetDetails, forgetInViews } from './notes.ts'
import { importRowsAbout, invitationsTo, type Known, lettersNaming, lettersTo } from './recognising.ts'

// Finds the data about a person and forgets it, as erasure.ts lists it.

const deleted = 'Deleted user'

/** Open invitations to the person end, and no invitation remembers who it was for. */
export function forgetInvitations(tx: Db, actor: Actor, person: Known): void {
  const to = isOneOf(invitations.id, invitationsTo(tx, person))
  for (const { id, accountId, state } of tx.select().from(invitations).where(to).all()) {
    const email = `deleted-${id}@deleted.invalid`
    tx.update(invitations)
      .set({
        email,
        emailKey: email,
        name: deleted,
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
    .set({ email: 'deleted@deleted.invalid', name: deleted, subject: 'An e-mail', search: '', body: null, error: null })
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

/** Rows of imports about somebody lose what they hold; what was not carried out yet will not be. */
export function forgetImports(tx: Db, person: Known): void {
  const about = tx
    .select({ row: importRows })
    .from(importRows)
    .innerJoin(imports, eq(imports.id, importRows.importId))
    .where(importRowsAbout(person))
    .all()
  // Rows of 0.2.0 do not say whose e-mail they hold, and in a wrong row it may be none.
  const byMail = mentionsOf({ names: [], emails: person.emails })
  const byName = mentionsOf({ names: person.names, emails: [] })
  const columns = [importRows.input, importRows.subject, importRows.words, importRows.cells]
  const unclear = tx
    .select({ row: importRows, accountId: imports.accountId })
    .from(importRows)
    .innerJoin(imports, eq(imports.id, importRows.importId))
    .where(and(or(isNull(importRows.emailKey), eq(importRows.state, 'wrong')), mentioned(columns, person)))
    .all()
    .filter(({ row, accountId }) => {
      const text = [row.input, row.subject, row.words, row.cells].join('\n')
      return byMail.in(text) || (row.state === 'wrong' && person.accountIds.includes(accountId) && byName.in(text))
    })
  for (const { importId, line, state } of [...about, ...unclear].map(({ row }) => row))
    tx.update(importRows)
      .set({
        input: '',
        subject: deleted,
        emailKey: null,
        cells: null,
        search: searchText(deleted),
        ...(state === 'ready' ? { state: 'failed' as const } : {}),
        words: state === 'done' ? 'done' : 'The user was deleted.',
      })
      .where(and(eq(importRows.importId, importId), eq(importRows.line, line)))
      .run()
  // Columns that the panel does not know may name somebody in rows about others.
  const beside = tx
    .select({ row: importRows, accountId: imports.accountId })
    .from(importRows)
    .innerJoin(imports, eq(imports.id, importRows.importId))
    .where(mentioned([importRows.cells], person))
    .all()
    .filter(({ row: { cells }, accountId }) => {
      const text = cells ?? ''
      return byMail.in(text) || (person.accountIds.includes(accountId) && byName.in(text))
    })
  for (const { importId, line } of beside.map(({ row }) => row))
    tx.update(importRows)
      .set({ cells: null })
      .where(and(eq(importRows.importId, importId), eq(importRows.line, line)))
      .run()
  tx.update(imports).set({ ip: null }).where(eq(imports.createdBy, person.id)).run()
}

/** Whether one of these columns may name somebody: letters of ASCII in any case, as SQLite compares them. */
function mentioned(columns: SQLiteColumn[], { names, emails }: Mentioned): SQL | undefined {
  const texts = [...names, ...emails].map((text) => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()))
  const holdsAll = (column: SQLiteColumn, words: string[]) =>
    and(...words.map((word) => sql`instr(lower(${column}), ${word}) > 0`))
  return or(...columns.flatMap((column) => texts.map((text) => holdsAll(column, text.split(/\s+/)))))
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

  for (const { id, accountId, remark } of tx.select().from(limits).where(naming(limits.remark)).all())
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

  const suspended = naming(accounts.suspendedReason, accounts.supportSuspendedReason)
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
