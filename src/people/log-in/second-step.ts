import type { FastifyRequest } from 'fastify'
import { listPartnerAccounts } from '../../accounts/data/switcher.ts'
import { needsTwoFactors } from '../../accounts/viewing.ts'
import type { User } from '../data/users.ts'
import { hasPasskey } from '../passkeys/data.ts'
import { passkeyHost } from '../passkeys/host.ts'

/** Whether the password alone leaves somebody at the second step, as `isHalfSignedIn` says of their session. */
export function needsSecondStep(request: FastifyRequest, user: User): boolean {
  if (user.totpSecret !== null) return true
  const { db, config } = request.server
  const inPartnerAccount = () => listPartnerAccounts(db, user.id, 1).length > 0
  return hasPasskey(db, user.id, passkeyHost(config)) && needsTwoFactors(request, user, inPartnerAccount)
}
