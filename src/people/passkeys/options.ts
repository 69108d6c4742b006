import type { FastifyReply, FastifyRequest } from 'fastify'
import { newToken } from '../../secrets.ts'
import type { User } from '../data/users.ts'
import { challengeLasts, newChallenge, type Purpose } from './challenge.ts'
import { listPasskeys, type Passkey } from './data.ts'

// What a page gives to the browser (W3C WebAuthn, 5.4 and 5.5), as JSON: public/passkey.js reads it.

/** ES256, EdDSA and RS256. */
export const algorithms = [-7, -8, -257]

const descriptor = ({ credentialId, transports }: Passkey) => ({
  id: credentialId,
  type: 'public-key',
  ...(transports ? { transports: transports.split(' ') } : {}),
})

/** For logging in by a passkey alone. Null where browsers offer none. */
export function offerLogIn(request: FastifyRequest, reply: FastifyReply): string | null {
  const host = request.server.config.passkeyHost
  return host ? asking(request, reply, 'log-in', { host, allowed: [], userVerification: 'required' }) : null
}

/** For the second step: any of the user’s own. Null where they have none. */
export function offerSecondStep(request: FastifyRequest, reply: FastifyReply, { id }: Pick<User, 'id'>): string | null {
  const host = request.server.config.passkeyHost
  const allowed = usable(listPasskeys(request.server.db, id), host)
  return allowed.length > 0
    ? asking(request, reply, 'second-step', { host, allowed, userVerification: 'discouraged' })
    : null
}

/** Who has a second factor confirms by that, as with a code; others by what stands for the password. */
export const proofVerifies = (twoFactor: boolean) => !twoFactor

/** For confirming who somebody is. Null where they have none that would do. */
export function offerProof(request: FastifyRequest, reply: FastifyReply): string | null {
  const host = request.server.config.passkeyHost
  const { id, twoFactor } = request.signedIn
  const strict = proofVerifies(twoFactor)
  const allowed = usable(listPasskeys(request.server.db, id), host).filter(({ verifies }) => verifies || !strict)
  const userVerification = strict ? 'required' : 'discouraged'
  return allowed.length > 0 ? asking(request, reply, 'proof', { host, allowed, userVerification }) : null
}

type Asking = { host: string; allowed: Passkey[]; userVerification: 'required' | 'discouraged' }

function asking(request: FastifyRequest, reply: FastifyReply, purpose: Purpose, asked: Asking): string {
  return JSON.stringify({
    get: {
      challenge: newChallenge(request, reply, purpose),
      timeout: challengeLasts,
      rpId: asked.host,
      allowCredentials: asked.allowed.map(descriptor),
      userVerification: asked.userVerification,
    },
  })
}

const usable = (all: Passkey[], host: string) => all.filter((passkey) => host !== '' && passkey.host === host)

/** For a new passkey, or a security key that is a second step only. The authenticator refuses if it has one already. */
export function offerAdding(request: FastifyRequest, reply: FastifyReply, user: User, alone: boolean): string {
  const { config, db } = request.server
  const handle = user.passkeyHandle ?? newToken()
  return JSON.stringify({
    create: {
      challenge: newChallenge(request, reply, 'adding', handle),
      timeout: challengeLasts,
      rp: { id: config.passkeyHost, name: config.panelName },
      user: { id: handle, name: user.email, displayName: user.name },
      pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })),
      excludeCredentials: listPasskeys(db, user.id).map(descriptor),
      authenticatorSelection: alone
        ? { residentKey: 'required', requireResidentKey: true, userVerification: 'required' }
        : { residentKey: 'discouraged', requireResidentKey: false, userVerification: 'discouraged' },
      attestation: 'none',
    },
  })
}
