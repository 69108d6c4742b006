import { and, eq, inArray, isNotNull, isNull, lt, ne, or, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { fold, searchText, sortKey } from '../../../../db/fold.ts'
import type { Db } from '../../../../db/open.ts'
import {
  accounts,
  importRows,
  imports,
  invitations,
  invitationTokens,
  letterPeople,
  letters,
  limits,
  personalChanges,
  quotaRequests,
  records,
  users,
} from '../../../../db/schema.ts'
import { findMatches, isOneOf } from '../../../../db/search.ts'
import { openBody, withdrawLetters } from '../../../../mail/outbox.ts'
import { notSent } from '../../../../mail/reasons.ts'
import type { RecordKind } from '../../../../records/kinds.ts'
import { type Actor, record, typedFields } from '../../../../records/record.ts'
import type { Secrets } from '../../../../secrets.ts'
import { emailKey } from '../../../../web/fields.ts'
import { logInCounter, resetCounter } from '../../../log-in/throttle/attempt.ts'
import { forgive } from '../../../log-in/throttle/data.ts'
import { type Mentioned, mentionsOf } from '../../mentions.ts'

// How what is kept about a person is found, and how it is forgotten: as erasure.ts lists it.

const deleted = 'Deleted user'

/** Somebody as the rows know them. */
export type Known = Mentioned & {
  id: number
  /** Their proved addresses, present and former, that nobody else has now. What is sent to others is its mailbox’s owner’s. */
  keys: string[]
  /** The accounts that they were in, acted in or were invited to: where a name is theirs. */
  accountIds: number[]
  /**
   * Addresses with which they joined an account by a link, proved or not, that nobody else has now: each in that account, and
   * in the one that had invited them from outside.
   */
  joined: { key: string; accountId: number }[]
}

export function recognise(db: Db, user: typeof users.$inferSelect): Known {
  const changes = db
    .select()
    .from(personalChanges)
    .where(eq(personalChanges.userId, user.id))
    .orderBy(personalChanges.recordId)
    .all()
  const were = (field: 'name' | 'email') => changes.filter((one) => one.field === field)
  const former = were('email')
  // Every address but the first was proved by the link that changed it.
  const proved = [
    ...former.filter((change, n) => n > 0 || isFirstProved(db, user, change.recordId)).map(({ before }) => before),
    ...(user.emailProvedAt === null ? [] : [user.email]),
  ]
  const emails = [...new Set([user.email, ...former.map(({ before }) => before)])]
  const others = db
    .select({ key: users.emailKey })
    .from(users)
    .where(and(inArray(users.emailKey, emails.map(emailKey)), ne(users.id, user.id)))
    .all()
    .map(({ key }) => key)
  const keys = [...new Set(proved.map(emailKey))].filter((key) => !others.includes(key))
  const joined = db
    .select({ key: invitations.emailKey, accountId: invitations.accountId, from: invitations.invitedFrom })
    .from(invitations)
    .where(eq(invitations.acceptedBy, user.id))
    .all()
    .filter(({ key }) => !others.includes(key))
  return {
    id: user.id,
    joined: joined.flatMap(({ key, accountId, from }) =>
      [accountId, from].flatMap((id) => (id === null ? [] : [{ key, accountId: id }])),
    ),
    names: [...new Set([user.name, ...were('name').map(({ before }) => before)])],
    emails: emails.filter((email) => !others.includes(emailKey(email))),
    keys,
    accountIds: accountsOf(db, user.id, keys),
  }
}

/** Whether a user’s first address was proved before this record: who came by a copied link had not proved it by that. */
function isFirstProved(db: Db, { id, createdAt }: typeof users.$inferSelect, recordId: number): boolean {
  const copied = db
    .select({ id: invitations.id })
    .from(invitations)
    .innerJoin(invitationTokens, eq(invitationTokens.invitationId, invitations.id))
    .where(and(eq(invitations.acceptedBy, id), eq(invitations.endedAt, createdAt), eq(invitationTokens.kind, 'copied')))
    .get()
  if (!copied) return true
  const proofs = ['user.address-proved', 'user.address-claimed'] satisfies RecordKind[]
  const proof = and(eq(records.userId, id), inArray(records.kind, proofs), lt(records.id, recordId))
  return db.select({ id: records.id }).from(records).where(proof).get() !== undefined
}

function accountsOf(db: Db, userId: number, keys: string[]): number[] {
  const rows = db.all<{ id: number }>(sql`
    select account_id as id from records where actor_id = ${userId} and account_id is not null
    union select account_id from records where user_id = ${userId} and account_id is not null
    union select account_id from memberships where user_id = ${userId}
    union select account_id from invitations where accepted_by = ${userId}
    union select account_id from invitations where email_key in (select value from json_each(${JSON.stringify(keys)}))`)
  return rows.map(({ id }) => id)
}

/**
 * Rows of imports, with their imports, about somebody: by a proved address anywhere, by another one where they
 * joined with it, since elsewhere it may be its mailbox’s owner’s.
 */
export function importRowsAbout({ keys, joined }: Known): SQL | undefined {
  const pairs = JSON.stringify(joined.map(({ key, accountId }) => [key, accountId]))
  return or(
    inArray(importRows.emailKey, keys),
    sql`(${importRows.emailKey}, ${imports.accountId}) in (select value ->> 0, value ->> 1 from json_each(${pairs}))`,
  )
}

/** Invitations to somebody, by their ids. */
export function invitationsTo(db: Db, { id, keys }: Known): number[] {
  const to = or(eq(invitations.acceptedBy, id), inArray(invitations.emailKey, keys))
  return idsOf(db.select({ id: invitations.id }).from(invitations).where(to).orderBy(invitations.id).all())
}

/** E-mails to somebody, by their ids. */
export function lettersTo(db: Db, person: Known): number[] {
  const linked = db
    .select({ id: letters.id })
    .from(letters)
    .where(or(eq(letters.userId, person.id), isOneOf(letters.invitationId, invitationsTo(db, person))))
    .all()
  return sorted([...idsOf(linked), ...person.keys.flatMap((key) => lettersToAddress(db, key))])
}

/** Letters keep an address as it was typed. What comes before the @ is folded in what they are searched in, too. */
function lettersToAddress(db: Db, key: string): number[] {
  const local = key.slice(0, key.lastIndexOf('@') + 1)
  const ids = findMatches(db, 'letters', letters.search, local)
  const found = ids ? isOneOf(letters.id, ids) : sql`instr(${letters.search}, ${fold(local)}) > 0`
  const rows = db.select({ id: letters.id, email: letters.email }).from(letters).where(found).all()
  return idsOf(rows.filter(({ email }) => emailKey(email) === key))
}

/**
 * E-mails to others that name somebody: as they were posted with, by an invitation of theirs, and, in the accounts that
 * they were in, by what is still there of the text.
 */
function lettersNaming(db: Db, secrets: Secrets, person: Known): number[] {
  const sent = db.select({ id: invitations.id }).from(invitations).where(eq(invitations.invitedBy, person.id))
  const made = db
    .select({ id: invitationTokens.invitationId })
    .from(invitationTokens)
    .where(eq(invitationTokens.madeBy, person.id))
  const linked = db
    .select({ id: letters.id })
    .from(letters)
    .where(
      or(
        inArray(letters.invitationId, sent),
        inArray(letters.invitationId, made),
        inArray(
          letters.id,
          db.select({ id: letterPeople.letterId }).from(letterPeople).where(eq(letterPeople.userId, person.id)),
        ),
      ),
    )
    .all()
  const mentions = mentionsOf(person)
  const named = or(...person.names.map((name) => sql`instr(${letters.search}, ${fold(name)}) > 0`))
  const legible = db
    .select()
    .from(letters)
    .where(and(isOneOf(letters.accountId, person.accountIds), or(isNotNull(letters.body), named)))
    .all()
    .filter((letter) => mentions.in(letter.subject) || mentions.in(textOf(secrets, letter)))
  return sorted([...idsOf(linked), ...idsOf(legible)])
}

/** An e-mail that cannot be opened may name anybody. */
function textOf(secrets: Secrets, letter: typeof letters.$inferSelect): string {
  try {
    return openBody(secrets, letter)?.text ?? ''
  } catch {
    return letter.email
  }
}

/** Open invitations to somebody end; all of them forget whom they were for. */
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

/** E-mails to somebody lose all that they say; e-mails that name somebody lose subject and text. None of them goes out. */
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
  tx.update(letters)
    .set({
      state: 'withdrawn',
      error: notSent('a user whom it was for, or whom it named, was deleted'),
      doneAt: actor.at,
    })
    .where(and(isOneOf(letters.id, all), inArray(letters.state, ['waiting', 'failed'])))
    .run()
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
  const words = [...names, ...emails].map((word) => word.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()))
  return or(...columns.flatMap((column) => words.map((word) => sql`instr(lower(${column}), ${word}) > 0`)))
}

/**
 * What others typed stays, but no longer names somebody: nowhere by an e-mail of theirs, and not by name in the accounts
 * that they were in. Elsewhere the same name may be another’s, and so may an address that they never proved.
 */
export function forgetMentions(tx: Db, person: Known): void {
  const byMail = mentionsOf({ names: [], emails: person.emails })
  const inOwn = mentionsOf(person)
  const rewrite = (accountId: number | null, text: string) => {
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
  const own = and(eq(personalChanges.userId, person.id), inArray(personalChanges.field, ['name', 'email']))
  tx.delete(personalChanges).where(own).run()
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

const idsOf = (rows: { id: number }[]) => rows.map(({ id }) => id)
const sorted = (ids: number[]) => [...new Set(ids)].sort((one, other) => one - other)
