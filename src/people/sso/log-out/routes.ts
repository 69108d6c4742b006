import type { FastifyInstance } from 'fastify'
import { providerOf } from '../provider.ts'

/** After a log-out here: the way to that at the provider, which is a link. */
export default async function ssoEndedRoutes(app: FastifyInstance) {
  const { config } = app

  app.get('/login/sso/ended', { config: { can: 'session.start' } }, async (request, reply) => {
    const { sso } = config
    if (!sso || request.viewer.user) return reply.seeOther('/')
    const address = await providerOf(config, sso)
      .logOutAddress()
      .catch(() => undefined)
    if (address === undefined) return reply.seeOther('/login', 'You are logged out.')
    return reply.page('people/sso/ended', { title: 'You are logged out', provider: sso.name, address })
  })
}
