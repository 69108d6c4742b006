import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { findAccount, findAccountByIdentifier } from '../../accounts/data/account.ts'
import { findTies } from '../../accounts/endings/data/foreseeing.ts'
import { apart } from '../../db/apart.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { readForm } from '../../web/request/forms.ts'
import { supportActor } from '../../web/request/viewer.ts'
import { declinePartnerRequest, makeCustomer, makePartner } from './data.ts'

const confirmation = z.strictObject({ confirmed: z.literal('yes').optional() })

export default async function partnershipRoutes(app: FastifyInstance) {
  const { db, postLetter: post } = app
  const { publicUrl } = app.config
  const transform = { config: { can: 'support.transform', confirm: true } } as const

  app.post('/support/accounts/:identifier/partnership', transform, async (request, reply) => {
    const account = accountOf(request)
    const { input } = readForm(confirmation, request.body)
    const ties = findTies(db, account)
    // The page first says what ends with the tie to its partner.
    if (input?.confirmed !== 'yes' && ties.total > 0) {
      const { partnerName } = orNotFound(findAccount(db, account.id))
      return reply.page('partners/partnership/confirmation', {
        title: apart`Make ${account.name} a partner account`,
        details: account,
        partnerName,
        ties,
      })
    }
    const made = makePartner(db, supportActor(request), account.id, { post, publicUrl })
    return reply.seeOther(
      '/support/accounts',
      made ? apart`${account.name} is a partner account now.` : apart`${account.name} was a partner account already.`,
    )
  })

  app.post('/support/accounts/:identifier/partnership/removal', transform, async (request, reply) => {
    const account = accountOf(request)
    const done = makeCustomer(db, supportActor(request), account.id)
    const notices = {
      made: apart`${account.name} is a customer account now.`,
      unchanged: apart`${account.name} is already a customer account. Nothing was changed.`,
      customers: apart`${account.name} still has customers, so it stays a partner account. Move its customers to another partner first.`,
      deleted: apart`${account.name} has deleted customers that it can still restore, so it stays a partner account until they are removed for good.`,
    }
    return reply.seeOther('/support/accounts', notices[done])
  })

  app.post('/support/accounts/:identifier/partner-request/removal', transform, async (request, reply) => {
    const account = accountOf(request)
    const declined = declinePartnerRequest(db, supportActor(request), account.id, { post, publicUrl })
    return reply.seeOther(
      '/support/accounts',
      declined
        ? apart`The request of ${account.name} was declined.`
        : apart`${account.name} has no open request. Nothing was changed.`,
    )
  })

  function accountOf(request: FastifyRequest) {
    const { identifier } = request.params as { identifier: string }
    return orNotFound(findAccountByIdentifier(db, identifier))
  }
}
