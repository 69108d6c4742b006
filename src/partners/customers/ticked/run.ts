import type { FastifyRequest } from 'fastify'
import { changeSeveral, type SeveralResult } from '../../../web/answer/several.ts'
import { actor } from '../../../web/request/viewer.ts'
import type { TickedAct, Typed } from './acts.ts'
import { findTicked } from './data.ts'

export const notYours = 'no longer one of your customers'

/** Changes customers one by one, by their identifiers; each transaction reads again whose customer it is. */
export async function changeTicked(
  request: FastifyRequest,
  act: TickedAct,
  identifiers: string[],
  typed: Typed,
): Promise<SeveralResult<string>> {
  const partnerId = request.member.account.id
  const context = { actor: actor(request), partnerId, mail: request.server.mailContext }
  return changeSeveral(request, identifiers, {
    change: (tx, identifier) => {
      const customer = findTicked(tx, partnerId, identifier)
      if (!customer) return notYours
      return act.why(customer, typed) ?? act.change(tx, context, customer, typed)
    },
    words: (done) => act.done(done, typed),
    gone: notYours,
  })
}
