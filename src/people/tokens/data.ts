import { and, asc, desc, eq, gt, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import { makerIn } from '../../accounts/data/maker.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { accounts, apiTokens, serviceUsers } from '../../db/schema.ts'
import type { TokenScope } from '../../policy.ts'
import { type Actor, byItself, type Change, type Person, record } from '../../records/record.ts'
import { hashToken } from '../../secrets.ts'
import { forgetReplaysOfAccount } from './replays/data.ts'
import { newApiToken } from './token.ts'

export type ApiToken = typeof apiTokens.$inferSelect

/** A user has so many at most that work. */
export const mostTokens = 50
/** The days that a token can be made for. */
export const lifetimes = [30, 90, 365] as const
/** So many are listed: those that work, and the expired ones until they are ended. */
const listed = 200

const day = 24 * 3_600_000
/** The successor of a token works at once; the earlier one may work for so long after it. */
const overlap = day
/** So long before it expires, its user is told: once each. */
const reminders = [14 * day, 2 * day]

export type TokenChoice = {
  name: string
  scopes: readonly TokenScope[]
  /** IP addresses and ranges; none for any address. */
  networks: readonly string[]
  /** Days until it expires. */
  days: number
  /** The service user of the account that it is for; else for who makes it. */
  serviceUser?: UserId
}

/** A token by its number, and whose it must be. */
export type TokenOf = { userId: UserId; tokenId: number }

const live = isNull(apiTokens.endedAt)

/**
 * Makes a token for a user in an account, or for one of Support in none. Returns it in clear: it is kept as a hash only.
 * 'too-many' if the user has as many as a user may have.
 */
export function createApiToken(
  db: Db,
  by: Person,
  accountId: AccountId | null,
  { name, scopes, networks, days, serviceUser }: TokenChoice,
): { token: string } | 'too-many' {
  return write(db, by, (tx) => {
    const userId = serviceUser ?? by.userId
    if (countTokens(tx, userId, by.at) >= mostTokens) return 'too-many'
    const range = { scopes: scopes.join(' '), networks: networks.join(' ') }
    const token = insertToken(tx, by, { name, userId, accountId, ...range, expiresAt: by.at + days * day })
    record(tx, by, {
      kind: 'token.created',
      accountId,
      userId,
      change: { token: [null, ending(token)], scopes: [null, range.scopes] },
    })
    return { token }
  })
}

/**
 * Makes the successor of a token, with the same name, scopes and ranges, and as long a life. The earlier one works for
 * 24 hours more, or ends now. Undefined if the user has no such token.
 */
export function rotateApiToken(
  db: Db,
  by: Person,
  { userId, tokenId }: TokenOf,
  endsNow: boolean,
): { token: string; name: string } | 'too-many' | undefined {
  return write(db, by, (tx) => {
    const earlier = findToken(tx, { userId, tokenId })
    if (!earlier || earlier.expiresAt <= by.at) return undefined
    if (!endsNow && countTokens(tx, userId, by.at) >= mostTokens) return 'too-many'
    const { name, accountId, scopes, networks, createdAt, expiresAt } = earlier
    // One that was replaced before has lost the rest of its life, and not its length.
    const days = lifetimes.find((one) => one * day >= expiresAt - createdAt) ?? 365
    const row = { name, userId, accountId, scopes, networks, firstId: earlier.firstId ?? tokenId }
    const token = insertToken(tx, by, { ...row, expiresAt: by.at + days * day })
    tx.update(apiTokens)
      .set({ remindAt: null, ...(endsNow ? { endedAt: by.at } : { expiresAt: Math.min(expiresAt, by.at + overlap) }) })
      .where(eq(apiTokens.id, tokenId))
      .run()
    record(tx, by, {
      kind: 'token.rotated',
      accountId,
      userId,
      change: { token: [`…${earlier.lastFour}`, ending(token)] },
    })
    return { token, name }
  })
}

/** What the history calls a token by: its name was typed, and may say who somebody is. */
const ending = (token: string) => `…${token.slice(-4)}`

type NewRow = Omit<typeof apiTokens.$inferInsert, 'hash' | 'lastFour' | 'createdAt'> & { accountId: AccountId | null }

function insertToken(tx: Db, by: Person, row: NewRow): string {
  const { at } = by
  const service = tx
    .select({ fromPartner: serviceUsers.fromPartner })
    .from(serviceUsers)
    .where(eq(serviceUsers.userId, row.userId))
    .get()
  const token = newApiToken(service ? 'service user' : 'person')
  const { madeBy, fromPartner } =
    row.accountId === null ? { madeBy: by.userId, fromPartner: false } : makerIn(tx, by, row.accountId)
  tx.insert(apiTokens)
    .values({
      ...row,
      madeBy,
      fromPartner: fromPartner || service?.fromPartner === true,
      hash: hashToken(token),
      lastFour: token.slice(-4),
      createdAt: at,
      remindAt: nextReminder(row.expiresAt, at),
    })
    .run()
  return token
}

/** Ends a token: the next request with it is refused. Undefined if the user has no such token. */
export function endApiToken(db: Db, by: Person, which: TokenOf): ApiToken | undefined {
  return write(db, by, (tx) => {
    const token = findToken(tx, which)
    if (token) endTokens(tx, by, eq(apiTokens.id, which.tokenId))
    return token
  })
}

/** Ends a user’s tokens for an account: with their membership of it. */
export function endTokensOf(tx: Db, actor: Actor, accountId: AccountId, userId: UserId): void {
  endTokens(tx, actor, and(eq(apiTokens.accountId, accountId), eq(apiTokens.userId, userId)))
}

/** Ends a user’s tokens of Support, which depend on no membership. */
export function endTokensOfSupport(tx: Db, actor: Actor, userId: UserId): void {
  endTokens(tx, actor, and(isNull(apiTokens.accountId), eq(apiTokens.userId, userId)))
}

/** Ends the tokens that the partner’s people have made in a customer, or one of them. */
export function endTokensFromPartner(tx: Db, actor: Actor, accountId: AccountId, maker?: UserId): void {
  const theirs = maker === undefined ? undefined : eq(apiTokens.madeBy, maker)
  endTokens(tx, actor, and(eq(apiTokens.accountId, accountId), eq(apiTokens.fromPartner, true), theirs))
}

function endTokens(tx: Db, actor: Actor, which: SQL | undefined): void {
  const ended = tx
    .update(apiTokens)
    .set({ endedAt: actor.at, remindAt: null })
    .where(and(live, which))
    .returning({ lastFour: apiTokens.lastFour, accountId: apiTokens.accountId, userId: apiTokens.userId })
    .all()
  for (const { lastFour, accountId, userId } of ended)
    record(tx, actor, { kind: 'token.ended', accountId, userId, change: { token: [`…${lastFour}`, null] } })
}

function nextReminder(expiresAt: number, at: number): number | null {
  return reminders.map((before) => expiresAt - before).find((remindAt) => remindAt > at) ?? null
}

const slice = 50

/** Records that tokens expire soon, some at a time, so that their users are told. False when there are no more. */
export function noteExpiring(db: Db, at: number): boolean {
  return write(db, byItself(at), (tx) => {
    const rows = tx
      .select({ token: apiTokens, deletedAt: accounts.deletedAt })
      .from(apiTokens)
      .leftJoin(accounts, eq(accounts.id, apiTokens.accountId))
      .where(and(sql`${apiTokens.remindAt} is not null`, lte(apiTokens.remindAt, at)))
      .orderBy(asc(apiTokens.remindAt))
      .limit(slice)
      .all()
    for (const { token, deletedAt } of rows) {
      const { id, accountId, userId, expiresAt, lastFour } = token
      const remindAt = nextReminder(expiresAt, at)
      tx.update(apiTokens).set({ remindAt }).where(eq(apiTokens.id, id)).run()
      if (expiresAt <= at || deletedAt !== null) continue
      const change = { token: [`…${lastFour}`, null], days: [null, daysUntil(expiresAt, at)] } satisfies Change
      record(tx, byItself(at), { kind: 'token.expiring', accountId, userId, change })
    }
    return rows.length === slice
  })
}

/** Whole days, as people say them: the last one is one. */
const daysUntil = (expiresAt: number, at: number) => Math.ceil((expiresAt - at) / day)

/** In how many days a token expires that its user is told of; undefined if there is more time, or none. */
export function expiresInDays({ expiresAt }: Pick<ApiToken, 'expiresAt'>, at: number): number | undefined {
  const left = expiresAt - at
  return left > 0 && left <= Math.max(...reminders) ? daysUntil(expiresAt, at) : undefined
}

/** A user’s tokens that have not been ended, those that work longest first. */
export function listApiTokens(db: Db, userId: UserId) {
  return db
    .select({ token: apiTokens, account: { name: accounts.name, identifier: accounts.identifier } })
    .from(apiTokens)
    .leftJoin(accounts, eq(accounts.id, apiTokens.accountId))
    .where(and(eq(apiTokens.userId, userId), live))
    .orderBy(desc(apiTokens.expiresAt))
    .limit(listed)
    .all()
}

function countTokens(tx: Db, userId: UserId, at: number): number {
  return (
    tx
      .select({ n: sql<number>`count(*)` })
      .from(apiTokens)
      .where(and(eq(apiTokens.userId, userId), live, gt(apiTokens.expiresAt, at)))
      .get()?.n ?? 0
  )
}

/** One of the user’s tokens that has not been ended. */
export function findToken(db: Db, { userId, tokenId }: TokenOf): ApiToken | undefined {
  return db
    .select()
    .from(apiTokens)
    .where(and(eq(apiTokens.id, tokenId), eq(apiTokens.userId, userId), live))
    .get()
}

/** Ends all tokens that a user whose login was recovered has, or has made for service users: somebody else may have made them. */
export function endAllTokens(tx: Db, actor: Actor, userId: UserId): void {
  endTokens(tx, actor, or(eq(apiTokens.userId, userId), eq(apiTokens.madeBy, userId)))
}

/** Forgets what somebody typed and where their tokens were used from: when the user is deleted. They have ended before. */
export function forgetTokens(tx: Db, userId: UserId): void {
  tx.update(apiTokens).set({ name: '', networks: '', lastUsedIp: null }).where(eq(apiTokens.userId, userId)).run()
}

/** Deletes all tokens of an account that is purged. */
export function deleteTokensFor(tx: Db, accountId: AccountId): void {
  forgetReplaysOfAccount(tx, accountId)
  tx.delete(apiTokens).where(eq(apiTokens.accountId, accountId)).run()
}
