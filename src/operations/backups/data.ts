import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { searchText } from '../../db/fold.ts'
import { betweenDays, isoTime, type List, type ListQuery, type ListSpec, readPage } from '../../db/list.ts'
import { type Db, write } from '../../db/open.ts'
import { placeholdersOf } from '../../db/prepared.ts'
import {
  apiTokens,
  emailChanges,
  invitationTokens,
  letters,
  passwordResets,
  sessions,
  throttles,
} from '../../db/schema.ts'
import { holds, searchWords } from '../../db/search.ts'
import { type LetterRow, openBody } from '../../mail/outbox.ts'
import { notSent } from '../../mail/reasons.ts'
import { type Actor, atCommandLine, record } from '../../records/record.ts'
import type { Secrets } from '../../secrets.ts'
import type { BackupFile } from './folder.ts'

/**
 * Ends what a backup brings back though it may have ended since: sessions, API tokens, and every link that acts for
 * its reader. Letters that hold such a link go out no more; invitations stay, to be sent again.
 */
export function endWhatWasOpen(db: Db, secrets: Secrets, at: number, madeAt: number | undefined) {
  return write(db, atCommandLine(at), (tx) => {
    const ended = {
      sessions: tx.delete(sessions).run().changes,
      links:
        tx.delete(passwordResets).run().changes +
        tx.delete(emailChanges).run().changes +
        tx.update(invitationTokens).set({ supersededAt: at }).where(isNull(invitationTokens.supersededAt)).run()
          .changes,
      tokens: tx.update(apiTokens).set({ endedAt: at, remindAt: null }).where(isNull(apiTokens.endedAt)).run().changes,
      letters: withdrawLettersWithLinks(tx, secrets, at),
    }
    tx.delete(throttles).run()
    record(tx, atCommandLine(at), {
      kind: 'installation.restored',
      change: { backup: [null, madeAt === undefined ? 'of unknown time' : new Date(madeAt).toISOString()] },
    })
    return ended
  })
}

/** The addresses of links that act for their reader, once. */
const link = /\/(?:invitations|password-reset|profile\/email)\/[\w-]{43}/

const restored = 'its link ended when a backup was restored'

function withdrawLettersWithLinks(tx: Db, secrets: Secrets, at: number): number {
  const dead = tx
    .select()
    .from(letters)
    .where(isNotNull(letters.body))
    .all()
    .filter((letter) => holdsLink(secrets, letter))
  for (const { id, state } of dead)
    tx.update(letters)
      .set(state === 'kept' ? { body: null } : { body: null, state: 'withdrawn', error: notSent(restored), doneAt: at })
      .where(eq(letters.id, id))
      .run()
  return dead.length
}

/** A letter that cannot be read cannot go out either. */
function holdsLink(secrets: Secrets, letter: LetterRow): boolean {
  try {
    return link.test(openBody(secrets, letter)?.html ?? '')
  } catch {
    return true
  }
}

/** Begins a backup while the actor may, and records it. Returns its name; undefined where `begin` began none. */
export function beginBackup(db: Db, actor: Actor, begin: () => string | undefined): string | undefined {
  return write(db, actor, (tx) => {
    const name = begin()
    if (name) record(tx, actor, { kind: 'installation.backed-up', change: { backup: [null, name] } })
    return name
  })
}

/** As SQLite sees the folder’s files for a query: a table that exists nowhere, so that the list is as any other. */
const backupFiles = sqliteTable('backup_files', {
  id: integer().primaryKey(),
  name: text().notNull(),
  kind: text().notNull(),
  at: integer().notNull(),
  size: integer().notNull(),
  state: text().notNull(),
})

export type BackupRow = BackupFile & { id: number }

export const backupList = {
  name: 'backups',
  id: backupFiles.id,
  idOf: (backup) => backup.id,
  sorts: {
    made: { words: 'Newest first', column: backupFiles.at, order: 'desc', value: (backup) => backup.at },
    size: { words: 'Largest first', column: backupFiles.size, order: 'desc', value: (backup) => backup.size },
  },
  columns: {
    file: { head: 'File', look: 'main', file: ({ name }) => name },
    kind: { head: 'Kind', look: 'wide', file: ({ kind }) => kind },
    made: { head: 'Made', look: 'muted', file: ({ at }) => isoTime(at) },
    age: { head: 'Age', look: 'wide muted' },
    bytes: { head: 'Size', look: 'num wide', file: ({ size }) => size },
    state: { head: 'State', file: ({ state }) => state },
  },
  filters: {
    kind: { scheduled: 'Scheduled', manual: 'By hand', 'before-migration': 'Before a migration', other: 'Other' },
    state: { good: 'Good', keyless: 'Without its key', unchecked: 'Not checked', unfinished: 'Unfinished' },
    from: 'day',
    until: 'day',
  },
} as const satisfies ListSpec<BackupRow>

export type BackupFilter = keyof typeof backupList.filters

/** The files of the folder of backups, which are its only record. */
export function listBackups(db: Db, files: BackupFile[], query: ListQuery<BackupFilter>): List<BackupRow> {
  const { kind, state, from, until } = query.filters
  const rows = files.map((file, n) => ({ ...file, id: files.length - n, text: searchText(file.name) }))
  const values = { files: JSON.stringify(rows) }
  const cell = (name: string) => sql`value ->> ${name} as ${sql.identifier(name)}`
  const cells = sql.join(['id', 'name', 'kind', 'at', 'size', 'state', 'text'].map(cell), sql`, `)
  const table = sql`(select ${cells} from json_each(${placeholdersOf(values).files})) as backup_files`
  return readPage(db, backupList, query, {
    values,
    narrowed: and(
      kind ? eq(backupFiles.kind, kind) : undefined,
      state ? eq(backupFiles.state, state) : undefined,
      betweenDays(backupFiles.at, from, until),
      holds(sql`text`, searchWords(query.q)),
    ),
    rows: ({ where, orderBy, limit }) =>
      db
        .select({
          id: sql<number>`id`,
          name: sql<string>`name`,
          kind: sql<BackupFile['kind']>`kind`,
          at: sql<number>`at`,
          size: sql<number>`size`,
          state: sql<BackupFile['state']>`state`,
        })
        .from(table)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) => db.select({ one: sql`id` }).from(table).where(where).limit(limit),
    seen: (rows) => rows,
  })
}
