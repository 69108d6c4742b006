import { and, asc, eq, gt, isNotNull } from 'drizzle-orm'
import { type Db, write } from '../db/open.ts'
import { letters, sessions, users } from '../db/schema.ts'
import { atCommandLine, record } from '../history/record.ts'
import { tie } from '../installation/data.ts'
import { type Secrets, seal, unseal } from '../secrets.ts'

export type Resealed = { secondFactors: number; letters: number; sessions: number }

const rowsAtOnce = 500

/** What is sealed, by the tables that hold it. */
const sealed = {
  secondFactors: { table: users, id: users.id, value: users.totpSecret, column: 'totpSecret' },
  letters: { table: letters, id: letters.id, value: letters.body, column: 'body' },
} as const

/**
 * Seals everything anew with the key in use, and ends all sessions: all of it or nothing. Throws when
 * something opens with none of the keys.
 */
export function sealAnew(db: Db, secrets: Secrets, at: number, beforeCommit: () => void): Resealed {
  return write(db, atCommandLine(at), (tx) => {
    const done = {
      secondFactors: sealTable(tx, secrets, 'secondFactors'),
      letters: sealTable(tx, secrets, 'letters'),
      sessions: tx.delete(sessions).run().changes,
    }
    tie(tx, secrets, at)
    record(tx, atCommandLine(at), { kind: 'installation.secrets-rotated', change: { sessions: [done.sessions, 0] } })
    beforeCommit()
    return done
  })
}

function sealTable(tx: Db, secrets: Secrets, what: keyof typeof sealed): number {
  const { table, id, value, column } = sealed[what]
  let after = 0
  for (let done = 0; ; ) {
    const rows = tx
      .select({ id, value })
      .from(table)
      .where(and(isNotNull(value), gt(id, after)))
      .orderBy(asc(id))
      .limit(rowsAtOnce)
      .all()
    for (const row of rows) {
      tx.update(table)
        .set({ [column]: seal(secrets, unseal(secrets, row.value ?? '')) })
        .where(eq(id, row.id))
        .run()
      after = row.id
    }
    done += rows.length
    if (rows.length < rowsAtOnce) return done
  }
}
