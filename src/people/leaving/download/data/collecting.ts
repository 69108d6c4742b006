import { and, asc, desc, eq, gt, inArray, isNull, ne, or, type SQL } from 'drizzle-orm'
import type { UserId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import {
  accounts,
  apiTokens,
  emailChanges,
  letters,
  passwordResets,
  personalChanges,
  records,
  sessions,
  users,
} from '../../../../db/schema.ts'
import { isOneOf } from '../../../../db/search.ts'
import { typedFields } from '../../../../records/record.ts'
import { emailKey } from '../../../../web/fields.ts'
import { listPasskeys } from '../../../passkeys/data.ts'
import { listIdentities } from '../../../sso/data.ts'
import { type Known, lettersTo, recognise } from '../../forget/data/recognising.ts'
import { ofImports, ofInvitations, ofMemberships, ofQuotas } from './accounts.ts'
import { ofChoices } from './choices.ts'
import { inOrder, inPieces, pageSize, pages, withIds } from './pages.ts'
import type { Held, Section } from './section.ts'

/**
 * Everything that the panel keeps about a user; undefined for one that does not exist. Never a secret, nor anything of
 * somebody else: who was invited by the user is left out. A change of e-mail that is not done yet is left out as well,
 * with its e-mail: both are there only where nobody else logs in with the wished address, which is not told.
 */
export function collectPersonalData(db: Db, userId: UserId): Section[] | undefined {
  const user = db.select().from(users).where(eq(users.id, userId)).get()
  if (!user) return undefined
  const person = recognise(db, user)
  const addresses = new Set([...person.emails.map(emailKey), ...person.keys])
  const {
    name,
    email,
    createdAt,
    emailProvedAt,
    lastSeenAt,
    operator,
    totpSecret,
    theme,
    timeZone,
    zoneByBrowser,
    numbers,
  } = user
  return [
    {
      name: 'user',
      row: {
        ...{ name, email, createdAt, emailProvedAt, lastSeenAt, support: operator, twoFactor: totpSecret !== null },
        ...{ theme, timeZone, timeZoneByBrowser: zoneByBrowser, numbers },
      },
    },
    ...ofMemberships(db, userId),
    ...ofInvitations(db, userId, person),
    ...ofQuotas(db, userId),
    ...ofMail(db, person, addresses),
    ...ofImports(db, userId, person),
    ...ofLogIns(db, userId, email),
    { name: 'changesOfMyName', rows: () => changesOf(db, userId, ['name', 'email']) },
    { name: 'whatITyped', rows: () => changesOf(db, userId, typedFields) },
    { name: 'history', rows: () => historyOf(db, userId) },
    ...ofChoices(db, userId),
  ]
}

function ofMail(db: Db, person: Known, addresses: Set<string>): Section[] {
  return [
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
  ]
}

function ofLogIns(db: Db, userId: UserId, email: string): Section[] {
  return [
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
            newBrowser: sessions.newBrowser,
            beganAt: sessions.createdAt,
            lastUsedAt: sessions.lastSeenAt,
          })
          .from(sessions)
          .where(eq(sessions.userId, userId))
          .orderBy(desc(sessions.lastSeenAt))
          .all(),
    },
    {
      name: 'passkeys',
      rows: () =>
        listPasskeys(db, userId).map(({ name, host, deviceType, backedUp, createdAt, lastUsedAt }) => ({
          ...{ name, host, deviceType, backedUp, createdAt, lastUsedAt },
        })),
    },
    {
      name: 'identities',
      rows: () =>
        listIdentities(db, userId).map(({ issuer, subject, createdAt, lastUsedAt }) => ({
          ...{ issuer, subject, createdAt, lastUsedAt },
        })),
    },
    {
      name: 'apiTokens',
      rows: () =>
        db
          .select({
            name: apiTokens.name,
            scopes: apiTokens.scopes,
            networks: apiTokens.networks,
            createdAt: apiTokens.createdAt,
            expiresAt: apiTokens.expiresAt,
            endedAt: apiTokens.endedAt,
            lastUsedAt: apiTokens.lastUsedAt,
            lastUsedIp: apiTokens.lastUsedIp,
          })
          .from(apiTokens)
          .where(eq(apiTokens.userId, userId))
          .orderBy(desc(apiTokens.id))
          .all(),
    },
  ]
}

function changesOf(db: Db, userId: UserId, fields: readonly (typeof personalChanges.$inferSelect.field)[]) {
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
function historyOf(db: Db, userId: UserId): Iterable<Held> {
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
  // Two indexes, each in order: one query for both would sort all remaining rows for each page.
  const toMe = and(eq(records.userId, userId), or(isNull(records.actorId), ne(records.actorId, userId)))
  return inOrder(read(eq(records.actorId, userId), true), read(toMe, false))
}
