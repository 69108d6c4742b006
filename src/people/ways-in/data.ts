import { and, eq, exists, ne, or } from 'drizzle-orm'
import type { UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { identities, passkeys, users } from '../../db/schema.ts'

/** The provider of single sign-on, where the panel has one. */
export type SignOn = { issuer: string; only: boolean } | undefined

/**
 * Whether something logs a user in by itself: a password, a passkey that recognises them, or single sign-on. `without`: what is about
 * to go.
 */
export function hasWayIn(
  tx: Db,
  userId: UserId,
  sso: SignOn,
  without: { passkey?: number; identity?: number },
): boolean {
  const passkey = tx
    .select({ id: passkeys.id })
    .from(passkeys)
    .where(and(eq(passkeys.userId, userId), ne(passkeys.id, without.passkey ?? 0), eq(passkeys.verifies, true)))
  const identity = tx
    .select({ id: identities.id })
    .from(identities)
    .where(
      and(
        eq(identities.userId, userId),
        eq(identities.issuer, sso?.issuer ?? ''),
        ne(identities.id, without.identity ?? 0),
      ),
    )
  const here = or(ne(users.passwordHash, ''), exists(passkey))
  const wayIn = or(sso?.only ? and(users.operator, here) : here, exists(identity))
  return (
    tx
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.id, userId), wayIn))
      .get() !== undefined
  )
}
