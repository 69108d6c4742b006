import type { FastifyInstance } from 'fastify'
import { apart } from '../../../db/apart.ts'
import { endApiToken } from '../../../people/tokens/data.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { idFrom } from '../../../web/request/address.ts'
import { supportActor } from '../../../web/request/viewer.ts'
import { userOf } from './scope.ts'

/** Support ends a token of a user, such as one that was stolen: the user is told. */
export function userTokens(app: FastifyInstance): void {
  app.post(
    '/support/users/:user/tokens/:apiToken/removal',
    { config: { can: 'support.user' } },
    async (request, reply) => {
      const { id } = userOf(request)
      const which = { userId: id, tokenId: idFrom(request, 'apiToken') }
      const token = orNotFound(endApiToken(app.db, supportActor(request), which))
      return reply.seeOther(
        `/support/users/${id}`,
        apart`The token ${token.name} was ended. Programs can no longer use it.`,
      )
    },
  )
}
