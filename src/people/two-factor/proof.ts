import type { FastifyReply, FastifyRequest } from 'fastify'
import { orNotFound } from '../../web/answer/errors.ts'
import { noteProof } from '../../web/request/session.ts'
import { actor } from '../../web/request/viewer.ts'
import { findUser } from '../data/users.ts'
import { verifyPassword } from '../log-in/passwords.ts'
import { sessionAttempt, tooSoon } from '../log-in/throttle/attempt.ts'
import { type Attempt, forgive } from '../log-in/throttle/data.ts'
import { acceptPasskey, checkPasskey, readPasskey, refused } from '../passkeys/check.ts'
import { proofVerifies } from '../passkeys/options.ts'
import { takeCode } from './data.ts'

/**
 * Whether a signed-in person confirms who they are: by a passkey, by a code, or by the password where there is no second
 * factor. Returns what is wrong, or undefined when it is proved.
 */
export async function prove(request: FastifyRequest, reply: FastifyReply): Promise<string | undefined> {
  const attempt = sessionAttempt(request, 'proof')
  const wait = tooSoon(request, reply, attempt)
  if (wait) return wait
  const { proof, credential } = request.formMeta
  const wrong = credential ? await byPasskey(request, credential) : await byTyping(request, proof, attempt)
  if (wrong !== undefined) return wrong
  forgive(request.server.db, attempt)
  // Whoever began with a password has given both now.
  noteProof(request, { secondFactor: credential !== '' })
  return undefined
}

async function byTyping(request: FastifyRequest, proof: string, attempt: Attempt): Promise<string | undefined> {
  const { db, secrets } = request.server
  const user = orNotFound(findUser(db, request.signedIn.id))
  if (user.totpSecret)
    return takeCode(db, secrets, actor(request), { user, typed: proof })
      ? undefined
      : 'This code is wrong, or was used already.'
  return (await verifyPassword(user.passwordHash, proof, attempt)) ? undefined : 'The password is wrong.'
}

async function byPasskey(request: FastifyRequest, credential: string): Promise<string | undefined> {
  const { id, twoFactor } = request.signedIn
  const claim = readPasskey(request, credential)
  const proven = await checkPasskey(request, claim, { purpose: 'proof', verifies: proofVerifies(twoFactor), owner: id })
  return proven && acceptPasskey(request, actor(request), proven) ? undefined : refused
}
