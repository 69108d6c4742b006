import { and, asc, desc, eq, gt, inArray, isNull, ne, or, type SQL } from 'drizzle-orm'
import type { Db } from '../../../../db/open.ts'
import {
  accounts,
  emailChanges,
  importRows,
  imports,
  invitations,
  keptAccess,
  letters,
  limits,
  memberships,
  partnerRequests,
  passwordResets,
  personalChanges,
  projectAccess,
  projects,
  quotaRequests,
  records,
  sessions,
  users,
} from '../../../../db/schema.ts'
import { isOneOf } from '../../../../db/search.ts'
import { typedFields } from '../../../../records/record.ts'
import { emailKey } from '../../../../web/fields.ts'
import { importRowsAbout, invitationsTo, lettersTo, recognise } from '../../forget/data/recognising.ts'

export type Held = Record<string, string | number | boolean | null>

/** A part of what is held about somebody: one row, or rows that are read as they are asked for. */
export type Section = { name: string; row: Held } | { name: string; rows: () => Iterable<Held> }

/** So many rows are read at once. */
const pageSize = 500

/**
 * Everything that the panel keeps about a user; undefined for one that does not exist. Never a secret, nor anything of
 * somebody else: who was invited by the user is left out. A change of e-mail that is not done yet is left out as well,
 * with its e-mail: both are there only where nobody else logs in with the wished address, which is not told.
 */
export function collectPersonalData(db: Db, userId: number): Section[] | undefined {
  const user = db.select().from(users).where(eq(users.id, userId)).get()
  if (!user) return undefined
  const person = recognise(db, user)
  const addresses = new Set([...person.emails.map(emailKey), ...person.keys])
  const { name, email, createdAt, emailProvedAt, lastSeenAt, operator, totpSecret } = user
  const account = accounts.identifier
  return [
    {
      name: 'user',
      row: { name, email, createdAt, emailProvedAt, lastSeenAt, support: operator, twoFactor: totpSecret !== null },
    },
    {
      name: 'accounts',
      rows: () =>
        db
          .select({ account, name: accounts.name, role: memberships.role, since: memberships.createdAt })
          .from(memberships)
          .innerJoin(accounts, eq(accounts.id, memberships.accountId))
          .where(eq(memberships.userId, userId))
          .orderBy(asc(accounts.id))
          .all(),
    },
    {
      name: 'projects',
      rows: () =>
        db
          .select({
            account,
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
    },
    {
      name: 'deletedProjects',
      rows: () =>
        db
          .select({ account, project: projects.identifier, role: keptAccess.role })
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
    },
    {
      name: 'invitations',
      rows: () =>
        inPieces(invitationsTo(db, person), (ids) =>
          db
            .select({
              account,
              email: invitations.email,
              name: invitations.name,
              role: invitations.role,
              state: invitations.state,
              sentAt: invitations.sentAt,
              endedAt: invitations.endedAt,
            })
            .from(invitations)
            .innerJoin(accounts, eq(accounts.id, invitations.accountId))
            .where(isOneOf(invitations.id, ids))
            .orderBy(asc(invitations.id))
            .all(),
        ),
    },
    {
      name: 'invitationsByMe',
      rows: () =>
        pages((after) =>
          db
            .select({
              id: invitations.id,
              row: { account, role: invitations.role, state: invitations.state, sentAt: invitations.sentAt },
            })
            .from(invitations)
            .innerJoin(accounts, eq(accounts.id, invitations.accountId))
            .where(and(eq(invitations.invitedBy, userId), gt(invitations.id, after)))
            .orderBy(asc(invitations.id))
            .limit(pageSize)
            .all(),
        ),
    },
    {
      name: 'quotaRequests',
      rows: () =>
        db
          .select({
            account,
            project: projects.identifier,
            reason: quotaRequests.reason,
            state: quotaRequests.state,
            comment: quotaRequests.comment,
            sentAt: quotaRequests.createdAt,
            endedAt: quotaRequests.endedAt,
          })
          .from(quotaRequests)
          .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
          .leftJoin(projects, eq(projects.id, quotaRequests.projectId))
          .where(eq(quotaRequests.requestedBy, userId))
          .orderBy(asc(quotaRequests.id))
          .all(),
    },
    {
      name: 'partnerRequests',
      rows: () =>
        db
          .select({ account, state: partnerRequests.state, sentAt: partnerRequests.createdAt })
          .from(partnerRequests)
          .innerJoin(accounts, eq(accounts.id, partnerRequests.accountId))
          .where(eq(partnerRequests.requestedBy, userId))
          .orderBy(asc(partnerRequests.id))
          .all(),
    },
    {
      name: 'limits',
      rows: () =>
        pages((after) =>
          db
            .select({
              id: limits.id,
              row: { account, level: limits.level, amount: limits.amount, remark: limits.remark, setAt: limits.setAt },
            })
            .from(limits)
            .innerJoin(accounts, eq(accounts.id, limits.accountId))
            .where(and(eq(limits.setBy, userId), gt(limits.id, after)))
            .orderBy(asc(limits.id))
            .limit(pageSize)
            .all(),
        ),
    },
    {
      name: 'emails',
      rows: () =>
        inPieces(lettersTo(db, person), (ids) =>
          db
            .select({
              email: letters.email,
              name: letters.name,
              subject: letters.subject,
              state: letters.state,
              error: letters.error,
              writtenAt: letters.createdAt,
              doneAt: letters.doneAt,
              reason: letters.reason,
            })
            .from(letters)
            .where(isOneOf(letters.id, ids))
            .orderBy(asc(letters.id))
            .all()
            .filter(({ reason, email }) => reason !== 'token' || addresses.has(emailKey(email)))
            .map(({ reason, ...row }) => row),
        ),
    },
    {
      name: 'imports',
      rows: () =>
        db
          .select({ account, kind: imports.kind, file: imports.fileName, startedAt: imports.createdAt, ip: imports.ip })
          .from(imports)
          .innerJoin(accounts, eq(accounts.id, imports.accountId))
          .where(eq(imports.createdBy, userId))
          .orderBy(asc(imports.id))
          .all(),
    },
    {
      name: 'importRows',
      rows: () =>
        db
          .select({
            account,
            line: importRows.line,
            subject: importRows.subject,
            input: importRows.input,
            cells: importRows.cells,
            state: importRows.state,
            words: importRows.words,
          })
          .from(importRows)
          .innerJoin(imports, eq(imports.id, importRows.importId))
          .innerJoin(accounts, eq(accounts.id, imports.accountId))
          .where(importRowsAbout(person))
          .orderBy(asc(importRows.importId), asc(importRows.line))
          .all(),
    },
    {
      name: 'emailChanges',
      rows: () =>
        db
          .select({ email: emailChanges.email, expiresAt: emailChanges.expiresAt })
          .from(emailChanges)
          .where(and(eq(emailChanges.userId, userId), eq(emailChanges.email, email)))
          .all(),
    },
    {
      name: 'passwordResets',
      rows: () =>
        db
          .select({ expiresAt: passwordResets.expiresAt, usedAt: passwordResets.usedAt })
          .from(passwordResets)
          .where(eq(passwordResets.userId, userId))
          .all(),
    },
    {
      name: 'sessions',
      rows: () =>
        db
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
    },
    { name: 'changesOfMyName', rows: () => changesOf(db, userId, ['name', 'email']) },
    { name: 'whatITyped', rows: () => changesOf(db, userId, typedFields) },
    { name: 'history', rows: () => historyOf(db, userId) },
  ]
}

function changesOf(db: Db, userId: number, fields: readonly (typeof personalChanges.$inferSelect.field)[]) {
  return pages((after) =>
    db
      .select({
        id: personalChanges.recordId,
        row: { field: personalChanges.field, before: personalChanges.before, after: personalChanges.after },
      })
      .from(personalChanges)
      .where(
        and(
          eq(personalChanges.userId, userId),
          inArray(personalChanges.field, [...fields]),
          gt(personalChanges.recordId, after),
        ),
      )
      .orderBy(asc(personalChanges.recordId))
      .limit(pageSize)
      .all(),
  )
}

/** What somebody did, and what was done to them; from where somebody came only in what they did themselves. */
function historyOf(db: Db, userId: number): Iterable<Held> {
  const read = (which: SQL | undefined, byMe: boolean) =>
    withIds((after) =>
      db
        .select({
          id: records.id,
          row: { at: records.at, what: records.kind, account: accounts.identifier, ip: records.ip },
        })
        .from(records)
        .leftJoin(accounts, eq(accounts.id, records.accountId))
        .where(and(which, gt(records.id, after)))
        .orderBy(asc(records.id))
        .limit(pageSize)
        .all()
        .map(({ id, row }) => ({ id, row: { ...row, byMe, ip: byMe ? row.ip : null } })),
    )
  // Two indexes, each in order: one query for both would sort all that is left for each page.
  const toMe = and(eq(records.userId, userId), or(isNull(records.actorId), ne(records.actorId, userId)))
  return inOrder(read(eq(records.actorId, userId), true), read(toMe, false))
}

type WithId<Row> = { id: number; row: Row }

/** Rows read page by page, each page beginning after the last id of the one before it. */
function* withIds<Row>(read: (after: number) => WithId<Row>[]): Generator<WithId<Row>> {
  for (let after = 0; ; ) {
    const page = read(after)
    yield* page
    const last = page.at(-1)
    if (!last || page.length < pageSize) return
    after = last.id
  }
}

function* pages<Row>(read: (after: number) => WithId<Row>[]): Generator<Row> {
  for (const { row } of withIds(read)) yield row
}

/** Merges two sequences that are in the order of their ids. */
function* inOrder<Row>(one: Iterator<WithId<Row>>, other: Iterator<WithId<Row>>): Generator<Row> {
  let [first, second] = [one.next(), other.next()]
  while (!first.done || !second.done) {
    if (!first.done && (second.done || first.value.id < second.value.id)) {
      yield first.value.row
      first = one.next()
    } else if (!second.done) {
      yield second.value.row
      second = other.next()
    }
  }
}

function* inPieces<Row>(ids: number[], read: (some: number[]) => Row[]): Generator<Row> {
  for (let n = 0; n < ids.length; n += pageSize) yield* read(ids.slice(n, n + pageSize))
}
