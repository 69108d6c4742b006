import { and, eq, inArray, isNotNull, lt, ne, or, type SQL, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { fold } from '../../../../db/fold.ts'
import type { AccountId, UserId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import {
  importRows,
  imports,
  invitations,
  invitationTokens,
  letterPeople,
  letters,
  personalChanges,
  records,
  users,
} from '../../../../db/schema.ts'
import { findMatches, holds, isOneOf, searchWords } from '../../../../db/search.ts'
import { openBody } from '../../../../mail/outbox.ts'
import { wordsIn } from '../../../../mail/plain.ts'
import type { RecordKind } from '../../../../records/kinds.ts'
import type { Secrets } from '../../../../secrets.ts'
import { emailKey } from '../../../../web/fields.ts'
import { type Mentioned, mentionsOf } from '../../mentions.ts'

/** Somebody as the rows know them. */
export type Known = Mentioned & {
  id: UserId
  /**
   * Their confirmed addresses, current and former, that nobody else has now. E-mails to other addresses belong to the
   * owner of that mailbox.
   */
  keys: string[]
  /** The accounts that they were in, acted in or were invited to: where a name is theirs. */
  accountIds: AccountId[]
  /**
   * Addresses with which they joined an account by a link, proved or not, that nobody else has now: each in that account, and
   * in the one that had invited them from outside.
   */
  joined: { key: string; accountId: AccountId }[]
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

function accountsOf(db: Db, userId: UserId, keys: string[]): AccountId[] {
  const rows = db.all<{ id: AccountId }>(sql`
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
  const where = ids ? isOneOf(letters.id, ids) : sql`instr(${letters.search}, ${fold(local)}) > 0`
  const rows = db.select({ id: letters.id, email: letters.email }).from(letters).where(where).all()
  return idsOf(rows.filter(({ email }) => emailKey(email) === key))
}

/**
 * E-mails to others that name somebody: as they were posted with, by an invitation of theirs, and, in the accounts that
 * they were in, by what is still there of the text.
 */
export function lettersNaming(db: Db, secrets: Secrets, person: Known): number[] {
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
  const named = or(...person.names.map((name) => holds(letters.search, searchWords(name))))
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
    return wordsIn(openBody(secrets, letter)?.html ?? '')
  } catch {
    return letter.email
  }
}

const idsOf = (rows: { id: number }[]) => rows.map(({ id }) => id)
const sorted = (ids: number[]) => [...new Set(ids)].sort((one, other) => one - other)

/** Whether one of these columns may name somebody: letters of ASCII in any case, as SQLite compares them. */
export function mentioned(columns: SQLiteColumn[], { names, emails }: Mentioned): SQL | undefined {
  const texts = [...names, ...emails].map((text) => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()))
  const holdsAll = (column: SQLiteColumn, words: string[]) =>
    and(...words.map((word) => sql`instr(lower(${column}), ${word}) > 0`))
  return or(...columns.flatMap((column) => texts.map((text) => holdsAll(column, text.split(/\s+/)))))
}

/** What replaces the name of somebody who was deleted. */
export const deletedName = 'Deleted user'
