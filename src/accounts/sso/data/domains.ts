import { and, asc, count, eq, gt, isNotNull, lte, or } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { accountDomains } from '../../../db/schema.ts'
import { type Actor, record } from '../../../records/record.ts'
import { newToken } from '../../../secrets.ts'

// The domains of an account, whose people its provider may sign in. A domain is proved by a record in DNS.

export type AccountDomain = typeof accountDomains.$inferSelect
export type WhichDomain = { accountId: AccountId; id: number }

export const mostDomains = 20

/** In milliseconds: proved domains are looked up again after so long, and one without its record is no longer proved after this. */
export const domainsCheckedEvery = 24 * 3_600_000
/** The second check may come a little early. */
const patience = domainsCheckedEvery - 3_600_000

/** All of an account, at most twenty. */
export function listDomains(db: Db, accountId: AccountId): AccountDomain[] {
  return db
    .select()
    .from(accountDomains)
    .where(eq(accountDomains.accountId, accountId))
    .orderBy(asc(accountDomains.domain))
    .limit(mostDomains)
    .all()
}

export function findDomain(db: Db, { accountId, id }: WhichDomain): AccountDomain | undefined {
  return db
    .select()
    .from(accountDomains)
    .where(and(eq(accountDomains.accountId, accountId), eq(accountDomains.id, id)))
    .get()
}

export function addDomain(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  domain: string,
): AccountDomain | 'full' | 'unchanged' {
  return write(db, actor, (tx) => {
    const there = tx.select({ all: count() }).from(accountDomains).where(eq(accountDomains.accountId, accountId)).get()
    if (listDomains(tx, accountId).some((known) => known.domain === domain)) return 'unchanged'
    if ((there?.all ?? 0) >= mostDomains) return 'full'
    const added = tx
      .insert(accountDomains)
      .values({ accountId, domain, token: newToken(), createdAt: actor.at })
      .returning()
      .get()
    record(tx, actor, { kind: 'sso.domain-added', accountId, change: { domain: [null, domain] } })
    return added
  })
}

export function removeDomain(db: Db, actor: Actor, which: WhichDomain): AccountDomain | undefined {
  return write(db, actor, (tx) => {
    const before = findDomain(tx, which)
    if (!before) return undefined
    tx.delete(accountDomains).where(eq(accountDomains.id, before.id)).run()
    const { accountId, domain } = before
    record(tx, actor, { kind: 'sso.domain-removed', accountId, change: { domain: [domain, null] } })
    return before
  })
}

/**
 * What came of a look at a domain’s record. `saved`: it is proved; `unproved`: its record is missing; `ended`: it has been for
 * a day, and so the domain is no longer proved; `taken`: another account has proved it.
 */
export type DomainChecked = 'saved' | 'unproved' | 'ended' | 'taken'

/**
 * Writes down whether a domain’s record is there. A proved domain that lacks it twice, a day apart, is no longer proved.
 * Undefined where there is no such domain any more, or it has another token.
 */
export function noteCheck(
  db: Db,
  actor: Actor,
  { token, ...which }: WhichDomain & { token: string },
  isThere: boolean,
): DomainChecked | undefined {
  return write(db, actor, (tx) => {
    const before = findDomain(tx, which)
    if (!before || before.token !== token) return undefined
    const { accountId, id, domain, provedAt, failingSince } = before
    const set = (values: Partial<AccountDomain>) =>
      tx
        .update(accountDomains)
        .set({ checkedAt: actor.at, ...values })
        .where(eq(accountDomains.id, id))
        .run()
    if (isThere) {
      if (provedAt === null && isProved(tx, domain)) return 'taken'
      set({ provedAt: provedAt ?? actor.at, failingSince: null })
      if (provedAt === null)
        record(tx, actor, { kind: 'sso.domain-proved', accountId, change: { domain: [null, domain] } })
      return 'saved'
    }
    if (provedAt === null) {
      set({})
      return 'unproved'
    }
    if (failingSince === null || actor.at - failingSince < patience) {
      set({ failingSince: failingSince ?? actor.at })
      return 'unproved'
    }
    set({ provedAt: null, failingSince: null })
    record(tx, actor, { kind: 'sso.domain-lost', accountId, change: { domain: [domain, null] } })
    return 'ended'
  })
}

const isProved = (tx: Db, domain: string) =>
  tx
    .select({ id: accountDomains.id })
    .from(accountDomains)
    .where(and(eq(accountDomains.domain, domain), isNotNull(accountDomains.provedAt)))
    .get() !== undefined

/** Ends the proofs of an account that is deleted: another may prove the domains now. In the caller’s transaction. */
export function endProofs(tx: Db, accountId: AccountId): void {
  tx.update(accountDomains)
    .set({ provedAt: null, failingSince: null })
    .where(and(eq(accountDomains.accountId, accountId), isNotNull(accountDomains.provedAt)))
    .run()
}

/** In the caller’s transaction: for the purge. */
export function forgetDomains(tx: Db, accountId: AccountId): void {
  tx.delete(accountDomains).where(eq(accountDomains.accountId, accountId)).run()
}

/** Proved domains that are to be looked up again, after this one: those looked up longest ago first. */
export function dueDomains(
  db: Db,
  at: number,
  after: { checkedAt: number; id: number },
  limit: number,
): AccountDomain[] {
  const { checkedAt, id } = accountDomains
  return db
    .select()
    .from(accountDomains)
    .where(
      and(
        isNotNull(accountDomains.provedAt),
        lte(checkedAt, at - domainsCheckedEvery),
        or(gt(checkedAt, after.checkedAt), and(eq(checkedAt, after.checkedAt), gt(id, after.id))),
      ),
    )
    .orderBy(asc(checkedAt), asc(id))
    .limit(limit)
    .all()
}
