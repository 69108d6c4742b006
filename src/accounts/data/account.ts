import { randomInt } from 'node:crypto'
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { named } from '../../db/fold.ts'
import { proposeIdentifier } from '../../db/identifiers.ts'
import type { AccountId } from '../../db/ids.ts'
import type { Sort } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { equals, type Placeholders, prepared, preparedInsert } from '../../db/prepared.ts'
import { accounts } from '../../db/schema.ts'
import { type Actor, record } from '../../records/record.ts'

export type Account = typeof accounts.$inferSelect

const partner = alias(accounts, 'partner')

/** A living account. */
export function findAccount(db: Db, accountId: AccountId): (Account & { partnerName: string | null }) | undefined {
  const row = db
    .select({ account: accounts, partnerName: partner.name })
    .from(accounts)
    .leftJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(eq(accounts.id, accountId), isNull(accounts.deletedAt)))
    .get()
  return row && { ...row.account, partnerName: row.partnerName }
}

/** How lists of accounts can be sorted; the first is the default. */
export const accountSorts = {
  created: {
    words: 'Newest first',
    column: accounts.createdAt,
    order: 'desc',
    value: (account) => account.createdAt,
  },
  oldest: { words: 'Oldest first', column: accounts.createdAt, order: 'asc', value: (account) => account.createdAt },
  name: { words: 'Name', column: accounts.sortKey, order: 'asc', value: (account) => account.sortKey },
  'name-z': { words: 'Name, Z to A', column: accounts.sortKey, order: 'desc', value: (account) => account.sortKey },
  identifier: {
    words: 'Identifier',
    column: accounts.identifier,
    order: 'asc',
    value: (account) => account.identifier,
  },
} as const satisfies Record<string, Sort<Pick<Account, 'createdAt' | 'sortKey' | 'identifier'>>>

export type NewAccount = { name: string; identifier: string }

const newAccount = preparedInsert(accounts, (insert) =>
  insert.onConflictDoNothing({ target: accounts.identifier }).returning().prepare(),
)

/** Creates an account; it has no member. 'taken' when the identifier was ever given out. */
export function createAccount(
  tx: Db,
  actor: Actor,
  account: NewAccount & Pick<Account, 'kind' | 'partnerId'>,
): Account | 'taken' {
  const [created] = newAccount(tx).all({
    ...account,
    ...named(account.name, account.identifier),
    createdAt: actor.at,
  })
  if (!created) return 'taken'
  const { name, identifier, kind } = created
  record(tx, actor, {
    kind: 'account.created',
    accountId: created.id,
    change: { name: [null, name], identifier: [null, identifier], kind: [null, kind] },
  })
  return created
}

/** A number at random says nothing about who else has the same name: the next free one would count them. */
export function proposeAccountIdentifier(db: Db, taken: string): string {
  return proposeIdentifier(
    taken,
    (candidates) =>
      db
        .select({ identifier: accounts.identifier })
        .from(accounts)
        .where(inArray(accounts.identifier, candidates))
        .all()
        .map((row) => row.identifier),
    (n) => randomInt(100, 1_000 + n * 10),
  )
}

/** Renames an account. 'stale' when it is no longer at the version that the edit was made on, undefined when it is gone. */
export function renameAccount(
  db: Db,
  actor: Actor,
  accountId: AccountId,
  { name, version }: { name: string; version: number },
): 'saved' | 'unchanged' | 'stale' | undefined {
  return write(db, actor, (tx) => {
    const before = tx
      .select()
      .from(accounts)
      .where(and(eq(accounts.id, accountId), isNull(accounts.deletedAt)))
      .get()
    if (!before) return undefined
    if (before.version !== version) return 'stale'
    if (before.name === name) return 'unchanged'
    tx.update(accounts)
      .set({ name, ...named(name, before.identifier), version: sql`${accounts.version} + 1` })
      .where(eq(accounts.id, accountId))
      .run()
    record(tx, actor, { kind: 'account.renamed', accountId, change: { name: [before.name, name] } })
    return 'saved'
  })
}

const anyAccount = prepared((db, { identifier }: Placeholders<{ identifier: string }>) =>
  db
    .select()
    .from(accounts)
    .where(and(equals(accounts.identifier, identifier), isNull(accounts.deletedAt)))
    .prepare(),
)

/** A living account: what was deleted is not found. */
export function findAccountByIdentifier(db: Db, identifier: string): Account | undefined {
  return anyAccount(db).get({ identifier })
}
