import type { FastifyReply, FastifyRequest } from 'fastify'
import { found } from '../web/errors.ts'
import { readId } from '../web/fields.ts'
import { type copyLink, invitationLink } from './data.ts'

/** The invitation’s id in an address. */
export function idOf(request: FastifyRequest): number {
  return found(readId((request.params as { id: string }).id))
}

/** Shows a new link once: only its hash is kept, so there is no page to go on to. */
export function showLink(
  reply: FastifyReply,
  { invitation, token }: NonNullable<ReturnType<typeof copyLink>>,
  publicUrl: string,
  back: string,
) {
  return reply.page('invitations/link', {
    title: `Link for ${invitation.name}`,
    invitation,
    link: invitationLink(publicUrl, token),
    back,
  })
}
