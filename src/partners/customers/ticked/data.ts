import { setImmediate } from 'node:timers/promises'
import { and, asc, desc, eq, sql } from 'drizzle-orm'
import { foldCase } from '../../../db/fold.ts'
import type { AccountId } from '../../../db/ids.ts'
import type { ListQuery } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { accounts, describedCustomer, records, ties, tieTags } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { inTurns } from '../../../db/turns.ts'
import type { Use } from '../../../quotas/arithmetic.ts'
import { usesOf } from '../../../quotas/data/uses.ts'
import type { Actor } from '../../../records/record.ts'
import { livingOf } from '../../data.ts'
import { type CustomerFilter, type CustomerRow, listCustomers, listCustomersNamed } from '../data/listing.ts'
import { changeDetails, detailWords, findDetails } from '../details/data.ts'

// Several customers at once: those that somebody has ticked in the list, or all that a search and filters leave.

/** So many customers are changed at once. */
export const mostAtOnce = 1_000
/** So many are read without letting other requests in between. */
const slice = 250

const columns = {
  id: accounts.id,
  name: accounts.name,
  identifier: accounts.identifier,
  suspendedAt: accounts.suspendedAt,
  supportSuspendedAt: accounts.supportSuspendedAt,
}

/** A ticked customer, as the acts on several need it. */
export type TickedCustomer = Pick<typeof accounts.$inferSelect, keyof typeof columns> & {
  tags: string[]
  uses: Use[]
}

/** Of these identifiers, those of the partner's living customers, by name. All others are left out. */
export async function listTicked(db: Db, partnerId: AccountId, identifiers: string[]): Promise<TickedCustomer[]> {
  const ticked: TickedCustomer[] = []
  for (let from = 0; from < identifiers.length; from += slice) {
    ticked.push(...readTicked(db, partnerId, identifiers.slice(from, from + slice)))
    await setImmediate()
  }
  return ticked.sort((one, other) => one.name.localeCompare(other.name))
}

/** The identifiers of the partner's living customers with these ids. */
export function identifiersById(db: Db, partnerId: AccountId, ids: AccountId[]): Map<number, string> {
  const theirs = and(livingOf(partnerId), isOneOf(accounts.id, ids))
  const rows = db.select({ id: accounts.id, identifier: accounts.identifier }).from(accounts).where(theirs).all()
  return new Map(rows.map(({ id, identifier }) => [id, identifier]))
}

/** One of them, as it is now. */
export function findTicked(db: Db, partnerId: AccountId, identifier: string): TickedCustomer | undefined {
  return readTicked(db, partnerId, [identifier])[0]
}

function readTicked(db: Db, partnerId: AccountId, identifiers: string[]): TickedCustomer[] {
  const where = and(livingOf(partnerId), isOneOf(accounts.identifier, identifiers))
  const tags = new Map<AccountId, string[]>()
  for (const { accountId, tag } of db
    .select({ accountId: ties.accountId, tag: tieTags.tag })
    .from(accounts)
    .innerJoin(ties, and(eq(ties.accountId, accounts.id), eq(ties.partnerId, partnerId)))
    .innerJoin(tieTags, eq(tieTags.tieId, ties.id))
    .where(where)
    .orderBy(asc(tieTags.tagKey))
    .all())
    tags.set(accountId, [...(tags.get(accountId) ?? []), tag])
  const customers = db.select(columns).from(accounts).where(where).all()
  const uses = usesOf(
    db,
    customers.map(({ id }) => id),
  )
  return customers.map((customer) => ({
    ...customer,
    tags: tags.get(customer.id) ?? [],
    uses: uses.get(customer.id) ?? [],
  }))
}

/** The identifiers of the first customers that a list shows with this search and these filters, and whether there are more. */
export async function listMatching(
  db: Db,
  partnerId: AccountId,
  query: ListQuery<CustomerFilter>,
  { at, stillMay }: { at: number; stillMay: () => void },
): Promise<{ identifiers: string[]; more: boolean }> {
  const identifiers: string[] = []
  let cursor: ListQuery['cursor']
  do {
    const page = await inTurns(
      (asked) => listCustomers(db, partnerId, asked, at),
      { ...query, size: slice, cursor },
      stillMay,
    )
    identifiers.push(...page.rows.map(({ identifier }) => identifier))
    cursor = page.next
    await setImmediate()
  } while (cursor && identifiers.length < mostAtOnce)
  return { identifiers, more: cursor !== undefined }
}

/** The rows of these customers, as the list's file has them. */
export function* rowsOfTicked(db: Db, partnerId: AccountId, identifiers: string[]): Generator<CustomerRow> {
  for (let from = 0; from < identifiers.length; from += slice)
    yield* listCustomersNamed(db, partnerId, identifiers.slice(from, from + slice))
}

/** Gives a customer of the partner a tag, or takes it away; its other details stay. Nothing happens where it has it, or has not. */
export function changeTag(
  db: Db,
  actor: Actor,
  customer: { partnerId: AccountId; id: AccountId; identifier: string },
  { tag, wanted }: { tag: string; wanted: boolean },
): void {
  const { contactName, contactEmail, contactPhone, contactAddress, reference, note, tags, version } = findDetails(
    db,
    customer.partnerId,
    customer.id,
  )
  const others = tags.filter((other) => foldCase(other) !== foldCase(tag))
  if (wanted === others.length < tags.length) return
  const texts = { contactName, contactEmail, contactPhone, contactAddress, reference, note }
  changeDetails(db, actor, customer, { wanted: { ...texts, tags: wanted ? [...others, tag] : others }, version })
}

/** When somebody of the partner last changed the tags of a customer; null where nobody did, or they parted since. */
export function tagsChangedAt(
  db: Db,
  partnerId: AccountId,
  { id, identifier }: Pick<TickedCustomer, 'id' | 'identifier'>,
): number | null {
  const tie = and(eq(ties.accountId, id), eq(ties.partnerId, partnerId))
  const since = db.select({ createdAt: ties.createdAt }).from(ties).where(tie).get()?.createdAt
  if (since === undefined) return null
  const last = db
    .select({ at: records.at })
    .from(records)
    .where(
      and(
        eq(records.accountId, partnerId),
        sql`kind = 'account.customer-described'`,
        sql`${describedCustomer} = ${identifier}`,
        sql`change ->> '$.changed[1]' like ${`%${detailWords.tags}%`}`,
      ),
    )
    .orderBy(desc(records.id))
    .limit(1)
    .get()
  return last && last.at >= since ? last.at : null
}
