import type { FastifyReply } from 'fastify'
import { apart } from '../../db/apart.ts'
import type { connectIdentity } from './data.ts'

/** Says what became of connecting a user with the provider of this name. */
export function sayConnected(
  reply: FastifyReply,
  provider: string,
  result: ReturnType<typeof connectIdentity>,
  page = '/profile/sso',
) {
  const words = {
    saved: apart`You can log in with ${provider} now.`,
    unchanged: apart`${provider} is connected already. Nothing was changed.`,
    taken: apart`This login at ${provider} belongs to another user here. Nothing was changed.`,
    'too-many': apart`You are connected with another login at ${provider}. Disconnect that first.`,
  }
  return reply.seeOther(page, words[result])
}
