import type { FastifyInstance } from 'fastify'
import { readEnded } from '../flow/flow.ts'
import { viaOfAccount, viaOfInstallation } from '../via.ts'

/** After a log-out here: the way to that at the provider, which is a link. */
export default async function ssoEndedRoutes(app: FastifyInstance) {
  const { config } = app

  app.get('/login/sso/ended', { config: { can: 'session.start' } }, async (request, reply) => {
    const accountId = readEnded(request)
    const via = accountId === null ? viaOfInstallation(config) : viaOfAccount(request, accountId)
    if (!via || request.viewer.user) return reply.seeOther('/')
    const address = await via.provider.logOutAddress().catch(() => undefined)
    if (address === undefined) return reply.seeOther('/login', 'You are logged out.')
    return reply.page('people/sso/ended', { title: 'You are logged out', provider: via.name, address })
  })
}
