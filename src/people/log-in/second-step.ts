import type { FastifyRequest } from 'fastify'
import { isInPartnerAccount } from '../../accounts/data/switcher.ts'
import { isHalfSignedIn } from '../../accounts/viewing.ts'
import type { User } from '../data/users.ts'
import { hasPasskey } from '../passkeys/data.ts'

/** Whether the password alone leaves somebody at the second step. */
export function needsSecondStep(request: FastifyRequest, user: User): boolean {
  const { db, config } = request.server
  const hasOne = hasPasskey(db, user.id, config.passkeyHost) ? 1 : 0
  const begun = { user: { ...user, hasPasskey: hasOne }, secondFactor: false }
  return isHalfSignedIn(request, begun, () => isInPartnerAccount(db, user.id))
}
