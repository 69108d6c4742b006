import { and, asc, count, eq, gt, inArray, isNull, ne, or, type SQL, sql } from 'drizzle-orm'
import { countWhere } from '../../../db/counting.ts'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { apiTokens, serviceUsers, users } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'

/** So many are named of each kind on the page before an exit. */
export const mostNamed = 20

/** Some of a list, and how many there are. */
export type FirstOf<Row> = { first: Row[]; total: number }

/** The rows that are named, and how many there are: counted only where there may be more. */
export function firstOf<Row>(first: Row[], counted: () => number): FirstOf<Row> {
  return { first, total: first.length < mostNamed ? first.length : counted() }
}

export type ProgramName = { name: string }

/** A token that somebody made for a service user. */
export type KnownToken = ProgramName & { lastFour: string }

/** Service users that the partner’s people made in these customers. */
export const ofPartnersPeople = (accountIds: AccountId[]) =>
  and(inArray(serviceUsers.accountId, accountIds), eq(serviceUsers.fromPartner, true))

export function listPrograms(db: Db, which: SQL | undefined): FirstOf<ProgramName> {
  const where = and(isNull(serviceUsers.removedAt), which)
  const first = db
    .select({ name: users.name })
    .from(serviceUsers)
    .innerJoin(users, eq(users.id, serviceUsers.userId))
    .where(where)
    .orderBy(asc(serviceUsers.sortKey))
    .limit(mostNamed)
    .all()
  return firstOf(first, () => countWhere(db, serviceUsers, where))
}

/** Tokens of an account’s service users that somebody made. */
export function listKnownTokens(db: Db, accountId: AccountId, userId: UserId, which?: 'staying'): FirstOf<KnownToken> {
  const where = and(
    eq(apiTokens.accountId, accountId),
    eq(apiTokens.madeBy, userId),
    ne(apiTokens.userId, userId),
    isNull(apiTokens.endedAt),
    // Those of the partner’s people end with their membership.
    which ? eq(apiTokens.fromPartner, false) : undefined,
  )
  return firstTokens(db, where, sql`${users.name}`)
}

/**
 * The tokens that work of a user: with those that they made for service users, or without, or those that end with their
 * memberships of these accounts.
 */
export function listWorkingTokens(
  db: Db,
  userId: UserId,
  at: number,
  which?: 'made' | { endingWith: AccountId[] },
): FirstOf<KnownToken> {
  const owned = eq(apiTokens.userId, userId)
  const made = eq(apiTokens.madeBy, userId)
  // What ends with a membership, its user made: their own, and as the partner’s for service users.
  const ending = typeof which === 'object' ? isOneOf(sql`+${apiTokens.accountId}`, which.endingWith) : undefined
  const whose = ending
    ? and(made, or(sql`+${apiTokens.userId} = ${userId}`, eq(apiTokens.fromPartner, true)), ending)
    : which
      ? or(owned, made)
      : owned
  const where = and(whose, isNull(apiTokens.endedAt), gt(apiTokens.expiresAt, at))
  return firstTokens(db, where, sql`case when ${owned} then ${apiTokens.name} else ${users.name} end`)
}

/** The first tokens of a condition, by what they are called. */
function firstTokens(db: Db, where: SQL | undefined, name: SQL<string>): FirstOf<KnownToken> {
  const first = db
    .select({ name, lastFour: apiTokens.lastFour })
    .from(apiTokens)
    .innerJoin(users, eq(users.id, apiTokens.userId))
    .where(where)
    .orderBy(asc(apiTokens.id))
    .limit(mostNamed)
    .all()
  return firstOf(first, () => countWhere(db, apiTokens, where))
}

/** How many tokens the partner’s people made for service users that are not theirs. */
export function countForeignTokens(db: Db, accountId: AccountId): number {
  return (
    db
      .select({ n: count() })
      .from(apiTokens)
      .innerJoin(serviceUsers, and(eq(serviceUsers.userId, apiTokens.userId), eq(serviceUsers.fromPartner, false)))
      .where(and(eq(apiTokens.accountId, accountId), eq(apiTokens.fromPartner, true), isNull(apiTokens.endedAt)))
      .get()?.n ?? 0
  )
}
