import type { FastifyInstance } from 'fastify'
import { apart } from '../../../db/apart.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { userIdOf } from '../../../web/request/address.ts'
import { supportActor } from '../../../web/request/viewer.ts'
import { findUser } from '../../data/users.ts'
import { resetTwoFactor } from '../../help/data.ts'
import { tellTwoFactor } from '../letter.ts'

export default async function twoFactorResetRoutes(app: FastifyInstance) {
  const { db } = app

  app.post(
    '/support/users/:user/two-factor/removal',
    { config: { can: 'support.user', confirm: true } },
    async (request, reply) => {
      const user = orNotFound(findUser(db, userIdOf(request)))
      const tell = tellTwoFactor(app, user, 'reset by Support')
      const done = resetTwoFactor(db, supportActor(request), user.id, { accountId: null, tell })
      return reply.seeOther(
        '/support/users',
        done
          ? apart`Two-factor login and passkeys of ${user.name} were reset, and all sessions ended.`
          : apart`${user.name} has no two-factor login, passkeys or single sign-on. Nothing was changed.`,
      )
    },
  )
}
