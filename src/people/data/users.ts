import { and, eq, isNull, ne, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { endSent } from '../../accounts/endings/data/acts.ts'
import { named } from '../../db/fold.ts'
import type { UserId } from '../../db/ids.ts'
import { type Db, write, writeUnchecked } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import {
  emailChanges,
  invitations,
  passwordResets,
  pendingInvitation,
  recoveryCodes,
  sessions,
  users,
} from '../../db/schema.ts'
import { type Actor, type Change, record } from '../../records/record.ts'
import { emailKey } from '../../web/fields.ts'
import { dropPasskeys } from '../passkeys/data.ts'
import { dropIdentities } from '../sso/data.ts'
import { endAllTokens, endTokensOfSupport } from '../tokens/data.ts'

export type User = typeof users.$inferSelect

const activeUser = prepared((db, { userId }: Placeholders<{ userId: UserId }>) =>
  db
    .select()
    .from(users)
    .where(and(equals(users.id, userId), isNull(users.disabledAt)))
    .prepare(),
)

/** A user who may log in and act: a disabled one is not found. */
export function findActiveUser(db: Db, userId: UserId): User | undefined {
  return activeUser(db).get({ userId })
}

export function findUserByEmail(db: Db, email: string): User | undefined {
  return db
    .select()
    .from(users)
    .where(eq(users.emailKey, emailKey(email)))
    .get()
}

export type NewUser = {
  email: string
  name: string
  passwordHash: string
  operator?: boolean
  /** The link that made the user was mailed to the address, or the installation’s operator vouches for it. */
  emailProved: boolean
}

/** 'taken' when somebody has this e-mail already, in any spelling. */
export function createUser(
  tx: Db,
  actor: Actor,
  { email, name, passwordHash, operator = false, emailProved }: NewUser,
): User | 'taken' {
  const [user] = tx
    .insert(users)
    .values({
      email,
      emailKey: emailKey(email),
      name,
      ...named(name, email),
      passwordHash,
      operator,
      emailProvedAt: emailProved ? actor.at : null,
      createdAt: actor.at,
    })
    .onConflictDoNothing({ target: users.emailKey })
    .returning()
    .all()
  if (!user) return 'taken'
  record(tx, { ...actor, userId: actor.userId ?? user.id }, { kind: 'user.created', userId: user.id })
  return user
}

/** Creates the installation's first operator. Undefined once there is one: the set-up is over. */
export function createFirstOperator(db: Db, actor: Actor, user: NewUser): User | 'taken' | undefined {
  return write(db, actor, (tx) => (hasOperator(tx) ? undefined : createUser(tx, actor, { ...user, operator: true })))
}

export function hasOperator(db: Db): boolean {
  return db.select({ id: users.id }).from(users).where(eq(users.operator, true)).limit(1).get() !== undefined
}

/** Renames a user. 'stale' when it is no longer at the version that the edit was made on, undefined when it is gone. */
export function renameUser(
  db: Db,
  actor: Actor,
  userId: UserId,
  { name, version }: { name: string; version: number },
): 'saved' | 'unchanged' | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const before = tx.select().from(users).where(eq(users.id, userId)).get()
    if (!before) return undefined
    if (before.version !== version) return 'stale'
    if (before.name === name) return 'unchanged'
    tx.update(users)
      .set({ name, ...named(name, before.email), version: sql`${users.version} + 1` })
      .where(eq(users.id, userId))
      .run()
    const personal = { field: 'name', before: before.name, after: name } as const
    record(tx, actor, { kind: 'user.renamed', userId, personal })
    return 'saved'
  })
}

export type Display = Pick<User, 'theme' | 'timeZone' | 'zoneByBrowser' | 'numbers'>

/** What somebody chose of each. */
export const displayChoices = ({ theme, timeZone, zoneByBrowser, numbers }: Display) => ({
  theme,
  timeZone: zoneByBrowser ? 'browser' : timeZone,
  numbers,
})

/** How the panel looks to a user: theme, time zone and numbers. False when it is so already. */
export function setDisplay(db: Db, actor: Actor, userId: UserId, display: Display): boolean {
  return write(db, actor, (tx) => {
    const before = tx.select().from(users).where(eq(users.id, userId)).get()
    if (!before) return false
    const [was, is] = [displayChoices(before), displayChoices(display)]
    const changed = (['theme', 'timeZone', 'numbers'] as const).filter((field) => was[field] !== is[field])
    if (changed.length === 0) return false
    tx.update(users).set(display).where(eq(users.id, userId)).run()
    const change = Object.fromEntries(changed.map((field) => [field, [was[field], is[field]] as [string, string]]))
    record(tx, actor, { kind: 'user.display-changed', userId, change })
    return true
  })
}

/**
 * Sets the password, and ends all sessions of the user, what was asked for in them, and tokens of Support, which somebody else may
 * have made in one. In the caller’s transaction.
 */
export function setPassword(tx: Db, actor: Actor, userId: UserId, passwordHash: string): void {
  tx.update(users).set({ passwordHash }).where(eq(users.id, userId)).run()
  tx.delete(sessions).where(eq(sessions.userId, userId)).run()
  tx.delete(emailChanges).where(eq(emailChanges.userId, userId)).run()
  endTokensOfSupport(tx, actor, userId)
  record(tx, actor, { kind: 'user.password-changed', userId })
}

/**
 * The mailbox’s owner proves an address, and chooses a password. Somebody else may have set the user up, and still be
 * logged in: all that was set or sent before the proof ends, the second factor and passkeys too. For a user whose address is proved
 * it changes the password alone.
 */
export function setPasswordByMail(tx: Db, actor: Actor, user: User, passwordHash: string): void {
  setPassword(tx, actor, user.id, passwordHash)
  endAllTokens(tx, actor, user.id)
  if (user.emailProvedAt !== null) return
  const [passkeys, identities] = [dropPasskeys(tx, user.id), dropIdentities(tx, user.id)]
  const change: Change = {
    ...(user.totpSecret === null ? {} : { 'two-factor log-in': ['on', 'off'] }),
    ...(passkeys === 0 ? {} : { passkeys: [passkeys, 0] }),
    ...(identities === 0 ? {} : { 'single sign-on': ['on', 'off'] }),
  }
  tx.update(users)
    .set({ emailProvedAt: actor.at, totpSecret: null, totpStep: null, passkeyHandle: null })
    .where(eq(users.id, user.id))
    .run()
  tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, user.id)).run()
  tx.delete(passwordResets).where(eq(passwordResets.userId, user.id)).run()
  endSent(tx, actor, user.id)
  record(tx, actor, { kind: 'user.address-claimed', userId: user.id, change })
}

/**
 * Disables a user, or enables one. Disabling ends all sessions and the invitations that the user had sent: the number
 * of those is returned. Undefined when nothing changed; 'self' for whoever asks, 'last-operator' where nobody of Support would be left.
 */
export function setDisabled(
  db: Db,
  actor: Actor,
  userId: UserId,
  disabled: boolean,
): number | 'self' | 'last-operator' | undefined {
  return write(db, actor, (tx) => {
    const user = tx.select().from(users).where(eq(users.id, userId)).get()
    if (!user || (user.disabledAt !== null) === disabled) return undefined
    if (disabled && userId === actor.userId) return 'self'
    if (disabled && user.operator && !hasOtherOperator(tx, userId)) return 'last-operator'
    tx.update(users)
      .set({ disabledAt: disabled ? actor.at : null })
      .where(eq(users.id, userId))
      .run()
    if (disabled) tx.delete(sessions).where(eq(sessions.userId, userId)).run()
    if (disabled) endAllTokens(tx, actor, userId)
    record(tx, actor, { kind: disabled ? 'user.disabled' : 'user.enabled', userId })
    return disabled ? endSent(tx, actor, userId) : 0
  })
}

/** Whether another user of Support can log in. */
export function hasOtherOperator(db: Db, userId: UserId): boolean {
  const other = and(eq(users.operator, true), ne(users.id, userId), isNull(users.disabledAt))
  return db.select({ id: users.id }).from(users).where(other).limit(1).get() !== undefined
}

/**
 * Makes new keys for addresses that an earlier version folded differently: `ı` to `i`, `ß` to `ss`, `Σ` to `ς`. Without
 * them, people with such an address could not log in. Only letters beyond ASCII are affected, so this reads few rows,
 * and it can be repeated. Returns the addresses that now equal another user's: those users keep their earlier key.
 */
export function rekeyEmails(db: Db): string[] {
  const beyondAscii = (email: SQLiteColumn) => sql`${email} glob '*[^' || char(1) || '-~]*'`
  return writeUnchecked(db, (tx) => {
    const taken: string[] = []
    for (const { id, email, emailKey: key } of tx.select().from(users).where(beyondAscii(users.email)).all()) {
      if (key === emailKey(email)) continue
      if (findUserByEmail(tx, email)) taken.push(email)
      else
        tx.update(users)
          .set({ emailKey: emailKey(email) })
          .where(eq(users.id, id))
          .run()
    }
    for (const { id, accountId, email, emailKey: key, state } of tx
      .select()
      .from(invitations)
      .where(beyondAscii(invitations.email))
      .all()) {
      const same = and(
        eq(invitations.accountId, accountId),
        eq(invitations.emailKey, emailKey(email)),
        pendingInvitation,
      )
      if (key === emailKey(email) || (state === 'pending' && tx.select().from(invitations).where(same).get())) continue
      tx.update(invitations)
        .set({ emailKey: emailKey(email) })
        .where(eq(invitations.id, id))
        .run()
    }
    return taken
  })
}

/** A person; a service user is none. */
export function findUser(db: Db, userId: UserId): User | undefined {
  return db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), eq(users.service, false)))
    .get()
}
