import { and, asc, eq, gt, isNotNull } from 'drizzle-orm'
import { type Db, write } from '../../db/open.ts'
import { accountProviders, apiReplays, letters, sessions, users, webhooks } from '../../db/schema.ts'
import { atCommandLine, record } from '../../records/record.ts'
import { type Secrets, seal, unsealed } from '../../secrets.ts'
import { tie } from '../installation/data.ts'

/** What was sealed again, the sessions that ended, and how much stayed as it is because no key opens it. */
export type Resealed = {
  secondFactors: number
  letters: number
  webhooks: number
  providers: number
  sessions: number
  unreadable: number
}

const rowsAtOnce = 500

/** What is sealed, by the tables that hold it. */
const sealed = {
  secondFactors: { table: users, id: users.id, value: users.totpSecret, column: 'totpSecret' },
  letters: { table: letters, id: letters.id, value: letters.body, column: 'body' },
  webhooks: { table: webhooks, id: webhooks.id, value: webhooks.secret, column: 'secret' },
  providers: {
    table: accountProviders,
    id: accountProviders.accountId,
    value: accountProviders.clientSecret,
    column: 'clientSecret',
  },
  earlierOfWebhooks: { table: webhooks, id: webhooks.id, value: webhooks.earlierSecret, column: 'earlierSecret' },
} as const

/**
 * Seals everything again with the current key, and ends all sessions: all of it or nothing. What none of the keys opens
 * is already lost, and stays as it is.
 */
export function sealAnew(db: Db, secrets: Secrets, at: number, beforeCommit: () => void): Resealed {
  return write(db, atCommandLine(at), (tx) => {
    const secondFactors = sealTable(tx, secrets, 'secondFactors')
    const ofLetters = sealTable(tx, secrets, 'letters')
    const ofWebhooks = sealTable(tx, secrets, 'webhooks')
    const earlier = sealTable(tx, secrets, 'earlierOfWebhooks')
    const ofProviders = sealTable(tx, secrets, 'providers')
    const done = {
      secondFactors: secondFactors.done,
      letters: ofLetters.done,
      webhooks: ofWebhooks.done,
      providers: ofProviders.done,
      sessions: tx.delete(sessions).run().changes,
      unreadable: [secondFactors, ofLetters, ofWebhooks, earlier, ofProviders].reduce(
        (all, { unreadable }) => all + unreadable,
        0,
      ),
    }
    // They are sealed, too, and of use for a day alone.
    tx.delete(apiReplays).run()
    tie(tx, secrets, at)
    record(tx, atCommandLine(at), { kind: 'installation.secrets-rotated', change: { sessions: [done.sessions, 0] } })
    beforeCommit()
    return done
  })
}

function sealTable(tx: Db, secrets: Secrets, what: keyof typeof sealed): { done: number; unreadable: number } {
  const { table, id, value, column } = sealed[what]
  let after = 0
  for (let [done, unreadable] = [0, 0]; ; ) {
    const rows = tx
      .select({ id, value })
      .from(table)
      .where(and(isNotNull(value), gt(id, after)))
      .orderBy(asc(id))
      .limit(rowsAtOnce)
      .all()
    for (const row of rows) {
      after = row.id
      const text = unsealed(secrets, row.value ?? '')
      if (text === undefined) {
        unreadable++
        continue
      }
      tx.update(table)
        .set({ [column]: seal(secrets, text) })
        .where(eq(id, row.id))
        .run()
      done++
    }
    if (rows.length < rowsAtOnce) return { done, unreadable }
  }
}
