import type { FastifyInstance } from 'fastify'
import { findProviderOfDomain } from '../../accounts/sso/data/provider.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import { address } from '../../web/format.ts'
import { provedLately } from '../../web/request/guard.ts'
import { comeBack, toProvider } from './arriving.ts'
import { viaOf, viaOfInstallation, viaOfSession } from './via.ts'

/** To the provider and back (OpenID Connect, authorization code with PKCE). These are links: a form that leads to another site is stopped by browsers. */
export default async function ssoRoutes(app: FastifyInstance) {
  const { db, config } = app

  app.get('/login/sso', { config: { can: 'session.start' } }, async (request, reply) => {
    const next = ownPath((request.query as Record<string, unknown>).next)
    if (request.viewer.user) return reply.seeOther(next)
    const via = viaOfInstallation(config)
    return via ? toProvider(request, reply, via, { errand: 'log-in', next }) : reply.seeOther('/login')
  })

  app.get('/profile/sso/start', { config: { can: 'sso.change' } }, async (request, reply) => {
    const via = viaOfInstallation(config)
    return via && provedLately(request)
      ? toProvider(request, reply, via, { errand: 'connect', next: '/profile/sso' })
      : reply.seeOther('/profile/sso')
  })

  app.get('/profile/sso/proof', { config: { can: 'sso.change' } }, async (request, reply) => {
    const via = viaOfSession(request)
    const next = ownPath((request.query as Record<string, unknown>).next)
    return via ? toProvider(request, reply, via, { errand: 'proof', next }) : reply.seeOther('/profile/sso')
  })

  const callback = { exposeHeadRoute: false, config: { can: 'session.start' } } as const
  app.get('/login/sso/callback', callback, async (request, reply) =>
    config.sso ? comeBack(request, reply, null) : reply.seeOther('/login'),
  )

  // The way to the provider of an account, from the address that somebody has typed.
  app.get('/login/sso/account', { config: { can: 'session.start' } }, async (request, reply) => {
    const { domain, next: wanted } = request.query as Record<string, unknown>
    const next = ownPath(wanted)
    if (request.viewer.user) return reply.seeOther(next)
    const there = typeof domain === 'string' && !config.sso?.only ? findProviderOfDomain(db, domain) : undefined
    const via = there && viaOf(request, there)
    if (!via) return reply.seeOther(address('/login', { other: 'yes', next }))
    return toProvider(request, reply, via, { errand: 'log-in', next })
  })

  app.get<{ Params: { identifier: string } }>('/login/sso/callback/:identifier', callback, async (request, reply) =>
    comeBack(request, reply, request.params.identifier),
  )
}
