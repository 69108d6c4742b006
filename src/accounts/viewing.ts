import type { FastifyRequest } from 'fastify'
import type { Viewer } from '../web/request/viewer.ts'
import type { findSessionViewer } from './data/membership.ts'

// What the viewer of a session and that of a token have in common.

type ViewingUser = NonNullable<ReturnType<typeof findSessionViewer>>['user']

/** The user as viewers know them, in a browser that names this time zone. */
export function viewingAs(user: ViewingUser, zone = ''): NonNullable<Viewer['user']> {
  return {
    id: user.id,
    name: user.name,
    email: user.email,
    emailProved: user.emailProvedAt !== null,
    operator: user.operator,
    service: user.service,
    twoFactor: user.totpSecret !== null,
    theme: user.theme,
    reads: { timeZone: (user.zoneByBrowser && zone) || user.timeZone, numbers: user.numbers },
  }
}

/** Has to set up two-factor login before anything else. A program has no login. */
export function mustEnrol({ server }: FastifyRequest, user: ViewingUser, inPartnerAccount: () => boolean): boolean {
  const must = {
    optional: () => false,
    support: () => user.operator,
    partners: () => user.operator || inPartnerAccount(),
  }
  return !user.service && user.totpSecret === null && must[server.config.twoFactor]()
}
