import type { FastifyReply, FastifyRequest } from 'fastify'
import { listApiTokens } from '../../people/tokens/data.ts'
import { emptyTokenForm, shownToken, tokenDays, usefulScopes } from '../../people/tokens/form.ts'
import { standingsOf } from '../../policy.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { serviceUserIdOf } from '../../web/request/address.ts'
import { type Form, newForm } from '../../web/request/forms.ts'
import { findServiceUser, type ServiceUser } from './data.ts'

/** The service user of the active account that the address names; 404 for any other. */
export function serviceUserOf(request: FastifyRequest): ServiceUser {
  return orNotFound(findServiceUser(request.server.db, request.member.account.id, serviceUserIdOf(request)))
}

/** The page of a service user: its name and role, its tokens, and the form of a new one. */
export function showServiceUser(
  request: FastifyRequest,
  reply: FastifyReply,
  { change, token = emptyTokenForm(), problem = '' }: { change?: Form; token?: Form; problem?: string } = {},
) {
  const { db, now } = request.server
  const service = serviceUserOf(request)
  const { kind } = request.member.account
  const { name, role, version } = service
  return reply.page('accounts/service-users/service-user', {
    title: name,
    service,
    problem,
    change: change ?? newForm({ serviceName: name, role, version: String(version) }),
    form: token,
    tokens: listApiTokens(db, service.userId).map(({ token }) => ({ ...shownToken(token, now()), account: null })),
    families: usefulScopes(standingsOf(false, { kind, role, suspended: false }), { service: true }),
    lifetimes: tokenDays,
  })
}
