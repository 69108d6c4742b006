import type { FastifyReply } from 'fastify'

/** A token that was just made, on the way back to the list that it is in. Shown once: only its hash is kept. */
export function showNewToken(reply: FastifyReply, { token, name }: { token: string; name: string }, list: string) {
  const { publicUrl } = reply.request.server.config
  return reply.page('people/tokens/new', { title: 'New API token', token, name, list, api: `${publicUrl}/api/v1` })
}
