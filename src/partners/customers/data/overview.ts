import { setTimeout as pause } from 'node:timers/promises'
import { and, asc, gt, type SQL, sql } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Connection, Db } from '../../../db/open.ts'
import { type Placeholders, perConnection, prepared } from '../../../db/prepared.ts'
import { accounts } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { actsSince } from '../../../records/data/acts.ts'
import { newestRecord } from '../../../records/record.ts'
import { livingOf } from '../../data.ts'
import { allNeeds, type Needs, needBits } from './attention.ts'
import { type Share, Shares } from './shares.ts'

// How many customers a partner has, with what they have and what they need. It takes a look at every customer, so it is
// counted in slices beside the requests, and kept. An act of the viewer's side shows at once: the customers that its
// records name are looked at again, and only their shares change (P-23).

/** A partner's customers, counted at this time. */
export type Overview = {
  at: number
  customers: number
  /** How many there were at the ends of the months before. */
  growth: { at: number; n: number }[]
  projects: number
  users: number
  needs: Needs
}

type Kept = {
  at: number
  /** How long the counting took, in milliseconds. */
  took: number
  shares: Shares
  /** The newest record when the counting began; and when the acts of a side were last looked at. */
  upTo: number
  lookedAt: Map<string, number>
  overview: Overview | undefined
}

type Side = { partnerId: AccountId; userId: UserId }

/** So many customers of each need are named. */
const named = 4
/** Customers that one query looks at. */
const batch = 250
/** Milliseconds of a slice; a request that would have no figures otherwise takes longer. */
const slice = 3
const firstSlice = 15
const keptFor = 60_000
/** Customers of so many partners together are kept. */
const mostKept = 2_000_000
/** After more acts of a side, all is counted again. */
const mostActs = 200

const overviews = perConnection(() => ({ kept: new Map<AccountId, Kept>(), counting: new Set<AccountId>() }))

/**
 * The figures of a partner: exact as to what the viewer's side did, and otherwise at most as old as they say. Undefined while
 * many customers are counted for the first time. What they are counted from goes on beside the requests.
 */
export function overviewOf(
  db: Db,
  side: Side,
  at: number,
  log: { error: (what: object, words: string) => void },
): Overview | undefined {
  const { partnerId } = side
  const { kept, counting } = overviews(db)
  const known = kept.get(partnerId)
  const isExact = known !== undefined && lookAgain(db, known, side, at)
  const age = known ? at - known.at : Number.POSITIVE_INFINITY
  const isFresh = isExact && age >= 0 && age < Math.max(keptFor, (known?.took ?? 0) * 5)
  if (!isFresh && !counting.has(partnerId)) {
    const rest = counted(db, partnerId, at)
    const began = performance.now()
    let step = rest.next()
    while (!step.done && performance.now() - began < (known ? slice : firstSlice)) step = rest.next()
    if (!step.done) {
      counting.add(partnerId)
      countOn(db, rest)
        .catch((err) => log.error({ err }, 'the customers could not be counted'))
        .finally(() => counting.delete(partnerId))
    }
  }
  const now = kept.get(partnerId)
  if (!now) return undefined
  now.overview ??= overviewFrom(now)
  return now.overview
}

/** Goes on in slices, with four times as much time in between for what else there is. */
async function countOn(db: Db, rest: Generator<void>): Promise<void> {
  for (;;) {
    const began = performance.now()
    do if (rest.next().done) return
    while (performance.now() - began < slice)
    await pause((performance.now() - began) * 4, undefined, { ref: false })
    if (!(db as Connection).$client.open) return
  }
}

const sliceOf = prepared((db, places: Placeholders<{ partnerId: AccountId; after: number; at: number }>) =>
  db
    .select(shareAt(sql`1`, places.at))
    .from(accounts)
    .where(and(livingOf(places.partnerId), gt(accounts.id, places.after)))
    .orderBy(asc(accounts.id))
    .limit(batch)
    .prepare(),
)

const sharesOf = prepared((db, places: Placeholders<{ partnerId: AccountId; ids: string; at: number }>) =>
  db
    .select(shareAt(livingOf(places.partnerId), places.at))
    .from(accounts)
    .where(isOneOf(accounts.id, places.ids))
    .prepare(),
)

function shareAt(here: SQL, at: Placeholders<{ at: number }>['at']) {
  return {
    id: accounts.id,
    here: sql<boolean>`coalesce(${here}, 0)`.mapWith(Boolean),
    createdAt: accounts.createdAt,
    needs: needBits(at),
    users: sql<number>`(select count(*) from memberships as own where own.account_id = accounts.id and not own.from_partner)`,
    projects: sql<number>`(select count(*) from projects as own where own.account_id = accounts.id and own.deleted_at is null)`,
  }
}

/** Counts batch by batch, and keeps the result at the end. */
function* counted(db: Db, partnerId: AccountId, at: number): Generator<void> {
  const { kept } = overviews(db)
  const began = performance.now()
  const upTo = newestRecord(db)
  const shares = new Shares(monthEnds(at), allNeeds.length)
  let rows: Share[]
  let after = 0
  do {
    rows = sliceOf(db).all({ partnerId, after, at })
    for (const row of rows) shares.put(row)
    after = rows.at(-1)?.id ?? after
    if (rows.length === batch) yield
  } while (rows.length === batch)
  kept.delete(partnerId)
  kept.set(partnerId, {
    at,
    took: performance.now() - began,
    shares,
    upTo,
    lookedAt: new Map(),
    overview: undefined,
  })
  let all = [...kept.values()].reduce((sum, { shares: { size } }) => sum + size, 0)
  for (const [id, { shares }] of kept) {
    if (all <= mostKept || id === partnerId) break
    kept.delete(id)
    all -= shares.size
  }
}

/**
 * Looks again at the customers that records of the viewer's side name, since it last did. False where that does not tell
 * everything: the act changed more than it names, or too many.
 */
function lookAgain(db: Db, known: Kept, { partnerId, userId }: Side, at: number): boolean {
  let isExact = true
  for (const by of [{ accountId: partnerId }, { userId }]) {
    const key = JSON.stringify(by)
    const acts = actsSince(db, by, known.lookedAt.get(key) ?? known.upTo, mostActs + 1)
    const newest = acts.at(-1)
    if (!newest) continue
    if (acts.length > mostActs) {
      isExact = false
      continue
    }
    const ids = JSON.stringify([...new Set(acts.map(({ accountId }) => accountId))])
    for (const share of sharesOf(db).all({ partnerId, ids, at })) known.shares.put(share)
    known.lookedAt.set(key, newest.id)
    known.overview = undefined
    // Who leaves the partner leaves its customers too.
    if (acts.some(({ accountId, kind }) => accountId === partnerId && kind.startsWith('member.'))) isExact = false
  }
  return isExact
}

function overviewFrom({ at, shares }: Kept): Overview {
  const needs = allNeeds.map((need, bit) => [need, { n: shares.needs[bit] ?? 0, newest: shares.newest(bit, named) }])
  return {
    at,
    ...shares.sums,
    growth: [...shares.growth.map((month) => ({ ...month })), { at, n: shares.sums.customers }],
    needs: Object.fromEntries(needs) as Needs,
  }
}

/** The ends of the eleven months before this one. */
function monthEnds(at: number): number[] {
  const { year, month } = { year: new Date(at).getUTCFullYear(), month: new Date(at).getUTCMonth() }
  return Array.from({ length: 11 }, (_, n) => Date.UTC(year, month - 10 + n, 1) - 1)
}
