import { and, asc, eq, isNull, not, type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { accountSecurity, memberships, users } from '../../db/schema.ts'
import type { MailContext } from '../../mail/outbox.ts'
import { type Actor, record } from '../../records/record.ts'
import type { AccountRules } from '../../web/request/viewer.ts'
import { tellSecondFactor } from '../notices/data/notices.ts'

export type AccountSecurity = AccountRules & { version: number }

const nothing: AccountSecurity = {
  networks: '',
  secondFactorFrom: null,
  sessionTime: null,
  idleTime: null,
  version: 0,
}

/** So many members without a second factor are told by e-mail; all of them read it at Home. */
const mostTold = 500

/** What an account asks of those who work in it. */
export function findSecurity(db: Db, accountId: AccountId): AccountSecurity {
  const row = db.select().from(accountSecurity).where(eq(accountSecurity.accountId, accountId)).get()
  if (!row) return nothing
  const { accountId: _, ...security } = row
  return security
}

/** Whether a user has a passkey at the host where it can be used: for a query that joins users. */
export const passkeyAt = (host: SQL | string) =>
  sql<number>`exists (select 1 from passkeys as own where own.user_id = ${users.id} and own.host = ${host})`

/** Whether a user has no second factor: for a query that joins users. */
export const lacksSecondFactor = (host: SQL | string) => and(isNull(users.totpSecret), not(passkeyAt(host)))

/** An account’s people without a second factor, at most so many. */
function listToTell(db: Db, accountId: AccountId, host: string, limit: number) {
  return db
    .select({ userId: users.id, name: users.name, email: users.email })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.accountId, accountId), isNull(users.disabledAt), lacksSecondFactor(host)))
    .orderBy(asc(memberships.userId))
    .limit(limit)
    .all()
}

/**
 * Changes what an account asks of those who work in it, and tells people without a second factor from when on they need one.
 * 'stale' when somebody has changed it since `version`, 'unchanged' when it is so already.
 */
export function saveSecurity(
  db: Db,
  actor: Actor,
  { accountId, version, ...wanted }: AccountSecurity & { accountId: AccountId },
  { mail, host }: { mail: MailContext; host: string },
): 'saved' | 'unchanged' | 'stale' {
  return write(db, actor, (tx) => {
    const { version: current, ...before } = findSecurity(tx, accountId)
    const change = changed(before, wanted)
    if (Object.keys(change).length === 0) return 'unchanged'
    if (current !== version) return 'stale'
    put(tx, accountId, wanted, current)
    record(tx, actor, { kind: 'account.security-changed', accountId, change })
    const { secondFactorFrom } = wanted
    if (secondFactorFrom !== null && secondFactorFrom !== before.secondFactorFrom)
      for (const person of listToTell(tx, accountId, host, mostTold))
        tellSecondFactor(tx, actor, { accountId, person, from: secondFactorFrom }, mail)
    return 'saved'
  })
}

/** Support takes back all that keeps an account’s people out of it. False where it asked for nothing. */
export function liftSecurity(db: Db, actor: Actor, accountId: AccountId): boolean {
  return write(db, actor, (tx) => {
    const { version, ...before } = findSecurity(tx, accountId)
    const { version: _, ...wanted } = nothing
    const change = changed(before, wanted)
    if (Object.keys(change).length === 0) return false
    put(tx, accountId, wanted, version)
    record(tx, actor, { kind: 'account.security-changed', accountId, change })
    return true
  })
}

function put(tx: Db, accountId: AccountId, rules: AccountRules, version: number): void {
  const set = { ...rules, version: version + 1 }
  tx.insert(accountSecurity)
    .values({ accountId, ...set })
    .onConflictDoUpdate({ target: accountSecurity.accountId, set })
    .run()
}

/** What differs, as the history keeps it. */
function changed(before: AccountRules, after: AccountRules) {
  const fields = ['networks', 'secondFactorFrom', 'sessionTime', 'idleTime'] as const
  return Object.fromEntries(
    fields
      .filter((field) => before[field] !== after[field])
      .map((field) => [
        field,
        [before[field] || null, after[field] || null] as [string | number | null, string | number | null],
      ]),
  )
}
