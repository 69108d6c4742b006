import { and, asc, eq, gt } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { UserId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import {
  accounts,
  listChoices,
  notificationChoices,
  notifications,
  records,
  savedViews,
} from '../../../../db/schema.ts'
import { isEntitled } from '../../../../records/data/entitled.ts'
import { pageSize, pages } from './pages.ts'
import type { Section } from './section.ts'

const asMemberOf = alias(accounts, 'as_member_of')

/** What somebody was told of and may still read, without what others did in it, and how they want to be told and see their lists. */
export function ofChoices(db: Db, userId: UserId): Section[] {
  return [
    {
      name: 'notifications',
      rows: () =>
        pages((after) =>
          db
            .select({
              id: notifications.id,
              row: {
                what: records.kind,
                topic: notifications.topic,
                account: accounts.identifier,
                toldAs: notifications.audience,
                memberOf: asMemberOf.identifier,
                createdAt: notifications.createdAt,
                readAt: notifications.readAt,
                email: notifications.mail,
              },
            })
            .from(notifications)
            .innerJoin(records, eq(records.id, notifications.recordId))
            .leftJoin(accounts, eq(accounts.id, notifications.accountId))
            .leftJoin(asMemberOf, eq(asMemberOf.id, notifications.readerOf))
            .where(and(eq(notifications.userId, userId), gt(notifications.id, after), isEntitled))
            .orderBy(asc(notifications.id))
            .limit(pageSize)
            .all(),
        ),
    },
    {
      name: 'notificationChoices',
      rows: () =>
        db
          .select({ topic: notificationChoices.topic, way: notificationChoices.way })
          .from(notificationChoices)
          .where(eq(notificationChoices.userId, userId))
          .orderBy(asc(notificationChoices.topic))
          .all(),
    },
    {
      name: 'listChoices',
      rows: () =>
        db
          .select({ list: listChoices.list, query: listChoices.query })
          .from(listChoices)
          .where(eq(listChoices.userId, userId))
          .orderBy(asc(listChoices.list))
          .all(),
    },
    {
      name: 'savedViews',
      rows: () =>
        db
          .select({
            account: accounts.identifier,
            list: savedViews.list,
            name: savedViews.name,
            search: savedViews.search,
            query: savedViews.query,
          })
          .from(savedViews)
          .leftJoin(accounts, eq(accounts.id, savedViews.accountId))
          .where(eq(savedViews.userId, userId))
          .orderBy(asc(savedViews.id))
          .all(),
    },
  ]
}
