import { and, asc, eq, ne, sql } from 'drizzle-orm'
import { foldCase, tieSearch } from '../../../db/fold.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { accounts, ties, tieTags } from '../../../db/schema.ts'
import { type Actor, record } from '../../../records/record.ts'
import { findCustomer } from '../../data.ts'

// What a partner keeps about a customer: contact, reference, note and tags. Everybody who belongs to the partner account
// sees it, nobody else does. It ends with the tie (accounts/endings).

type Tie = typeof ties.$inferSelect

/** The texts of the form, and the tags. */
export type Details = Pick<
  Tie,
  'contactName' | 'contactEmail' | 'contactPhone' | 'contactAddress' | 'reference' | 'note'
> & { tags: string[] }

export type KeptDetails = Details & Pick<Tie, 'version'>

const nothing: KeptDetails = {
  contactName: '',
  contactEmail: '',
  contactPhone: '',
  contactAddress: '',
  reference: '',
  note: '',
  tags: [],
  version: 0,
}

/** What the partner keeps about the customer; empty texts where it keeps nothing. */
export function findDetails(db: Db, partnerId: AccountId, accountId: AccountId): KeptDetails {
  const tie = db.select().from(ties).where(ofTie(partnerId, accountId)).get()
  return tie ? { ...tie, tags: tagsOf(db, tie.id) } : nothing
}

const ofTie = (partnerId: AccountId, accountId: AccountId) =>
  and(eq(ties.partnerId, partnerId), eq(ties.accountId, accountId))

function tagsOf(db: Db, tieId: number): string[] {
  return db
    .select({ tag: tieTags.tag })
    .from(tieTags)
    .where(eq(tieTags.tieId, tieId))
    .orderBy(asc(tieTags.tagKey))
    .all()
    .map(({ tag }) => tag)
}

/** The name of another customer of the partner with this reference. */
export function findByReference(
  db: Db,
  partnerId: AccountId,
  accountId: AccountId,
  reference: string,
): string | undefined {
  const same = and(
    eq(ties.partnerId, partnerId),
    eq(ties.referenceKey, foldCase(reference)),
    ne(ties.accountId, accountId),
  )
  return db
    .select({ name: accounts.name })
    .from(ties)
    .innerJoin(accounts, eq(accounts.id, ties.accountId))
    .where(same)
    .get()?.name
}

/**
 * Keeps these details of a customer. `stale`: somebody else has changed them since the form was opened;
 * `taken`: another of the partner’s customers has the reference; `unchanged`: all of them are as they were. Undefined when the partner
 * has no such customer.
 */
export function changeDetails(
  db: Db,
  actor: Actor,
  customer: { partnerId: AccountId; identifier: string },
  { wanted, version }: { wanted: Details; version: number },
): 'saved' | 'unchanged' | 'stale' | 'taken' | undefined {
  const { partnerId, identifier } = customer
  const details = { ...wanted, tags: wanted.tags.toSorted((one, other) => (foldCase(one) < foldCase(other) ? -1 : 1)) }
  return write(db, actor, (tx) => {
    const accountId = findCustomer(tx, partnerId, identifier)?.id
    if (accountId === undefined) return undefined
    const before = findDetails(tx, partnerId, accountId)
    const changed = (Object.keys(detailWords) as (keyof Details)[]).filter(
      (field) => String(before[field]) !== String(details[field]),
    )
    if (changed.length === 0) return 'unchanged'
    if (before.version !== version) return 'stale'
    if (details.reference && findByReference(tx, partnerId, accountId, details.reference)) return 'taken'

    const { tags, ...texts } = details
    const stored = {
      ...texts,
      referenceKey: foldCase(texts.reference),
      search: tieSearch(texts, tags),
      version: version + 1,
    }
    const { id } = tx
      .insert(ties)
      .values({ ...stored, accountId, partnerId, createdAt: actor.at })
      .onConflictDoUpdate({ target: ties.accountId, set: stored })
      .returning({ id: ties.id })
      .get()
    tx.delete(tieTags).where(eq(tieTags.tieId, id)).run()
    for (const tag of tags)
      tx.insert(tieTags)
        .values({ tieId: id, partnerId, tag, tagKey: foldCase(tag) })
        .run()
    // The partner’s own history: what was typed stays out of it.
    record(tx, actor, {
      kind: 'account.customer-described',
      accountId: partnerId,
      change: { customer: [null, identifier], changed: [null, changed.map((field) => detailWords[field]).join(', ')] },
    })
    return 'saved'
  })
}

/** What the history calls each. */
export const detailWords: Record<keyof Details, string> = {
  contactName: 'contact name',
  contactEmail: 'contact e-mail',
  contactPhone: 'contact phone',
  contactAddress: 'contact address',
  reference: 'reference',
  note: 'note',
  tags: 'tags',
}

/** The tags that a partner uses, the most frequent first. */
export function listTags(db: Db, partnerId: AccountId, limit: number): string[] {
  return db
    .select({ tag: sql<string>`min(${tieTags.tag})` })
    .from(tieTags)
    .where(eq(tieTags.partnerId, partnerId))
    .groupBy(tieTags.tagKey)
    .orderBy(sql`count(*) desc`, asc(tieTags.tagKey))
    .limit(limit)
    .all()
    .map(({ tag }) => tag)
}
