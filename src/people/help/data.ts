import { and, eq, isNull, ne, or } from 'drizzle-orm'
import { apart } from '../../db/apart.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { accounts, memberships, sessions, users } from '../../db/schema.ts'
import { allowReset } from '../../mail/allowance.ts'
import type { MailContext } from '../../mail/outbox.ts'
import { type Actor, type Change, record } from '../../records/record.ts'
import { emailKey } from '../../web/fields.ts'
import { findActiveUser, type User } from '../data/users.ts'
import { dropPasskeys } from '../passkeys/data.ts'
import { writeResetLink } from '../password/data.ts'
import { dropIdentities } from '../sso/data.ts'
import { endAllTokens } from '../tokens/data.ts'
import { dropTwoFactor } from '../two-factor/data.ts'

// Others help somebody who cannot log in: a partner’s admin the users of its customers, and Support everyone. Nobody
// who helps learns a password or works in somebody’s name.

/** Whose user is helped: the account that a partner helps in; null for Support. */
export type HelpedIn = { accountId: AccountId | null; tell: (tx: Db) => void }

/**
 * Sends a link to choose a new password to the user’s own mailbox. False where the user cannot log in at all. Throws a
 * TooMany where one was just sent.
 */
export function sendPasswordLink(
  db: Db,
  actor: Actor,
  { userId, help: { accountId, tell } }: { userId: UserId; help: HelpedIn },
  mail: MailContext,
): boolean {
  return write(db, actor, (tx) => {
    const user = findActiveUser(tx, userId)
    if (!user) return false
    allowReset(tx, actor.at, emailKey(user.email), undefined)
    const helper = { userId: actor.userId, words: helperOf(tx, actor, mail) }
    writeResetLink(tx, user, { at: actor.at, helper }, mail)
    const ofAccount = accountId === null ? {} : { accountId }
    record(tx, actor, { kind: 'user.password-link-sent', userId, ...ofAccount })
    tell(tx)
    return true
  })
}

/** “Petra of Cloudhaus”, or Support. */
function helperOf(tx: Db, { userId, accountId, bySupport }: Actor, { panelName }: MailContext): string {
  if (bySupport || userId === null || accountId === null) return `${panelName} Support`
  const [person] = tx.select({ name: users.name }).from(users).where(eq(users.id, userId)).all()
  const [account] = tx.select({ name: accounts.name }).from(accounts).where(eq(accounts.id, accountId)).all()
  return apart`${person?.name} of ${account?.name}`
}

/** Ends a user’s two-factor log-in, passkeys, single sign-on and sessions. False where they have none of the first three. */
export function resetTwoFactor(db: Db, actor: Actor, userId: UserId, { accountId, tell }: HelpedIn): boolean {
  return write(db, actor, (tx) => {
    const passkeys = dropPasskeys(tx, userId)
    const identities = dropIdentities(tx, userId)
    if (!dropTwoFactor(tx, userId) && passkeys === 0 && identities === 0) return false
    tx.delete(sessions).where(eq(sessions.userId, userId)).run()
    endAllTokens(tx, actor, userId)
    const ofAccount = accountId === null ? {} : { accountId }
    const change: Change = {
      ...(passkeys > 0 ? { passkeys: [passkeys, 0] } : {}),
      ...(identities > 0 ? { 'single sign-on': ['on', 'off'] } : {}),
    }
    record(tx, actor, { kind: 'user.two-factor-reset', userId, ...ofAccount, change })
    tell(tx)
    return true
  })
}

/**
 * Whether a user works in a partner’s customers alone. Two-factor login guards all of a user’s accounts, so for all
 * others only Support takes it away: for users of other accounts, the partner’s own people, and Support itself.
 */
export function isOnlyInCustomers(db: Db, user: Pick<User, 'id' | 'operator'>, partnerId: AccountId): boolean {
  if (user.operator) return false
  const elsewhere = db
    .select({ id: accounts.id })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(and(eq(memberships.userId, user.id), or(isNull(accounts.partnerId), ne(accounts.partnerId, partnerId))))
    .limit(1)
    .get()
  return elsewhere === undefined
}
