import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { letters } from './mail.ts'
import { users } from './people.ts'
import { records } from './records.ts'

// Who is told of a record. The line itself is made of the record when it is read, so nothing here names anybody.
export const notifications = sqliteTable(
  'notifications',
  {
    id: integer().primaryKey(),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    recordId: integer('record_id')
      .notNull()
      .references(() => records.id),
    // As what the reader is told: what they must still be to read it (records/data/entitled.ts).
    audience: text({
      enum: ['login', 'parted', 'person', 'sender', 'asker', 'admins', 'partner', 'support'],
    }).notNull(),
    // What the reader chooses e-mails by (records/topics.ts).
    topic: text().notNull(),
    // The account that it is about.
    accountId: integer('account_id')
      .$type<AccountId>()
      .references(() => accounts.id),
    // The account whose user the reader must still be.
    readerOf: integer('reader_of')
      .$type<AccountId>()
      .references(() => accounts.id),
    createdAt: integer('created_at').notNull(),
    readAt: integer('read_at'),
    // Whether an e-mail is still to be written: at once, or with the daily summary.
    mail: text({ enum: ['none', 'now', 'daily', 'written'] }).notNull(),
    letterId: integer('letter_id').references(() => letters.id),
  },
  (table) => [
    index('notifications_user').on(table.userId, table.id),
    index('notifications_unread').on(table.userId, table.id).where(sql`read_at is null`),
    index('notifications_waiting').on(table.mail, table.userId, table.id).where(sql`mail in ('now', 'daily')`),
    index('notifications_account').on(table.accountId, table.userId).where(sql`account_id is not null`),
    index('notifications_reader').on(table.readerOf, table.userId).where(sql`reader_of is not null`),
    index('notifications_letter').on(table.letterId).where(sql`letter_id is not null`),
    check(
      'notifications_audience',
      sql`audience in ('login', 'parted', 'person', 'sender', 'asker', 'admins', 'partner', 'support')`,
    ),
    check('notifications_mail', sql`mail in ('none', 'now', 'daily', 'written')`),
  ],
)

// How somebody wants to be told of a topic, where that is not as the panel would do it.
export const notificationChoices = sqliteTable(
  'notification_choices',
  {
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    topic: text().notNull(),
    way: text({ enum: ['now', 'daily', 'off'] }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.topic] }),
    check('notification_choices_way', sql`way in ('now', 'daily', 'off')`),
  ],
)
