import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared, preparedInsert } from '../../db/prepared.ts'
import { accounts, invitations, memberships, notifications, users } from '../../db/schema.ts'
import { type Audience, notifying, type ToldTo } from '../notifying.ts'
import type { Actor, What } from '../record.ts'
import { waysOf } from './choices.ts'
import { newWaker } from './waking.ts'

// Who is told of a record: found in the transaction of the act, by the rights at that moment, and written in it.

/** So many of each audience are told. */
const mostTold = 200

/** Somebody who is told: as what, and of which account they must stay a user. */
type Reader = { userId: UserId; audience: Audience; readerOf: AccountId | null }

const adminsOf = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ userId: memberships.userId })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(equals(memberships.accountId, accountId), eq(memberships.role, 'admin'), isNull(users.disabledAt)))
    .orderBy(asc(memberships.userId))
    .limit(mostTold)
    .prepare(),
)

const operators = prepared((db) =>
  db
    .select({ userId: users.id })
    .from(users)
    .where(and(sql`${users.operator}`, isNull(users.disabledAt)))
    .orderBy(asc(users.id))
    .limit(mostTold)
    .prepare(),
)

const partner = alias(accounts, 'partner')

/** The partner of an account, while that is not suspended. */
const wakefulPartner = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ id: partner.id })
    .from(accounts)
    .innerJoin(partner, eq(partner.id, accounts.partnerId))
    .where(and(equals(accounts.id, accountId), isNull(partner.supportSuspendedAt), isNull(partner.deletedAt)))
    .prepare(),
)

const memberOf = prepared((db, { accountId, userId }: Placeholders<{ accountId: AccountId; userId: UserId }>) =>
  db
    .select({ role: memberships.role })
    .from(memberships)
    .where(and(equals(memberships.accountId, accountId), equals(memberships.userId, userId)))
    .prepare(),
)

const owner = prepared((db, { userId }: Placeholders<{ userId: UserId }>) =>
  db.select({ service: users.service }).from(users).where(equals(users.id, userId)).prepare(),
)

const senderOfInvitation = prepared((db, { id }: Placeholders<{ id: number }>) =>
  db
    .select({ userId: invitations.invitedBy, from: invitations.invitedFrom, operator: users.operator })
    .from(invitations)
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(equals(invitations.id, id))
    .prepare(),
)

type Find = (tx: Db, actor: Actor, what: What, told: ToldTo) => Reader[]

const finders: Record<ToldTo['to'], Find> = {
  login: (_tx, _actor, { userId }) => (userId === undefined ? [] : [{ userId, audience: 'login', readerOf: null }]),
  owner: (tx, actor, { userId, accountId }) => ofOwner(tx, actor, userId, accountId),

  parted: (_tx, _actor, { userId }) => (userId === undefined ? [] : [{ userId, audience: 'parted', readerOf: null }]),
  person: (tx, _actor, { userId, accountId }) => ofMember(tx, 'person', userId, accountId),
  asker: (tx, _actor, { answers, accountId }) => ofMember(tx, 'asker', answers, accountId),
  sender: (tx, _actor, { invitationId }) => ofSender(tx, invitationId),
  admins: (tx, actor, { accountId }, { always }) =>
    accountId == null || (!always && actor.accountId === accountId) ? [] : ofAdmins(tx, 'admins', accountId),
  partner: (tx, actor, { accountId }) => ofPartner(tx, actor, accountId),
  caretaker: (tx, actor, { accountId }) => {
    const readers = ofPartner(tx, actor, accountId)
    return readers.length > 0 ? readers : ofSupport(tx)
  },
  support: (tx) => ofSupport(tx),
  colleagues: (tx, _actor, { accountId }) => (accountId == null ? ofSupport(tx) : []),
  managers: (tx, _actor, { accountId }) => (accountId == null ? ofSupport(tx) : ofAdmins(tx, 'admins', accountId)),
}

function ofMember(tx: Db, audience: Audience, userId: UserId | undefined, accountId: AccountId | null | undefined) {
  if (userId === undefined || accountId == null || !memberOf(tx).get({ accountId, userId })) return []
  return [{ userId, audience, readerOf: accountId }]
}

/**
 * What concerns a program concerns the admins whose program it is, and whoever’s login did it: with a stolen one somebody
 * else could keep a token.
 */
function ofOwner(tx: Db, actor: Actor, userId: UserId | undefined, accountId: AccountId | null | undefined): Reader[] {
  if (userId === undefined) return []
  if (accountId == null || !owner(tx).get({ userId })?.service) return [{ userId, audience: 'login', readerOf: null }]
  const maker: Reader[] = actor.userId === null ? [] : [{ userId: actor.userId, audience: 'login', readerOf: null }]
  return [...maker, ...ofAdmins(tx, 'admins', accountId)]
}

function ofSender(tx: Db, id: number | undefined): Reader[] {
  const sender = id === undefined ? undefined : senderOfInvitation(tx).get({ id })
  if (!sender) return []
  const { userId, from, operator } = sender
  if (from === null) return operator ? [{ userId, audience: 'support', readerOf: null }] : []
  return ofMember(tx, 'sender', userId, from)
}

function ofAdmins(tx: Db, audience: Audience, accountId: AccountId): Reader[] {
  return adminsOf(tx)
    .all({ accountId })
    .map(({ userId }) => ({ userId, audience, readerOf: accountId }))
}

/** The partner’s own acts are no news to it. */
function ofPartner(tx: Db, actor: Actor, accountId: AccountId | null | undefined): Reader[] {
  const id = accountId == null ? undefined : wakefulPartner(tx).get({ accountId })?.id
  return id === undefined || (actor.userId !== null && actor.accountId === id) ? [] : ofAdmins(tx, 'partner', id)
}

function ofSupport(tx: Db): Reader[] {
  return operators(tx)
    .all()
    .map(({ userId }) => ({ userId, audience: 'support', readerOf: null }))
}

const newNotification = preparedInsert(notifications, (insert) => insert.prepare())

const notified = newWaker()

/** Calls back when there is an e-mail to write at once. */
export const onNotified = notified.listen

/** Tells of a record, each person once: never whoever did it, except of what concerns their own login. */
export function notify(tx: Db, actor: Actor, what: What, recordId: number): void {
  const rules = notifying[what.kind]
  if ('nobody' in rules || what.quiet) return
  const told = new Set<UserId>()
  let waits = false
  for (const rule of rules) {
    const readers = finders[rule.to](tx, actor, what, rule).filter(
      ({ userId, audience }) => !told.has(userId) && (audience === 'login' || userId !== actor.userId),
    )
    const ways = waysOf(
      tx,
      readers.map(({ userId }) => userId),
      rule.topic,
    )
    for (const reader of readers) {
      told.add(reader.userId)
      const mail = mailOf(rule, reader, ways.get(reader.userId))
      waits ||= mail === 'now'
      newNotification(tx).run({
        ...reader,
        recordId,
        topic: rule.topic,
        accountId: what.accountId ?? null,
        createdAt: actor.at,
        mail,
      })
    }
  }
  if (waits) notified.wake(tx)
}

/** A letter of its own is written by the act itself, where the reader wants it at once. Support has an address for them. */
function mailOf({ by }: ToldTo, { audience }: Reader, way: string | undefined): 'none' | 'now' | 'daily' {
  if (by === 'page' || way === 'off' || (by === 'letter' && audience === 'support')) return 'none'
  if (way === 'daily') return 'daily'
  return by === 'worker' ? 'now' : 'none'
}
