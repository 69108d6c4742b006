import type { FastifyReply, FastifyRequest } from 'fastify'
import { orNotFound, whereToReturn } from '../../web/answer/errors.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import { address } from '../../web/format.ts'
import type { Proofs } from '../../web/request/guard.ts'
import { findUser } from '../data/users.ts'
import { offerProof } from '../passkeys/options.ts'
import { findOwnIdentity } from './data.ts'
import { viaOfSession } from './via.ts'

/** The ways in which a signed-in person can confirm who they are. */
export function offerProofs(request: FastifyRequest, reply: FastifyReply): Proofs {
  const { db } = request.server
  const { id, twoFactor } = request.signedIn
  const via = viaOfSession(request)
  // A second factor is not confirmed by the first, which the provider may have been.
  const mayBySso = !request.needsPasskey && (!twoFactor || via?.factors)
  const bySso = via && mayBySso && findOwnIdentity(db, id, via.issuer)
  return {
    passkey: offerProof(request, reply),
    typed: !request.needsPasskey && (twoFactor || orNotFound(findUser(db, id)).passwordHash !== ''),
    provider: bySso ? via.name : '',
    atProvider: address('/profile/sso/proof', { next: ownPath(whereToReturn(request)) }),
  }
}
