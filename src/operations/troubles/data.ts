import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import { type Db, writeUnchecked } from '../../db/open.ts'
import { troubles, users } from '../../db/schema.ts'
import type { MailContext } from '../../mail/outbox.ts'
import { dateTime } from '../../web/format.ts'
import { forReader } from '../../web/reader.ts'

type Kind = (typeof troubles.$inferSelect)['kind']

/** What fails. `words` say why, as whole sentences. */
export type Trouble = { kind: Kind; since: number; words: string }

const day = 24 * 3_600_000

/**
 * Notes what fails now, and forgets what no longer fails. Once something has failed for a day, each operator with a
 * confirmed address gets one e-mail about it.
 */
export function noteTroubles(db: Db, current: Trouble[], at: number, mail: MailContext): void {
  const known = db.select().from(troubles).all()
  if (known.length + current.length === 0) return
  writeUnchecked(db, (tx) => {
    for (const { kind } of known)
      if (!current.some((trouble) => trouble.kind === kind)) tx.delete(troubles).where(eq(troubles.kind, kind)).run()
    for (const trouble of current) {
      const { kind } = trouble
      tx.insert(troubles).values({ kind, since: trouble.since }).onConflictDoNothing().run()
      const noted = tx.select().from(troubles).where(eq(troubles.kind, kind)).get()
      if (!noted || noted.toldAt !== null || at - noted.since < day) continue
      tellSupport(tx, { ...trouble, since: noted.since }, at, mail)
      tx.update(troubles).set({ toldAt: at }).where(eq(troubles.kind, kind)).run()
    }
  })
}

const subjects: Record<Kind, string> = {
  backups: 'No backup was made for more than a day',
  copies: 'Backups were not copied for more than a day',
  mail: 'E-mails were not sent for more than a day',
  replica: 'The replica was not kept up to date for more than a day',
}

const toDo: Record<Kind, string> = {
  backups: 'If this machine fails, everything since the last backup is lost. Find out why none is made.',
  copies: 'If this machine fails, its backups may be lost with it. Find out why they are not copied.',
  mail: 'They waited. If you read this as an e-mail, the mail server takes e-mails again. Some may have failed for good: they can be sent again.',
  replica: 'If this machine fails, everything since the last backup may be lost. Find out why the replica is behind.',
}

function tellSupport(
  tx: Db,
  { kind, since, words }: Trouble,
  at: number,
  { post, publicUrl, panelName }: MailContext,
): void {
  const operators = tx
    .select({
      id: users.id,
      name: users.name,
      email: users.email,
      timeZone: users.timeZone,
      numbers: users.numbers,
    })
    .from(users)
    .where(
      and(eq(users.operator, true), isNull(users.disabledAt), isNull(users.deletedAt), isNotNull(users.emailProvedAt)),
    )
    .all()
  const page = kind === 'mail' ? 'Mail' : 'Backups'
  for (const { id, name, email, ...reads } of operators)
    post(tx, at, {
      kind: 'notice',
      email,
      name,
      reason: { because: 'support', userId: id },
      data: {
        subject: `${panelName}: ${subjects[kind]}`,
        paragraphs: [words, toDo[kind]],
        facts: [{ name: 'Since', value: forReader(reads, () => dateTime(since)) }],
        link: { words: `Open Support Area → ${page}`, to: `${publicUrl}/support/${page.toLowerCase()}` },
      },
    })
}
