import type { FastifyReply, FastifyRequest } from 'fastify'
import { anyAccountProvider } from '../../accounts/sso/data/provider.ts'
import { Refusal } from '../../web/answer/errors.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import type { Form } from '../../web/request/forms.ts'
import { hasOperator } from '../data/users.ts'
import { offerLogIn } from '../passkeys/options.ts'
import { readTypedAddress } from '../sso/flow/flow.ts'

export function showLogIn(request: FastifyRequest, reply: FastifyReply, { values, errors }: Form, problem = '') {
  const { password, ...typed } = values
  const email = typed.email ?? readTypedAddress(request)
  const form = { values: { ...typed, email, next: ownPath(typed.next) }, errors }
  const { sso } = request.server.config
  const { other } = request.query as { other?: unknown }
  const here = !sso?.only || request.method === 'POST' || other === 'yes'
  const setUp = hasOperator(request.server.db)
  return reply.page('people/log-in/index', {
    title: 'Log in',
    form,
    problem,
    setUp,
    here,
    first: asksAddressFirst(request) && !('password' in values) && other !== 'yes',
    sso: sso?.name ?? '',
    passkey: setUp && here ? offerLogIn(request, reply) : null,
  })
}

/** Where accounts bring providers of their own, the address tells which log-in it is. */
export const asksAddressFirst = ({ server: { db, config } }: FastifyRequest): boolean =>
  !config.sso?.only && anyAccountProvider(db)

/** A Secure cookie is silently not set when the proxy does not say that it was reached by https. */
export function refuseLostCookie({ protocol, server: { config } }: FastifyRequest): void {
  if (!config.https || protocol === 'https') return
  throw new Refusal(
    500,
    'The reverse proxy is not set up',
    'PUBLIC_URL is https, but this request did not come by https from an address in TRUST_PROXY. Set TRUST_PROXY to the proxy’s address, and let the proxy send X-Forwarded-Proto and X-Forwarded-For.',
  )
}
