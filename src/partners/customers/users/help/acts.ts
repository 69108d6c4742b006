import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findMember } from '../../../../accounts/members/data.ts'
import { tellHelped } from '../../../../accounts/notices/data/notices.ts'
import { apart } from '../../../../db/apart.ts'
import type { Db } from '../../../../db/open.ts'
import { orTooMany, TooMany } from '../../../../mail/pace.ts'
import { findUser } from '../../../../people/data/users.ts'
import { isOnlyInCustomers, resetTwoFactor, sendPasswordLink } from '../../../../people/help/data.ts'
import { listPasskeys } from '../../../../people/passkeys/data.ts'
import { listIdentities } from '../../../../people/sso/data.ts'
import { tellTwoFactor } from '../../../../people/two-factor/letter.ts'
import type { Person } from '../../../../records/record.ts'
import { notFound, orNotFound } from '../../../../web/answer/errors.ts'
import { userIdOf } from '../../../../web/request/address.ts'
import { actor } from '../../../../web/request/viewer.ts'
import type { Customer } from '../../../data.ts'
import { customerOf } from '../../../scope.ts'

/** A Partner Admin helps a user of a customer who cannot log in. */
export function helpUsers(app: FastifyInstance): void {
  const { db, mailContext } = app
  const base = '/partner/customers/:customer/users/:user'
  const help = { config: { can: 'customer.help', inAccount: true, confirm: true } } as const

  app.get(base, { config: { can: 'customer.help' } }, async (request, reply) => {
    const { customer, member, user } = helpedOf(request)
    return reply.page('partners/customers/help', {
      title: apart`Help ${member.name}`,
      customer,
      member,
      twoFactor:
        user.totpSecret !== null || listPasskeys(db, user.id).length > 0 || listIdentities(db, user.id).length > 0,
      belongs: isOnlyInCustomers(db, user, request.member.account.id),
    })
  })

  app.post(`${base}/password-link`, help, async (request, reply) => {
    const { customer, member } = helpedOf(request)
    const by = helper(request, (tx) => helpedOf(request, tx))
    const how = { accountId: customer.id, tell: told(by, customer, { what: 'sent', name: member.name }) }
    const sent = orTooMany(() => sendPasswordLink(db, by, { userId: member.userId, help: how }, mailContext))
    return reply.seeOther(
      `/partner/customers/${customer.identifier}/users`,
      sent instanceof TooMany
        ? apart`Nothing was sent to ${member.name} again. ${sent.message}`
        : sent
          ? apart`A link to choose a new password is on its way to ${member.email}. It works for 30 minutes.`
          : apart`${member.name} cannot log in at all. Support can change that.`,
    )
  })

  app.post(`${base}/two-factor/removal`, help, async (request, reply) => {
    const { customer, member, user } = helpedOf(request)
    const { account } = request.member
    const by = helper(request, (tx) => {
      if (!isOnlyInCustomers(tx, helpedOf(request, tx).user, account.id)) throw notFound()
    })
    const tellAdmins = told(by, customer, { what: 'reset', name: member.name })
    const tellUser = tellTwoFactor(app, user, 'reset', account.name)
    const tell = (tx: Db) => {
      tellUser(tx)
      tellAdmins(tx)
    }
    const reset = resetTwoFactor(db, by, member.userId, { accountId: customer.id, tell })
    return reply.seeOther(
      `/partner/customers/${customer.identifier}/users`,
      reset
        ? apart`Two-factor login and passkeys of ${member.name} were reset, and all their sessions ended.`
        : apart`${member.name} has no two-factor login, passkeys or single sign-on. Nothing was changed.`,
    )
  })

  function told(
    by: Person,
    customer: Customer,
    what: Omit<Parameters<typeof tellHelped>[2], 'accountId'>,
  ): (tx: Db) => void {
    return (tx) => tellHelped(tx, by, { accountId: customer.id, ...what }, mailContext)
  }
}

/** Who helps; `still` throws in the act’s transaction where the user or the customer is no longer theirs to help. */
function helper(request: FastifyRequest, still: (tx: Db) => void): Person {
  const by = actor(request)
  const stillMay = (tx: Db) => {
    by.stillMay?.(tx)
    still(tx)
  }
  return { ...by, stillMay }
}

/** The customer and its user that the address names. A 404 where one is not the other’s. */
function helpedOf(request: FastifyRequest, db = request.server.db) {
  const customer = customerOf(request, db)
  const userId = userIdOf(request)
  const member = orNotFound(findMember(db, customer.id, userId))
  // The partner’s own people are helped by Support.
  if (member.fromPartner) throw notFound()
  return { customer, member, user: orNotFound(findUser(db, userId)) }
}
