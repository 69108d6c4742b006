import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import { write } from '../../../db/open.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { userIdOf } from '../../../web/request/address.ts'
import { readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import { foreseeEnd } from '../../endings/data/foreseeing.ts'
import { tellRemoved } from '../../notices/data/notices.ts'
import { findMember, removeMember } from '../data.ts'
import { lastAdminWords } from '../page.ts'

/** `keep`: the invitations that the person sent go over to the admin who removes them. */
const removal = z.strictObject({ keep: z.literal('yes').optional() })

export default async function memberRemovalRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/customer/users/:user/removal', { config: { can: 'member.change' } }, async (request, reply) =>
    showRemoval(request, reply, ''),
  )

  app.post(
    '/customer/users/:user/removal',
    { config: { can: 'member.change', inAccount: true } },
    async (request, reply) => {
      const { account, user } = request.member
      const { input } = readForm(removal, request.body)
      const by = actor(request)
      const keptBy = input?.keep === 'yes' && userIdOf(request) !== user.id ? by : undefined
      const removed = orNotFound(
        write(db, by, (tx) => {
          const member = removeMember(
            tx,
            by,
            { accountId: account.id, userId: userIdOf(request) },
            { exit: 'member.removed', keptBy },
          )
          if (typeof member === 'object')
            tellRemoved(tx, by, { accountId: account.id, person: member }, app.mailContext)
          return member
        }),
      )
      if (removed === 'last-admin') {
        return showRemoval(request, reply.code(422), lastAdminWords(account))
      }
      return reply.seeOther(
        removed.userId === user.id ? '/' : '/customer/users',
        removed.userId === user.id
          ? apart`You left ${account.name}.`
          : apart`${removed.name} was removed from ${account.name}.`,
      )
    },
  )

  function showRemoval(request: FastifyRequest, reply: FastifyReply, problem: string) {
    const { account } = request.member
    const member = orNotFound(findMember(db, account.id, userIdOf(request)))
    return reply.page('accounts/members/removal', {
      title: apart`Remove ${member.name}`,
      member,
      problem,
      ends: foreseeEnd(db, { accountId: account.id, userId: member.userId }, app.now()),
    })
  }
}
