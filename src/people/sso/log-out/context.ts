import formbody from '@fastify/formbody'
import type { FastifyInstance } from 'fastify'
import { listClientsOf } from '../../../accounts/sso/data/provider.ts'
import { byItself } from '../../../records/record.ts'
import { useUpChallenge } from '../../passkeys/data.ts'
import { endSsoSessions } from '../data.ts'
import { providerOfAccount } from '../of-account.ts'
import { providerOf } from '../provider.ts'
import { readLogOut, readParties, tokenLasts } from './token.ts'

/** In bytes: a token of some kilobytes, in a form. */
const bodyLimit = 16 * 1024

/** Where the provider tells of log-outs: beside the pages, since its server has neither cookie nor form token. Its signature decides. */
export default async function ssoLogOut(app: FastifyInstance): Promise<void> {
  const { db, now } = app
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
    const { logout_token: token } = (request.body ?? {}) as { logout_token?: unknown }
    if (typeof token !== 'string') return refuse()
    const left = await ended(app, token).catch((error: unknown) => {
      request.log.warn({ err: error }, 'a log-out by the provider was refused')
      return undefined
    })
    if (!left) return refuse()
    const { jti, ...whose } = left
    const at = now()
    if (!useUpChallenge(db, `sso log-out ${jti}`, { at, expiresAt: at + tokenLasts })) return refuse()
    endSsoSessions(db, { ...byItself(at), ip: request.ip, requestId: request.id }, whose)
    return reply.code(200).send()
  })
}

/** Whose sessions a token ends: those of the provider that has signed it, the installation’s or an account’s. Throws where none has. */
async function ended({ config, db, secrets }: FastifyInstance, token: string) {
  const { sso } = config
  const { issuer, clientIds } = await readParties(token)
  if (sso && sso.issuer === issuer && clientIds.includes(sso.clientId)) {
    const told = await readLogOut(providerOf(config, sso), sso.clientId, token)
    return { ...told, issuer, accountId: null }
  }
  const rows = clientIds.flatMap((clientId) => listClientsOf(db, issuer, clientId))
  for (const { provider: row, account } of rows) {
    const provider = providerOfAccount(config, secrets, row, account.identifier)
    const told = provider && (await readLogOut(provider, row.clientId, token))
    if (told) return { ...told, issuer, accountId: row.accountId }
  }
  return undefined
}
