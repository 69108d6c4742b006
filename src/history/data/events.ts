import { and, asc, eq, isNotNull, max, type SQL, sql } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { accounts, projects, records, users } from '../../db/schema.ts'

// The history as programs read it: numbers instead of names, the oldest first. Numbers rise in the order of commits, since SQLite has
// one writer, so that nothing appears behind a number that was read already.

function selectEvents(db: Db, { after, limit }: Placeholders<Span>, which: SQL | undefined) {
  return db
    .select({
      id: records.id,
      at: records.at,
      kind: records.kind,
      actorId: records.actorId,
      byService: users.service,
      bySupport: records.bySupport,
      account: accounts.identifier,
      userId: records.userId,
      invitationId: records.invitationId,
      project: projects.identifier,
      change: records.change,
    })
    .from(records)
    .leftJoin(users, eq(users.id, records.actorId))
    .leftJoin(accounts, eq(accounts.id, records.accountId))
    .leftJoin(projects, eq(projects.id, records.projectId))
    .where(and(which, sql`${records.id} > ${after}`))
    .orderBy(asc(records.id))
    .limit(limit)
}

/** After the record of this number, and at most so many. */
type Span = { after: number; limit: number }

const inAccount = prepared((db, values: Placeholders<Span & { accountId: AccountId }>) =>
  selectEvents(db, values, equals(records.accountId, values.accountId)).prepare(),
)

/** The last of the next records that were made from a partner account: many of them may be about that account itself. */
const lastOfSpan = prepared((db, { accountId, after, limit }: Placeholders<Span & { accountId: AccountId }>) => {
  const span = db
    .select({ id: records.id })
    .from(records)
    .where(and(equals(records.actorAccountId, accountId), sql`${records.id} > ${after}`))
    .orderBy(asc(records.id))
    .limit(limit)
    .as('span')
  return db
    .select({ id: max(span.id) })
    .from(span)
    .prepare()
})

const fromAccount = prepared((db, values: Placeholders<Span & { accountId: AccountId; until: number }>) => {
  const which = and(
    equals(records.actorAccountId, values.accountId),
    isNotNull(records.accountId),
    sql`${records.accountId} <> ${values.accountId}`,
    sql`${records.id} <= ${values.until}`,
  )
  return selectEvents(db, values, which).prepare()
})

const everywhere = prepared((db, values: Placeholders<Span>) => selectEvents(db, values, undefined).prepare())

export type PastEvent = ReturnType<ReturnType<typeof inAccount>['all']>[number]

/** A stretch of the history, and the number to ask on from; null where nothing came. */
export type Events = { rows: PastEvent[]; next: number | null }

const mostEvents = 200
/** So many records are looked through for those of customers. */
const longestSpan = 5_000

/** What happened in an account after the record of this number. */
export function listEvents(db: Db, accountId: AccountId, after: number): Events {
  return stretch(inAccount(db).all({ accountId, after, limit: mostEvents }))
}

/** What was done from a partner account in its customers after the record of this number. */
export function listEventsFrom(db: Db, accountId: AccountId, after: number): Events {
  const until = lastOfSpan(db).get({ accountId, after, limit: longestSpan })?.id ?? null
  if (until === null) return { rows: [], next: null }
  const rows = fromAccount(db).all({ accountId, after, until, limit: mostEvents })
  return rows.length === mostEvents ? stretch(rows) : { rows, next: until }
}

/** What happened in the whole installation after the record of this number. */
export function listAllEvents(db: Db, after: number): Events {
  return stretch(everywhere(db).all({ after, limit: mostEvents }))
}

const stretch = (rows: PastEvent[]): Events => ({ rows, next: rows.at(-1)?.id ?? null })
