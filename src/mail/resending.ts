import { and, asc, eq, gt } from 'drizzle-orm'
import { type Db, write } from '../db/open.ts'
import { letters } from '../db/schema.ts'
import { tellAnew } from '../records/data/telling-anew.ts'
import { type Actor, record } from '../records/record.ts'
import { canGoAgain, findLetter } from './listing.ts'
import { giveUpAfter, withdrawn } from './outbox.ts'
import { whyNotSent } from './reasons.ts'

/** Sends a failed or kept e-mail again, as soon as possible, unless there is nothing to send or its reason is gone. */
export function sendAgain(db: Db, actor: Actor, id: number): 'again' | 'nothing' | { whyNot: string } {
  return write(db, actor, (tx) => {
    const letter = findLetter(tx, id)
    if (!letter?.body || letter.state === 'sent' || letter.state === 'withdrawn') return 'nothing'
    const whyNot = whyNotSent(tx, letter, actor.at)
    if (whyNot !== undefined) {
      tx.update(letters).set(withdrawn(whyNot, actor.at)).where(eq(letters.id, id)).run()
      tellAnew(tx, [id])
      return { whyNot }
    }
    tx.update(letters)
      .set({
        state: 'waiting',
        attempts: 0,
        error: null,
        dueAt: actor.at,
        giveUpAt: actor.at + giveUpAfter,
        doneAt: null,
      })
      .where(eq(letters.id, id))
      .run()
    record(tx, actor, { kind: 'letter.sent-again', letterId: id })
    return 'again'
  })
}

/** So many are sent again in one transaction: other requests come between. */
const againAtOnce = 100

/** Sends every failed e-mail again, as `sendAgain` does. Returns how many are sent, and how many were withdrawn instead. */
export async function sendAllFailedAgain(db: Db, actor: Actor): Promise<{ again: number; withdrawn: number }> {
  const done = { again: 0, withdrawn: 0 }
  for (let last = 0; ; ) {
    const ids = db
      .select({ id: letters.id })
      .from(letters)
      .where(and(canGoAgain, gt(letters.id, last)))
      .orderBy(asc(letters.id))
      .limit(againAtOnce)
      .all()
    if (ids.length === 0) return done
    write(db, actor, (tx) => {
      for (const { id } of ids) {
        const how = sendAgain(tx, actor, id)
        if (how === 'again') done.again += 1
        else if (how !== 'nothing') done.withdrawn += 1
      }
    })
    last = ids.at(-1)?.id ?? 0
    await new Promise((resolve) => setImmediate(resolve))
  }
}
