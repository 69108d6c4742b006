import { and, eq, isNotNull, sql } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { accountDomains, accountProviders, accounts, providerGroups, sessions } from '../../../db/schema.ts'
import { isActive } from '../../../db/suspension.ts'
import { type Actor, type Change, record } from '../../../records/record.ts'

// The provider of single sign-on that an account brings along.

export type AccountProvider = typeof accountProviders.$inferSelect

/** `clientSecret` is sealed; undefined keeps the one that is there. */
export type ProviderWish = Pick<AccountProvider, 'issuer' | 'clientId' | 'emailTrusted' | 'version'> & {
  clientSecret: string | undefined
}

export function findAccountProvider(db: Db, accountId: AccountId): AccountProvider | undefined {
  return db.select().from(accountProviders).where(eq(accountProviders.accountId, accountId)).get()
}

/**
 * Adds an account’s provider (version 0) or changes it; `needed`: the secret is missing. Another issuer or client is another provider: sessions that began at the
 * earlier one no longer count, and nobody has shown that the new one lets people in, so it is not required.
 */
export function saveAccountProvider(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  { version, clientSecret, ...wanted }: ProviderWish,
): 'saved' | 'unchanged' | 'stale' | 'needed' {
  return write(db, actor, (tx) => {
    const before = findAccountProvider(tx, accountId)
    const secret = clientSecret ?? before?.clientSecret
    if (secret === undefined) return 'needed'
    const change = changed(before, wanted)
    if (clientSecret !== undefined) change.secret = [before ? 'set' : null, 'new']
    if (Object.keys(change).length === 0) return 'unchanged'
    if ((before?.version ?? 0) !== version) return 'stale'
    const another = before && (before.issuer !== wanted.issuer || before.clientId !== wanted.clientId)
    if (another) forgetSessionsOf(tx, accountId)
    const set = {
      ...wanted,
      clientSecret: secret,
      version: version + 1,
      ...(another && { requiredFrom: null, exemptUserId: null }),
    }
    tx.insert(accountProviders)
      .values({ accountId, createdAt: actor.at, ...set })
      .onConflictDoUpdate({ target: accountProviders.accountId, set })
      .run()
    record(tx, actor, { kind: 'sso.provider-changed', accountId, change })
    if (another && before.requiredFrom !== null) recordLifted(tx, actor, before)
    return 'saved'
  })
}

function changed(before: AccountProvider | undefined, wanted: Omit<ProviderWish, 'version' | 'clientSecret'>): Change {
  const change: Change = {}
  if (before?.issuer !== wanted.issuer) change.issuer = [before?.issuer ?? null, wanted.issuer]
  if (before?.clientId !== wanted.clientId) change.client = [before?.clientId ?? null, wanted.clientId]
  if ((before?.emailTrusted ?? false) !== wanted.emailTrusted)
    change.trusted = wanted.emailTrusted ? ['no', 'yes'] : ['yes', 'no']
  return change
}

/** Removes an account’s provider and the rules of its groups. False where there is none. */
export function removeAccountProvider(db: Db, actor: Actor, accountId: AccountId): boolean {
  return write(db, actor, (tx) => {
    const before = findAccountProvider(tx, accountId)
    if (!before) return false
    forgetAccountProvider(tx, accountId)
    record(tx, actor, { kind: 'sso.provider-removed', accountId, change: { issuer: [before.issuer, null] } })
    return true
  })
}

/** Without a record: for the purge, too. In the caller’s transaction. */
export function forgetAccountProvider(tx: Db, accountId: AccountId): void {
  forgetSessionsOf(tx, accountId)
  tx.delete(providerGroups).where(eq(providerGroups.accountId, accountId)).run()
  tx.delete(accountProviders).where(eq(accountProviders.accountId, accountId)).run()
}

/** Sessions that an account’s provider has begun go on, but no longer as such. */
function forgetSessionsOf(tx: Db, accountId: AccountId): void {
  tx.update(sessions).set({ ssoAccountId: null, ssoSid: null }).where(eq(sessions.ssoAccountId, accountId)).run()
}

/** From when on an account requires its provider (null: no longer), and who is exempt. False where nothing changes. */
export function setRequired(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  { requiredFrom, exemptUserId }: { requiredFrom: number | null; exemptUserId: UserId | null },
): boolean {
  return write(db, actor, (tx) => {
    const before = findAccountProvider(tx, accountId)
    if (!before || (before.requiredFrom === requiredFrom && before.exemptUserId === exemptUserId)) return false
    tx.update(accountProviders)
      .set({ requiredFrom, exemptUserId, version: before.version + 1 })
      .where(eq(accountProviders.accountId, accountId))
      .run()
    if (requiredFrom === null) recordLifted(tx, actor, before)
    else
      record(tx, actor, {
        kind: 'sso.required',
        accountId,
        ...(exemptUserId !== null && { userId: exemptUserId }),
        change: { from: [before.requiredFrom, requiredFrom] },
      })
    return true
  })
}

function recordLifted(tx: Db, actor: Actor, { accountId, requiredFrom }: AccountProvider): void {
  record(tx, actor, { kind: 'sso.not-required', accountId, change: { from: [requiredFrom, null] } })
}

/** A provider signs people in while its account is there and not suspended, and for domains that are proved. */
const counts = and(isNotNull(accountDomains.provedAt), sql`accounts.deleted_at is null`, isActive)

export type DomainsProvider = { provider: AccountProvider; account: { name: string; identifier: string } }

const selectCounting = (db: Db) =>
  db
    .select({ provider: accountProviders, account: { name: accounts.name, identifier: accounts.identifier } })
    .from(accountDomains)
    .innerJoin(accountProviders, eq(accountProviders.accountId, accountDomains.accountId))
    .innerJoin(accounts, eq(accounts.id, accountDomains.accountId))

/** The provider that people with an address in this domain log in with, and whose it is. */
export function findProviderOfDomain(db: Db, domain: string): DomainsProvider | undefined {
  return selectCounting(db)
    .where(and(eq(accountDomains.domain, domain), counts))
    .get()
}

/** An account’s provider, while it counts for any domain. */
export function findCountingProvider(db: Db, accountId: AccountId): DomainsProvider | undefined {
  return selectCounting(db)
    .where(and(eq(accountDomains.accountId, accountId), counts))
    .limit(1)
    .get()
}

/** The accounts, at most five, that know the panel by this name at this issuer. */
export function listClientsOf(db: Db, issuer: string, clientId: string) {
  return db
    .select({ provider: accountProviders, account: { name: accounts.name, identifier: accounts.identifier } })
    .from(accountProviders)
    .innerJoin(accounts, eq(accounts.id, accountProviders.accountId))
    .where(and(eq(accountProviders.issuer, issuer), eq(accountProviders.clientId, clientId)))
    .limit(5)
    .all()
}

/** Whether any account has a provider that counts now. */
export function anyAccountProvider(db: Db): boolean {
  return selectCounting(db).where(counts).limit(1).get() !== undefined
}

/** What becomes of people whom the panel does not know yet, and the claim that names groups. */
export function setNewPeople(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  { version, ...wanted }: Pick<AccountProvider, 'newPeople' | 'groupClaim' | 'version'>,
): 'saved' | 'unchanged' | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const before = findAccountProvider(tx, accountId)
    if (!before) return undefined
    if (before.newPeople === wanted.newPeople && before.groupClaim === wanted.groupClaim) return 'unchanged'
    if (before.version !== version) return 'stale'
    tx.update(accountProviders)
      .set({ ...wanted, version: version + 1 })
      .where(eq(accountProviders.accountId, accountId))
      .run()
    record(tx, actor, {
      kind: 'sso.new-people-changed',
      accountId,
      change: { people: [before.newPeople, wanted.newPeople], claim: [before.groupClaim, wanted.groupClaim] },
    })
    return 'saved'
  })
}
