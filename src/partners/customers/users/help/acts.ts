import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findMember } from '../../../../accounts/members/data.ts'
import { tellHelped } from '../../../../accounts/notices/data.ts'
import type { Db } from '../../../../db/open.ts'
import { orTooMany, TooMany } from '../../../../mail/pace.ts'
import { findUser } from '../../../../people/data/users.ts'
import { type HelpedIn, isOnlyInCustomers, resetTwoFactor, sendPasswordLink } from '../../../../people/help/data.ts'
import { tellTwoFactor } from '../../../../people/two-factor/letter.ts'
import { found, notFound } from '../../../../web/answer/errors.ts'
import { userIdOf } from '../../../../web/request/address.ts'
import { actor } from '../../../../web/request/viewer.ts'
import { customerOf } from '../../../scope.ts'

/** A Partner Admin helps a user of a customer who cannot log in. */
export function helpUsers(app: FastifyInstance): void {
  const { db, mailContext } = app
  const base = '/partner/customers/:customer/users/:user'
  const help = { config: { can: 'customer.help', inAccount: true, confirm: true } } as const

  app.get(base, { config: { can: 'customer.help' } }, async (request, reply) => {
    const { customer, member, user } = helpedOf(request)
    return reply.page('partners/customers/help', {
      title: `Help ${member.name}`,
      customer,
      member,
      twoFactor: user.totpSecret !== null,
      belongs: isOnlyInCustomers(db, user, request.member.account.id),
    })
  })

  app.post(`${base}/password-link`, help, async (request, reply) => {
    const { customer, member } = helpedOf(request)
    const how = helpIn(request, 'sent', (tx) => helpedOf(request, tx))
    const sent = orTooMany(() => sendPasswordLink(db, actor(request), member.userId, how, mailContext))
    return reply.seeOther(
      `/partner/customers/${customer.identifier}/users`,
      sent instanceof TooMany
        ? `Nothing was sent to ${member.name} again. ${sent.message}`
        : sent
          ? `A link to choose a new password is on its way to ${member.email}. It works for 30 minutes.`
          : `${member.name} cannot log in at all. Support can change that.`,
    )
  })

  app.post(`${base}/two-factor/removal`, help, async (request, reply) => {
    const { customer, member, user } = helpedOf(request)
    const tell = tellTwoFactor(app, user, 'reset', request.member.account.name)
    const how = helpIn(request, 'reset', (tx) => {
      found(isOnlyInCustomers(tx, helpedOf(request, tx).user, request.member.account.id) || undefined)
      tell(tx)
    })
    const reset = resetTwoFactor(db, actor(request), member.userId, how)
    return reply.seeOther(
      `/partner/customers/${customer.identifier}/users`,
      reset
        ? `Two-factor login of ${member.name} was reset, and all their sessions ended.`
        : `${member.name} has no two-factor login.`,
    )
  })

  /** `still` throws where the user is no longer the customer’s, or the customer no longer the partner’s. */
  function helpIn(request: FastifyRequest, what: 'sent' | 'reset', still: (tx: Db) => void): HelpedIn {
    const { customer, member } = helpedOf(request)
    return {
      accountId: customer.id,
      tell: (tx) => {
        still(tx)
        tellHelped(tx, actor(request), customer.id, { what, name: member.name }, mailContext)
      },
    }
  }
}

/** The customer and its user that the address names. A 404 where one is not the other’s. */
function helpedOf(request: FastifyRequest, db = request.server.db) {
  const customer = customerOf(request, db)
  const userId = userIdOf(request)
  const member = found(findMember(db, customer.id, userId))
  // The partner’s own people are helped by Support.
  if (member.fromPartner) throw notFound()
  return { customer, member, user: found(findUser(db, userId)) }
}
