import type { FastifyRequest } from 'fastify'
import { changeSeveral, type SeveralResult } from '../../../web/answer/several.ts'
import { actor } from '../../../web/request/viewer.ts'
import type { TickedAct, Typed } from './acts.ts'
import { findTicked } from './data.ts'

export const notYours = 'no longer one of your customers'

/**
 * Changes customers one by one, by their identifiers; each transaction reads again whose customer it is. `since` is the time of
 * the act that is undone: what was done later stays. Says when it was done.
 */
export async function changeTicked(
  request: FastifyRequest,
  act: TickedAct,
  identifiers: string[],
  { since, ...typed }: Typed & { since: number | undefined },
): Promise<SeveralResult<string> & { at: number }> {
  const partnerId = request.member.account.id
  const context = { actor: actor(request), partnerId, mail: request.server.mailContext }
  const result = await changeSeveral(request, identifiers, {
    change: (tx, identifier) => {
      const customer = findTicked(tx, partnerId, identifier)
      if (!customer) return notYours
      const why = act.why(customer, typed)
      if (why !== undefined) return why
      if (since !== undefined && act.undone && act.undone.at(tx, partnerId, customer) !== since) return act.undone.later
      return act.change(tx, context, customer, typed)
    },
    words: (done) => act.done(done, typed),
    gone: notYours,
  })
  return { ...result, at: context.actor.at }
}
