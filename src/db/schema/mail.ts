import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { AccountId, UserId } from '../ids.ts'
import { accounts } from './accounts.ts'
import { invitations } from './invitations.ts'
import { users } from './people.ts'

// The outbox: written in the transaction of what the letter tells about, sent by mail/worker.ts.
export const letters = sqliteTable(
  'letters',
  {
    id: integer().primaryKey(),
    messageId: text('message_id').notNull().unique(),
    email: text().notNull(),
    name: text().notNull(),
    subject: text().notNull(),
    search: text().notNull(),
    // Sealed (secrets.ts), since letters carry links; removed once a mail server has taken the letter.
    body: text(),
    invitationId: integer('invitation_id').references(() => invitations.id),
    // Whose letter it is, where that is known: it forgets the person when the user is deleted.
    userId: integer('user_id')
      .$type<UserId>()
      .references(() => users.id),
    // The account that it tells about: while that is deleted, the letter does not go out.
    accountId: integer('account_id')
      .$type<AccountId>()
      .references(() => accounts.id),
    // Why its reader gets it: checked again before it is sent (mail/reasons.ts).
    reason: text({ enum: ['none', 'invitation', 'token', 'member', 'admin', 'user', 'support'] })
      .notNull()
      .default('none'),
    // The account whose member or admin the reader must still be; of a removal, must not be again.
    readerOf: integer('reader_of')
      .$type<AccountId>()
      .references(() => accounts.id),
    // SHA-256 of the token in its link: of a password reset or a change of e-mail.
    tokenHash: text('token_hash'),
    state: text({ enum: ['waiting', 'sent', 'kept', 'failed', 'withdrawn'] })
      .notNull()
      .default('waiting'),
    // What goes first: 0 what somebody waits for, 1 what one person sent, 2 what a file brought.
    priority: integer().notNull().default(1),
    attempts: integer().notNull().default(0),
    error: text(),
    createdAt: integer('created_at').notNull(),
    dueAt: integer('due_at').notNull(),
    giveUpAt: integer('give_up_at').notNull(),
    doneAt: integer('done_at'),
  },
  (table) => [
    index('letters_due').on(table.priority, table.dueAt).where(sql`state = 'waiting'`),
    index('letters_state').on(table.state, table.createdAt),
    index('letters_created').on(table.createdAt),
    index('letters_invitation').on(table.invitationId),
    index('letters_email').on(table.email),
    index('letters_user').on(table.userId),
    index('letters_account').on(table.accountId),
    check('letters_reason', sql`reason in ('none', 'invitation', 'token', 'member', 'admin', 'user', 'support')`),
    check('letters_state', sql`state in ('waiting', 'sent', 'kept', 'failed', 'withdrawn')`),
  ],
)

// The people that an e-mail’s text names besides its reader: the text is deleted with any of them.
export const letterPeople = sqliteTable(
  'letter_people',
  {
    letterId: integer('letter_id')
      .notNull()
      .references(() => letters.id),
    userId: integer('user_id')
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
  },
  (table) => [primaryKey({ columns: [table.letterId, table.userId] }), index('letter_people_user').on(table.userId)],
)
