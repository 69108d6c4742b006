import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findAccountByIdentifier } from '../support/data.ts'
import { found } from '../web/errors.ts'
import { actor, supportActor } from '../web/viewer.ts'
import { declineRequest, makeCustomer, makePartner, requestPartnership } from './data.ts'

export default async function partnershipRoutes(app: FastifyInstance) {
  const { db, postLetter: post } = app
  const { publicUrl, supportEmail, panelName } = app.config

  app.post(
    '/customer/account/partner-request',
    { config: { can: 'partner.request', inAccount: true } },
    async (request, reply) => {
      const { account, user } = request.member
      const by = actor(request)
      requestPartnership(db, by, account.id, (tx) => {
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
      return reply.seeOther('/customer/account', 'Support has your request. You will get a letter when it is decided.')
    },
  )

  const transform = { config: { can: 'support.transform', confirm: true } } as const

  app.post('/support/accounts/:identifier/partnership', transform, async (request, reply) => {
    const account = accountOf(request)
    const former = makePartner(db, supportActor(request), account.id, { post, publicUrl })
    const stay = former.map(({ name, email }) => `${name} (${email})`).join(', ')
    return reply.seeOther(
      '/support/accounts',
      `${account.name} is a partner account now.${stay ? ` Its former partner had brought in ${stay}: its admins can remove whom they do not want.` : ''}`,
    )
  })

  app.post('/support/accounts/:identifier/partnership/removal', transform, async (request, reply) => {
    const account = accountOf(request)
    const done = makeCustomer(db, supportActor(request), account.id)
    const notices = {
      made: `${account.name} is a customer account now.`,
      customers: `${account.name} still has customers, so it stays a partner account. Move its customers to another partner first.`,
      deleted: `${account.name} has deleted customers that it can still restore, so it stays a partner account until they are removed for good.`,
    }
    return reply.seeOther('/support/accounts', notices[done])
  })

  app.post('/support/accounts/:identifier/partner-request/removal', transform, async (request, reply) => {
    const account = accountOf(request)
    declineRequest(db, supportActor(request), account.id, { post, publicUrl })
    return reply.seeOther('/support/accounts', `The request of ${account.name} was declined.`)
  })

  function accountOf(request: FastifyRequest) {
    const { identifier } = request.params as { identifier: string }
    return found(findAccountByIdentifier(db, identifier))
  }
}
