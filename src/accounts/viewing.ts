import type { FastifyRequest } from 'fastify'
import type { Viewer } from '../web/request/viewer.ts'
import type { findSessionViewer } from './data/membership.ts'

// What the viewer of a session and that of a token have in common.

type ViewingUser = NonNullable<ReturnType<typeof findSessionViewer>>['user']

/** The user as viewers know them, in a browser that names this time zone, or none. */
export function viewingAs(user: ViewingUser, zone?: string): NonNullable<Viewer['user']> {
  return {
    id: user.id,
    name: user.name,
    email: user.email,
    emailProved: user.emailProvedAt !== null,
    operator: user.operator,
    service: user.service,
    twoFactor: user.totpSecret !== null,
    passkey: user.hasPasskey === 1,
    theme: user.theme,
    reads: { timeZone: (user.zoneByBrowser ? zone : undefined) ?? user.timeZone, numbers: user.numbers },
  }
}

/**
 * Has to set up two-factor login, or a passkey, before anything else. A program has no login; and a provider of single sign-on
 * may have asked for both factors.
 */
export function mustEnrol(
  request: FastifyRequest,
  { user, ssoFactors }: { user: ViewingUser; ssoFactors: boolean },
  inPartnerAccount: () => boolean,
): boolean {
  return (
    !user.service &&
    !ssoFactors &&
    user.totpSecret === null &&
    user.hasPasskey === 0 &&
    needsTwoFactors(request, user, inPartnerAccount)
  )
}

/**
 * Has given the password of a user with a second step, and not yet that. A passkey is one where two factors are needed;
 * elsewhere the password alone goes on logging in (U-27).
 */
export function isHalfSignedIn(
  request: FastifyRequest,
  { user, secondFactor }: { user: Pick<ViewingUser, 'totpSecret' | 'hasPasskey' | 'operator'>; secondFactor: boolean },
  inPartnerAccount: () => boolean,
): boolean {
  if (secondFactor) return false
  return user.totpSecret !== null || (user.hasPasskey === 1 && needsTwoFactors(request, user, inPartnerAccount))
}

/** Whether TWO_FACTOR asks it of them. */
function needsTwoFactors(
  { server }: FastifyRequest,
  user: Pick<ViewingUser, 'operator'>,
  inPartnerAccount: () => boolean,
): boolean {
  const must = {
    optional: () => false,
    support: () => user.operator,
    partners: () => user.operator || inPartnerAccount(),
  }
  return must[server.config.twoFactor]()
}
