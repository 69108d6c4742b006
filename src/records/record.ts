import { asc, desc, gt, isNotNull, max } from 'drizzle-orm'
import type { AccountId, ProjectId, UserId } from '../db/ids.ts'
import type { Authority, Db } from '../db/open.ts'
import { equals, type Placeholders, prepared, preparedInsert } from '../db/prepared.ts'
import { personalChanges, records } from '../db/schema.ts'
import { chainHash } from './chain.ts'
import { queueDeliveries } from './data/deliveries.ts'
import { notify } from './data/recipients.ts'
import type { RecordKind } from './kinds.ts'

/** Who acts, from which account, when and from where. */
export type Actor = Authority & {
  userId: UserId | null
  accountId: AccountId | null
  bySupport: boolean
  /** Milliseconds since 1970: also the time stored in the rows that the act writes. */
  at: number
  ip: string | null
  requestId: string | null
  /** The API token that a program acts with. */
  tokenId?: number
}

/** Nobody: the panel itself. */
export const byItself = (at: number): Actor => ({
  userId: null,
  accountId: null,
  bySupport: false,
  at,
  ip: null,
  requestId: null,
  stillMay: null,
})

/** The operator at the command line. */
export const atCommandLine = (at: number): Actor => ({ ...byItself(at), bySupport: true })

/** A signed-in user who acts. */
export type Person = Actor & { userId: UserId }

export type Change = Record<string, [before: string | number | null, after: string | number | null]>

export type What = {
  kind: RecordKind
  /** The account that the change happened in; none for what concerns a user alone. */
  accountId?: AccountId | null
  userId?: UserId
  invitationId?: number
  projectId?: ProjectId
  letterId?: number
  /** Whose request it answers. */
  answers?: UserId | undefined
  /** A part of another act, which tells people of all of it. */
  quiet?: boolean
  change?: Change
  /** The user’s own name or e-mail, before and after: kept until the user is deleted. */
  personal?: { field: 'name' | 'email'; before: string; after: string }
}

/** The fields of a change that hold what somebody typed. It may name people, and records never forget those names. */
export const typedFields = ['reason', 'comment', 'remark'] as const

/** A change without what its author typed, and that. Nobody's acts hold only the panel's words. */
function apart(actor: Actor, change: Change): { change: Change; typed: Typed[] } {
  if (actor.userId === null) return { change, typed: [] }
  const { userId } = actor
  const typed = typedFields.flatMap((field) => {
    const { [field]: values } = change
    return values ? [{ userId, field, before: String(values[0] ?? ''), after: String(values[1] ?? '') }] : []
  })
  const rest = Object.entries(change).filter(([field]) => !typed.some((one) => one.field === field))
  return { change: Object.fromEntries(rest), typed }
}

type Typed = { userId: UserId; field: (typeof typedFields)[number]; before: string; after: string }

const newRecord = preparedInsert(records, (insert) => insert.prepare())

/** What a record is about, and the request that made it. */
export type RecordMark = { accountId: AccountId | null; userId: UserId | null; requestId: string | null }

const chainEnd = prepared((db) =>
  db.select({ id: records.id, hash: records.hash }).from(records).orderBy(desc(records.id)).limit(1).prepare(),
)

/** Where something else has added a record without a hash: the chain goes on from the last one that has one. */
const chainedEnd = prepared((db) =>
  db
    .select({ hash: records.hash })
    .from(records)
    .where(isNotNull(records.hash))
    .orderBy(desc(records.id))
    .limit(1)
    .prepare(),
)

const newest = prepared((db) =>
  db
    .select({ id: max(records.id) })
    .from(records)
    .prepare(),
)

/** The number of the newest record; 0 if there is none. */
export function newestRecord(db: Db): number {
  return newest(db).get()?.id ?? 0
}

const newestFrom = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ id: records.id })
    .from(records)
    .where(equals(records.actorAccountId, accountId))
    .orderBy(desc(records.id))
    .limit(1)
    .prepare(),
)

/** The newest record of an act from this account; 0 without one. */
export function newestRecordFrom(db: Db, accountId: AccountId): number {
  return newestFrom(db).get({ accountId })?.id ?? 0
}

const newestOf = prepared((db, { userId }: Placeholders<{ userId: UserId }>) =>
  db
    .select({ id: records.id })
    .from(records)
    .where(equals(records.actorId, userId))
    .orderBy(desc(records.id))
    .limit(1)
    .prepare(),
)

/** The newest record of an act of this user; 0 without one. */
export function newestRecordOf(db: Db, userId: UserId): number {
  return newestOf(db).get({ userId })?.id ?? 0
}

const after = prepared((db, { id }: Placeholders<{ id: number }>) =>
  db
    .select({ accountId: records.accountId, userId: records.userId, requestId: records.requestId })
    .from(records)
    .where(gt(records.id, id))
    .orderBy(asc(records.id))
    .prepare(),
)

/** What was recorded after a record, the oldest first. For what happened a moment ago. */
export function recordsAfter(db: Db, id: number): RecordMark[] {
  return after(db).all({ id })
}

/**
 * Records a change, and tells the people and webhooks that it concerns. Call it in the transaction that makes the change: SQLite has one
 * writer, so the record before it is still the last one when it is written.
 */
export function record(tx: Db, actor: Actor, what: What): void {
  const { personal, userId } = what
  const { change, typed } = apart(actor, what.change ?? {})
  const last = chainEnd(tx).get()
  const row = {
    id: (last?.id ?? 0) + 1,
    at: actor.at,
    kind: what.kind,
    accountId: what.accountId ?? null,
    actorId: actor.userId,
    actorAccountId: actor.accountId,
    bySupport: actor.bySupport,
    userId: what.userId ?? null,
    invitationId: what.invitationId ?? null,
    projectId: what.projectId ?? null,
    letterId: what.letterId ?? null,
    change: JSON.stringify(change),
    ip: actor.ip,
    requestId: actor.requestId,
    tokenId: actor.tokenId ?? null,
  }
  newRecord(tx).run({ ...row, hash: chainHash(row, (last?.hash === null ? chainedEnd(tx).get() : last)?.hash ?? '') })
  const beside = [...(personal && userId !== undefined ? [{ userId, ...personal }] : []), ...typed]
  for (const one of beside)
    tx.insert(personalChanges)
      .values({ recordId: row.id, ...one })
      .run()
  notify(tx, actor, what, row.id)
  queueDeliveries(tx, actor, { ...what, change }, row.id)
}
