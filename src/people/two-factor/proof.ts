import type { FastifyReply, FastifyRequest } from 'fastify'
import { found } from '../../web/answer/errors.ts'
import { noteProof } from '../../web/request/session.ts'
import { actor } from '../../web/request/viewer.ts'
import { findUser } from '../data/users.ts'
import { verifyPassword } from '../log-in/passwords.ts'
import { sessionAttempt, tooSoon } from '../log-in/throttle/attempt.ts'
import { forgive } from '../log-in/throttle/data.ts'
import { takeCode } from './data.ts'

/**
 * Whether a signed-in person confirms who they are: by a code, or by the password where there
 * is no second factor. Returns what is wrong, or undefined when it is proved.
 */
export async function prove(request: FastifyRequest, reply: FastifyReply, proof: string): Promise<string | undefined> {
  const { db, secrets } = request.server
  const user = found(findUser(db, request.signedIn.id))
  const attempt = sessionAttempt(request, 'proof')
  const wait = tooSoon(request, reply, attempt)
  if (wait) return wait
  const right = user.totpSecret
    ? takeCode(db, secrets, actor(request), { user, typed: proof })
    : await verifyPassword(user.passwordHash, proof, attempt)
  if (!right) return user.totpSecret ? 'This code is wrong, or was used already.' : 'The password is wrong.'
  forgive(db, attempt)
  noteProof(request)
  return undefined
}
