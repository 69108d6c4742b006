import type { FastifyRequest } from 'fastify'

/** Who signs the e-mails of Support's acts. */
export function senderOf(request: FastifyRequest) {
  const { postLetter, config } = request.server
  return { post: postLetter, publicUrl: config.publicUrl, inviter: request.signedIn.name, from: 'support' as const }
}
