import formbody from '@fastify/formbody'
import type { FastifyInstance } from 'fastify'
import { byItself } from '../../../records/record.ts'
import { useUpChallenge } from '../../passkeys/data.ts'
import { endSsoSessions } from '../data.ts'
import { readLogOut, tokenLasts } from './token.ts'

/** In bytes: a token of some kilobytes, in a form. */
const bodyLimit = 16 * 1024

/** Where the provider tells of log-outs: beside the pages, since its server has neither cookie nor form token. Its signature decides. */
export default async function ssoLogOut(app: FastifyInstance): Promise<void> {
  const { config, db, now } = app
  await app.register(formbody, { bodyLimit })
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.setErrorHandler((error, request, reply) => {
    const { statusCode } = error as { statusCode?: number }
    if (app.storage.note(error) || statusCode === undefined || statusCode >= 500) {
      request.log.error({ err: error }, 'a log-out by the provider failed')
      return reply.code(503).send({ error: 'temporarily_unavailable' })
    }
    return reply.code(statusCode).send({ error: 'invalid_request' })
  })

  app.post('/session/sso-logout', { bodyLimit, config: { can: 'session.end', api: true } }, async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const refuse = () => reply.code(400).send({ error: 'invalid_request' })
    const { sso } = config
    const { logout_token: token } = (request.body ?? {}) as { logout_token?: unknown }
    if (!sso || typeof token !== 'string') return refuse()
    const told = await readLogOut(config, sso, token).catch((error: unknown) => {
      request.log.warn({ err: error }, 'a log-out by the provider was refused')
      return undefined
    })
    if (!told) return refuse()
    const { subject, sid, jti } = told
    const at = now()
    if (!useUpChallenge(db, `sso log-out ${jti}`, { at, expiresAt: at + tokenLasts })) return refuse()
    const actor = { ...byItself(at), ip: request.ip, requestId: request.id }
    endSsoSessions(db, actor, { issuer: sso.issuer, subject, sid })
    return reply.code(200).send()
  })
}
