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

const notSavedNow = 'this could not be saved: try again'

/**
 * Changes customers one by one. Each has a transaction of its own, in which the right to do it is read again, and whose
 * customer it is; other requests come between. What is wrong with one of them stops no other. When the right ends on the
 * way, or nothing can be saved any more, the rest is left as it is.
 */
export async function changeTicked(
  request: FastifyRequest,
  act: TickedAct,
  identifiers: string[],
  typed: Typed,
): Promise<TickedResult> {
  const { db, storage, mailContext: mail } = request.server
  const partnerId = request.member.account.id
  const by = actor(request)
  const context = { actor: by, partnerId, mail }
  const result: TickedResult = { done: 0, left: [] }

  const change = (identifier: string): string | undefined =>
    write(db, { stillMay: (tx) => mustGoOn(tx) }, (tx) => {
      const customer = findTicked(tx, partnerId, identifier)
      if (!customer) return notYours
      return act.why(customer, typed) ?? act.change(tx, context, customer, typed)
    })

  for (const [n, identifier] of identifiers.entries()) {
    try {
      const why = change(identifier)
      if (why === undefined) result.done += 1
      else result.left.push({ identifier, why })
    } catch (error) {
      if (error instanceof RightEnded) throw n === 0 ? error.cause : noLonger(act.done(result.done, typed))
      if (storage.note(error)) {
        if (result.done === 0) throw error
        result.left.push(...identifiers.slice(n).map((rest) => ({ identifier: rest, why: notSavedNow })))
        return result
      }
      result.left.push({ identifier, why: whyNotChanged(request, error) })
    }
    await setImmediate()
  }
  return result

  function mustGoOn(tx: Db): void {
    try {
      by.stillMay?.(tx)
    } catch (cause) {
      throw cause instanceof Refusal || cause instanceof LogInFirst ? new RightEnded(cause) : cause
    }
  }
}

/** It is the actor who may do nothing more: an act can refuse one customer with the same kind of error. */
class RightEnded extends Error {
  override readonly cause: Refusal | LogInFirst

  constructor(cause: Refusal | LogInFirst) {
    super(cause.message)
    this.cause = cause
  }
}

const noLonger = (done: string) => new Refusal(403, 'You can no longer do this', `${done} The rest was left as it was.`)

function whyNotChanged(request: FastifyRequest, error: unknown): string {
  if (error instanceof Refusal && error.status === 404) return notYours
  if (error instanceof TooMany || error instanceof Refusal) return error.message
  request.log.error({ err: error }, 'one of several customers could not be changed')
  return notSavedNow
}
