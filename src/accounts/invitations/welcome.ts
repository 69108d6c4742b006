import type { FastifyReply } from 'fastify'
import { apart } from '../../db/apart.ts'
import { roleName } from '../../roles.ts'
import { plural } from '../../web/format.ts'
import type { Accepted } from './data/accepting.ts'

/** The link names the account: it switches, and says so. */
export function welcome(reply: FastifyReply, accepted: Accepted): FastifyReply {
  return reply.seeOther(`/projects?account=${accepted.account.identifier}`, acceptedWords(accepted))
}

function acceptedWords({ account: { name, kind }, joined, role, gained }: Accepted): string {
  const projects = gained > 0 ? ` It gave you access to ${plural(gained, 'project')}.` : ''
  return joined
    ? apart`You are ${roleName(kind, role)} of ${name} now.`
    : apart`You are already ${roleName(kind, role)} of ${name}. The invitation did not change your role.${projects}`
}
