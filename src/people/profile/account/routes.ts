import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { findOwnAccount } from '../../../accounts/data/switcher.ts'
import { foreseeEnd } from '../../../accounts/endings/data/foreseeing.ts'
import { removeMember } from '../../../accounts/members/data.ts'
import { apart } from '../../../db/apart.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { actor } from '../../../web/request/viewer.ts'

export default async function accountLeavingRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/profile/accounts/:identifier/removal', { config: { can: 'membership.leave' } }, async (request, reply) =>
    showLeaving(request, reply, ''),
  )

  app.post('/profile/accounts/:identifier/removal', { config: { can: 'membership.leave' } }, async (request, reply) => {
    const account = ownAccount(request)
    const left = removeMember(
      db,
      actor(request),
      { accountId: account.id, userId: request.signedIn.id },
      { exit: 'member.left' },
    )
    if (left === 'last-admin') {
      return showLeaving(
        request,
        reply.code(422),
        apart`You are the last admin of ${account.name}. Make somebody else an admin first.`,
      )
    }
    orNotFound(left)
    return reply.seeOther('/profile', apart`You have left ${account.name}.`)
  })

  function ownAccount(request: FastifyRequest) {
    const { identifier } = request.params as { identifier: string }
    return orNotFound(findOwnAccount(db, request.signedIn.id, identifier))
  }

  function showLeaving(request: FastifyRequest, reply: FastifyReply, problem: string) {
    const account = ownAccount(request)
    return reply.page('people/profile/leaving', {
      title: apart`Leave ${account.name}`,
      own: account,
      problem,
      ends: foreseeEnd(db, { accountId: account.id, userId: request.signedIn.id }, app.now()),
    })
  }
}
