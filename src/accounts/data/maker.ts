import { and, eq } from 'drizzle-orm'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { apiTokens, memberships } from '../../db/schema.ts'
import type { Actor } from '../../records/record.ts'

/**
 * Who makes a service user or a token in an account, and whether for the partner: behind a program it is the person who
 * made its token.
 */
export function makerIn(
  tx: Db,
  { userId, tokenId }: Actor,
  accountId: AccountId,
): { madeBy: UserId | null; fromPartner: boolean } {
  if (userId === null) return { madeBy: null, fromPartner: false }
  const member = and(eq(memberships.accountId, accountId), eq(memberships.userId, userId))
  const seat = tx.select({ fromPartner: memberships.fromPartner }).from(memberships).where(member).get()
  const token = tokenId === undefined ? undefined : tx.select().from(apiTokens).where(eq(apiTokens.id, tokenId)).get()
  return { madeBy: token?.madeBy ?? userId, fromPartner: seat?.fromPartner === true || token?.fromPartner === true }
}
