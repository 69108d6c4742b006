import { and, asc, eq, gt, inArray, lt, not, type SQL, sql } from 'drizzle-orm'
import { asUserId, type UserId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { invitations, notifications, users } from '../../../db/schema.ts'
import { allowAtOnce } from '../../../mail/allowance.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import { listWays } from '../../../records/data/choices.ts'
import { byItself, record } from '../../../records/record.ts'
import { fixedTopics, isFixed } from '../../../records/topics.ts'
import { dateTime } from '../../../web/format.ts'
import { anybody, forReader } from '../../../web/reader.ts'
import { plainWords } from '../words.ts'
import { type Notification, readLines } from './listing.ts'

// What the worker does between requests: e-mails at once, the daily summary, expired invitations, and old lines.

/** So many lines stand in an e-mail; it says how many more there are. */
const mostLines = 30
/** So many are looked at for one e-mail. */
const mostWaiting = 500

export type MailWait = 'now' | 'daily'

/** The next user after another one, by id, for whom something of this kind waits: the time zone, and since when. */
export function nextReader(
  db: Db,
  mail: MailWait,
  after: number,
): { userId: UserId; timeZone: string; oldest: number } | undefined {
  return db
    .select({ userId: notifications.userId, timeZone: users.timeZone, oldest: notifications.createdAt })
    .from(notifications)
    .innerJoin(users, eq(users.id, notifications.userId))
    .where(
      and(
        eq(notifications.mail, mail),
        gt(notifications.userId, asUserId(after)),
        sql`notifications.mail in ('now', 'daily')`,
      ),
    )
    .orderBy(asc(notifications.userId), asc(notifications.id))
    .limit(1)
    .get()
}

/**
 * Writes one e-mail with what waits for somebody since before this time, and notes that in the same transaction. What was
 * read on the page meanwhile, or may not be read any more, is left out, and what is chosen otherwise now follows that.
 * False when there was nothing to write.
 */
export function writeToReader(
  db: Db,
  at: number,
  { userId, mail, before }: { userId: UserId; mail: MailWait; before: number },
  context: MailContext,
): boolean {
  return write(db, byItself(at), (tx) => {
    const waiting = and(
      eq(notifications.mail, mail),
      eq(notifications.userId, userId),
      sql`notifications.mail in ('now', 'daily')`,
      lt(notifications.createdAt, before),
    )
    const reader = tx.select().from(users).where(eq(users.id, userId)).get()
    return forReader(reader ?? anybody, () => {
      const { due, later } = dueLines(tx, waiting, { userId, mail })
      const told = reader?.disabledAt === null && reader.emailProvedAt !== null ? due : []
      const usual = told.filter(({ topic }) => !isFixed(topic))
      // Too many at once: the rest comes with the daily summary. What nobody can choose neither counts nor waits.
      const slow = mail === 'now' && usual.length > 0 && !allowAtOnce(tx, at, userId)
      const lines = slow ? told.filter(({ topic }) => isFixed(topic)) : told
      const letterId = lines.length > 0 && reader ? writeLetter(tx, at, { reader, mail, lines }, context) : null
      put(tx, slow ? [...later, ...usual] : later, { mail: 'daily' })
      if (letterId !== null) put(tx, lines, { mail: 'written', letterId })
      tx.update(notifications).set({ mail: 'none' }).where(waiting).run()
      return letterId !== null
    })
  })
}

/** Of what waits: what is due now, what nobody can choose first, however much else there is; and what waits for the summary. */
function dueLines(tx: Db, waiting: SQL | undefined, { userId, mail }: { userId: UserId; mail: MailWait }) {
  const ways = listWays(tx, userId)
  const fixed = inArray(notifications.topic, fixedTopics)
  const lines = [fixed, not(fixed)]
    .flatMap((which) => readLines(tx, and(waiting, which), mostWaiting))
    .filter(({ readAt }) => readAt === null)
  return {
    due: lines.filter(({ topic }) => (mail === 'daily' ? ways[topic] !== 'off' : ways[topic] === 'now')),
    later: mail === 'now' ? lines.filter(({ topic }) => ways[topic] === 'daily') : [],
  }
}

function put(tx: Db, which: Notification[], values: Partial<typeof notifications.$inferInsert>): void {
  const ids = which.map(({ id }) => id)
  tx.update(notifications).set(values).where(inArray(notifications.id, ids)).run()
}

type Writing = { reader: typeof users.$inferSelect; mail: MailWait; lines: Notification[] }

function writeLetter(tx: Db, at: number, { reader, mail, lines }: Writing, { post, publicUrl }: MailContext) {
  const shown = lines.slice(0, mostLines)
  const letterId = post(tx, at, {
    kind: 'notifications',
    name: reader.name,
    email: reader.email,
    reason: { because: 'user', userId: reader.id },
    whyIn: [...new Set(lines.flatMap(({ readerOf }) => readerOf ?? []))],
    names: lines.flatMap(({ people }) => people),
    bulk: mail === 'daily',
    data: {
      daily: mail === 'daily',
      lines: shown.map(({ parts, detail, side, at: when, href }) => ({
        words: plainWords(parts),
        parts,
        detail: [detail, side, dateTime(when)].filter(Boolean).join(' · '),
        link: href === null ? '' : publicUrl + href,
      })),
      more: lines.length - shown.length,
      link: `${publicUrl}/notifications`,
    },
  })
  return letterId ?? null
}

const day = 24 * 3_600_000
/** Who upgrades is not told of what expired long ago. */
const toldUntil = 7 * day
const slice = 50

/** Records that invitations expired, some at a time, so that their senders are told. False when there are no more. */
export function noteExpired(db: Db, at: number): boolean {
  return write(db, byItself(at), (tx) => {
    const rows = tx
      .select({ id: invitations.id, accountId: invitations.accountId, expiresAt: invitations.expiresAt })
      .from(invitations)
      .where(and(sql`state = 'pending' and told_expiry <> expires_at`, sql`${invitations.expiresAt} <= ${at}`))
      .orderBy(asc(invitations.expiresAt))
      .limit(slice)
      .all()
    for (const { id, accountId, expiresAt } of rows) {
      tx.update(invitations).set({ toldExpiry: expiresAt }).where(eq(invitations.id, id)).run()
      if (expiresAt > at - toldUntil)
        record(tx, byItself(at), { kind: 'invitation.expired', accountId, invitationId: id })
    }
    return rows.length === slice
  })
}

/** Lines are kept for so long, and so many of each reader. */
export const linesKept = 90 * day
export const mostOfReader = 2_000
const deletedAtOnce = 500

/** Deletes some lines that are old. False when there are no more. */
export function deleteOld(db: Db, at: number): boolean {
  return write(db, byItself(at), (tx) => {
    const oldest = sql`(select id, created_at from notifications order by id limit ${deletedAtOnce})`
    const deleted = tx
      .delete(notifications)
      .where(sql`id in (select id from ${oldest} where created_at < ${at - linesKept})`)
      .run().changes
    return deleted === deletedAtOnce
  })
}

const readersAtOnce = 100

/** Deletes the oldest lines of readers who have too many. Returns the last reader that was looked at; undefined at the end. */
export function trimReaders(db: Db, at: number, after: number): number | undefined {
  return write(db, byItself(at), (tx) => {
    let last = after
    for (let n = 0; n < readersAtOnce; n++) {
      const next = tx
        .select({ userId: notifications.userId })
        .from(notifications)
        .where(gt(notifications.userId, asUserId(last)))
        .orderBy(asc(notifications.userId))
        .limit(1)
        .get()?.userId
      if (next === undefined) return undefined
      last = next
      tx.run(sql`delete from notifications where user_id = ${next} and id <= (
        select id from notifications where user_id = ${next} order by id desc limit 1 offset ${mostOfReader})`)
    }
    return last
  })
}
