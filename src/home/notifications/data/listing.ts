import { and, eq, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import { keptCount } from '../../../db/counting.ts'
import type { AccountId, UserId } from '../../../db/ids.ts'
import { readJson } from '../../../db/json.ts'
import { isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import { type Db, write } from '../../../db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared } from '../../../db/prepared.ts'
import { accounts, invitations, notifications, projects, records, users } from '../../../db/schema.ts'
import { accountRenames, nameAt, userRenames } from '../../../history/names/data.ts'
import { listResources } from '../../../quotas/resources/data.ts'
import { isEntitled } from '../../../records/data/entitled.ts'
import type { RecordKind } from '../../../records/kinds.ts'
import type { Change, Person } from '../../../records/record.ts'
import type { Topic } from '../../../records/topics.ts'
import { lineOf, plainWords, type ToldLine } from '../words.ts'

/** A line as the page and e-mails show it. */
export type Notification = ToldLine & {
  id: number
  at: number
  readAt: number | null
  topic: Topic
  /** Of which the reader is told as a user. */
  readerOf: AccountId | null
  /** The users that it names. */
  people: UserId[]
}

export const notificationList = {
  name: 'notifications',
  id: notifications.id,
  idOf: ({ id }) => id,
  sorts: { newest: { words: 'Newest first', column: notifications.id, order: 'desc', value: ({ id }) => id } },
  columns: {
    when: { file: ({ at }) => isoTime(at) },
    what: { file: ({ parts }) => plainWords(parts) },
    detail: { file: ({ detail }) => detail },
    read: { file: ({ readAt }) => isoTime(readAt) },
  },
  filters: { state: { unread: 'Unread' } },
} as const satisfies ListSpec<Notification>

export type NotificationFilter = keyof typeof notificationList.filters

const isUnread = sql`notifications.read_at is null`

/** What somebody was told and may still read. */
export function listNotifications(db: Db, userId: UserId, query: ListQuery<NotificationFilter>): List<Notification> {
  const values = { userId }
  const mine = and(equals(notifications.userId, placeholdersOf(values).userId), isEntitled)
  return readPage(db, notificationList, query, {
    values,
    narrowed: query.filters.state ? isUnread : undefined,
    rows: ({ where, orderBy, limit }) =>
      selectLines(db)
        .where(and(mine, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db.select({ id: notifications.id }).from(notifications).where(and(mine, where)).limit(limit),
    seen: (rows) => linesOf(db, rows),
  })
}

/** Those that this holds for and that their readers may still read, the newest first. */
export function readLines(db: Db, which: SQL | undefined, most: number): Notification[] {
  const rows = selectLines(db).where(and(which, isEntitled)).orderBy(sql`notifications.id desc`).limit(most).all()
  return linesOf(db, rows)
}

const actor = alias(users, 'actor')
const subject = alias(users, 'subject')
const actorAccount = alias(accounts, 'actor_account')
const readerAccount = alias(accounts, 'reader_account')

type PlaceColumn = 'id' | 'name' | 'identifier' | 'version' | 'kind' | 'deletedAt'

const placeOf = <Table extends Record<PlaceColumn, unknown>>(table: Table): Pick<Table, PlaceColumn> => ({
  id: table.id,
  name: table.name,
  identifier: table.identifier,
  version: table.version,
  kind: table.kind,
  deletedAt: table.deletedAt,
})

function selectLines(db: Db) {
  return db
    .select({
      id: notifications.id,
      userId: notifications.userId,
      at: notifications.createdAt,
      readAt: notifications.readAt,
      topic: notifications.topic,
      audience: notifications.audience,
      recordId: notifications.recordId,
      kind: records.kind,
      bySupport: records.bySupport,
      change: records.change,
      actorId: records.actorId,
      actor: actor.name,
      byService: actor.service,
      actorAccount: placeOf(actorAccount),
      subjectId: records.userId,
      subject: subject.name,
      ofService: subject.service,
      account: placeOf(accounts),
      reader: placeOf(readerAccount),
      project: { id: projects.id, name: projects.name, identifier: projects.identifier, version: projects.version },
      invited: invitations.name,
    })
    .from(notifications)
    .innerJoin(records, eq(records.id, notifications.recordId))
    .leftJoin(actor, eq(actor.id, records.actorId))
    .leftJoin(actorAccount, eq(actorAccount.id, records.actorAccountId))
    .leftJoin(subject, eq(subject.id, records.userId))
    .leftJoin(accounts, eq(accounts.id, notifications.accountId))
    .leftJoin(readerAccount, eq(readerAccount.id, notifications.readerOf))
    .leftJoin(projects, eq(projects.id, records.projectId))
    .leftJoin(invitations, eq(invitations.id, records.invitationId))
    .$dynamic()
}

type RawLine = ReturnType<ReturnType<typeof selectLines>['all']>[number]

/** With names as they were when it happened: what something is called later may not be the reader’s business. */
function linesOf(db: Db, rows: RawLine[]): Notification[] {
  const people = rows.flatMap(({ actorId, subjectId }) => [actorId, subjectId].filter((id) => id !== null))
  const renamed = rows.flatMap(({ account, actorAccount, project }) => [
    ...[account, actorAccount].flatMap((place) => (place && place.version > 1 ? [place.id] : [])),
    ...(project && project.version > 1 && account ? [account.id] : []),
  ])
  const ofUsers = userRenames(db, people)
  const renames = accountRenames(db, new Set(renamed))
  const resources = listResources(db)
  return rows.map((row) => {
    const { id, userId, at, readAt, recordId, actorId, subjectId, account, actorAccount, project } = row
    const person = (who: UserId | null, name: string | null) =>
      who === null || name === null ? null : nameAt(name, recordId, ofUsers.get(who)).name
    const place = (of: RawLine['account']) =>
      of && { ...of, name: nameAt(of.name || of.identifier, recordId, renames.accounts.get(of.id)).name }
    const told = {
      ...row,
      kind: row.kind as RecordKind,
      byReader: actorId === userId,
      actor: person(actorId, row.actor),
      subject: person(subjectId, row.subject),
      account: place(account),
      actorAccount: place(actorAccount),
      project: project && {
        ...project,
        name: nameAt(project.name || project.identifier, recordId, renames.projects.get(project.id)).name,
      },
      change: readJson<Change>(row.change, {}),
    }
    return {
      ...lineOf(told, resources),
      id,
      at,
      readAt,
      topic: row.topic as Topic,
      readerOf: row.reader?.id ?? null,
      people: [actorId, subjectId].filter((who) => who !== null && who !== userId) as UserId[],
    }
  })
}

/** More are not counted. */
export const mostUnread = 99

const unreadOf = prepared((db, { userId }: Placeholders<{ userId: UserId }>) =>
  db
    .select({ n: sql<number>`count(*)` })
    .from(
      sql`(select 1 from notifications where user_id = ${userId} and read_at is null and ${isEntitled}
        limit ${mostUnread + 1})`,
    )
    .prepare(),
)

/** How many lines somebody has not read, up to one more than `mostUnread`. */
export function countUnread(db: Db, userId: UserId): number {
  return keptCount(db, `unread of ${userId}`, () => unreadOf(db).get({ userId })?.n ?? 0)
}

const newestOf = prepared((db, { userId }: Placeholders<{ userId: UserId }>) =>
  db
    .select({ id: sql<number | null>`max(${notifications.id})` })
    .from(notifications)
    .where(equals(notifications.userId, userId))
    .prepare(),
)

/** The id of the newest line of somebody; 0 without one. */
export function newestNotification(db: Db, userId: UserId): number {
  return newestOf(db).get({ userId })?.id ?? 0
}

/** Marks as read what somebody was told up to a line. Returns how many there were. */
export function markRead(db: Db, actor: Person, until: number): number {
  const mine = and(eq(notifications.userId, actor.userId), isUnread, sql`notifications.id <= ${until}`)
  return write(db, actor, (tx) => tx.update(notifications).set({ readAt: actor.at }).where(mine).run().changes)
}
