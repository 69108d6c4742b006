import type { FastifyInstance } from 'fastify'
import { write } from '../../db/open.ts'
import { actor } from '../../web/request/viewer.ts'
import { idOf, invitationActs } from './acts.ts'
import { acceptInvitation } from './data/accepting.ts'
import { welcome } from './welcome.ts'

export default async function invitationRoutes(app: FastifyInstance) {
  const { db, config, postLetter } = app

  invitationActs(app, {
    base: '/customer/invitations',
    config: { can: 'member.invite', inAccount: true },
    accountOf: (request) => request.member.account,
    actor,
    sender: (request) => ({ post: postLetter, publicUrl: config.publicUrl, inviter: request.member.user.name }),
    handler: () => 'own',
    list: () => '/customer/users',
    area: 'account',
    copies: true,
  })

  app.post('/my-invitations/:id/acceptance', { config: { can: 'home.see' } }, async (request, reply) => {
    const by = actor(request)
    const accepted = write(db, by, (tx) =>
      acceptInvitation(tx, by, { id: idOf(request), userId: by.userId, way: 'home' }),
    )
    return (accepted && welcome(reply, accepted)) ?? reply.seeOther('/', 'This invitation is no longer open.')
  })
}
