import { setImmediate } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { type Db, write } from '../../../db/open.ts'
import { TooMany } from '../../../mail/pace.ts'
import { LogInFirst, Refusal } from '../../../web/answer/errors.ts'
import { actor } from '../../../web/request/viewer.ts'
import type { TickedAct, Typed } from './acts.ts'
import { findTicked } from './data.ts'

/** What became of several customers: how many were changed, and of the others why not. */
export type TickedResult = { done: number; left: { identifier: string; why: string }[] }

export const notYours = 'no longer one of your customers'

/**
 * Changes customers one by one. Each has a transaction of its own, in which the right to do it is read again, and whose
 * customer it is; other requests come between. When the right ends on the way, the rest is left as it is.
 */
export async function changeTicked(
  request: FastifyRequest,
  act: TickedAct,
  identifiers: string[],
  typed: Typed,
): Promise<TickedResult> {
  const { db, mailContext: mail } = request.server
  const partnerId = request.member.account.id
  const context = { actor: actor(request), partnerId, mail }
  const result: TickedResult = { done: 0, left: [] }

  const change = (tx: Db, identifier: string): string | undefined => {
    const customer = findTicked(tx, partnerId, identifier)
    if (!customer) return notYours
    return act.why(customer, typed) ?? act.change(tx, context, customer, typed)
  }

  for (const [n, identifier] of identifiers.entries()) {
    const why = attempt(() => write(db, context.actor, (tx) => change(tx, identifier)), n, result.done)
    if (why === undefined) result.done += 1
    else result.left.push({ identifier, why })
    await setImmediate()
  }
  return result

  function attempt(one: () => string | undefined, n: number, done: number): string | undefined {
    try {
      return one()
    } catch (error) {
      if (error instanceof TooMany) return error.message
      if (n === 0) throw error
      if (error instanceof Refusal || error instanceof LogInFirst)
        throw new Refusal(403, 'You can no longer do this', `${act.done(done, typed)} The rest was left as it was.`)
      request.server.storage.note(error)
      request.log.error({ err: error }, 'one of several customers could not be changed')
      return 'this could not be saved: try again'
    }
  }
}
