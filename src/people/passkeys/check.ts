import type { FastifyRequest } from 'fastify'
import type { UserId } from '../../db/ids.ts'
import type { Actor } from '../../records/record.ts'
import type { User } from '../data/users.ts'
import { type Purpose, takeChallenge } from './challenge.ts'
import { findCredential, mostPasskeys, notePasskeyUse, type Passkey, type PasskeyUse } from './data.ts'
import { tellPasskey } from './letter.ts'
import { type PasskeyAnswer, readAnswer, verifyAnswer } from './verify.ts'

/** An answer as it was sent, and whose passkey it names. Nothing is proved by that yet. */
export type PasskeyClaim = { answer: PasskeyAnswer | undefined; passkey: Passkey | undefined; user: User | undefined }

export function readPasskey({ server }: FastifyRequest, text: string): PasskeyClaim {
  const answer = readAnswer(text)
  const host = server.config.passkeyHost
  const known = answer && host ? findCredential(server.db, answer.id, host) : undefined
  return { answer, passkey: known?.passkey, user: known?.user }
}

/** What was proved, and whose passkey it is. */
export type Proven = { passkey: Passkey; user: User; use: PasskeyUse }

/**
 * Checks an answer to the challenge that this browser was given for this. Undefined where it proves nothing. The answer
 * has to be the passkey’s, and whoever names its user names the right one: `owner`, where that is known already.
 */
export async function checkPasskey(
  request: FastifyRequest,
  { answer, passkey, user }: PasskeyClaim,
  { purpose, verifies, owner }: { purpose: Purpose; verifies: boolean; owner?: UserId },
): Promise<Proven | undefined> {
  const challenge = takeChallenge(request, purpose)?.challenge
  if (!challenge || !answer || !passkey || !user) return undefined
  if (owner !== undefined && user.id !== owner) return undefined
  if (verifies && !passkey.verifies) return undefined
  // A passkey that is asked for without a name says its user’s.
  const { userHandle } = answer.response
  if ((userHandle || purpose === 'log-in') && userHandle !== user.passkeyHandle) return undefined
  const use = await verifyAnswer(request, passkey, { answer, challenge, verifies })
  return use && { passkey, user, use }
}

/** Notes the use. False where the passkey was removed since, or its counter fell: then its owner is told. */
export function acceptPasskey({ server }: FastifyRequest, actor: Actor, { passkey, user, use }: Proven): boolean {
  return (
    notePasskeyUse(server.db, actor, { passkey, use }, tellPasskey(server, user, 'refused', passkey.name)) === 'saved'
  )
}

/** What people read where an answer proves nothing. */
export const refused = 'This passkey was not accepted, or it took longer than five minutes. Try again.'

export const tooMany = `You have ${mostPasskeys} passkeys, which is the most. Remove one that you no longer use.`
