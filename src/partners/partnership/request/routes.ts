import type { FastifyInstance } from 'fastify'
import { orNotFound } from '../../../web/answer/errors.ts'
import { actor } from '../../../web/request/viewer.ts'
import { requestPartnership } from '../data.ts'

export default async function partnerRequestRoutes(app: FastifyInstance) {
  const { db, postLetter: post } = app
  const { publicUrl, supportEmail, panelName, partnerRequests: who } = app.config

  app.post(
    '/customer/account/partner-request',
    { config: { can: 'partner.request', inAccount: true } },
    async (request, reply) => {
      const { account, user } = request.member
      const by = actor(request)
      const asked = requestPartnership(db, by, { accountId: account.id, who }, (tx) => {
        if (!supportEmail) return
        // The time of the request: its decision takes back what still waits.
        post(tx, by.at, {
          kind: 'partner-request',
          reason: { because: 'support' },
          accountId: account.id,
          names: [user.id],
          email: supportEmail,
          name: `${panelName} Support`,
          data: {
            requester: user.name,
            requesterEmail: user.email,
            account: account.name,
            link: `${publicUrl}/support/accounts`,
          },
        })
      })
      return reply.seeOther(
        '/customer/account',
        `${orNotFound(asked) ? 'Support has your request.' : 'Support already has a request from this account.'} The person who asked gets an e-mail when it is decided.`,
      )
    },
  )
}
