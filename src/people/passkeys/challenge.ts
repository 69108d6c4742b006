import type { FastifyReply, FastifyRequest } from 'fastify'
import { readJson } from '../../db/json.ts'
import { newToken, seal, unsealed } from '../../secrets.ts'
import { cookieName, cookieOptions } from '../../web/request/cookies.ts'
import { useUpChallenge } from './data.ts'

// What an authenticator signs. It lies sealed in a cookie, so a page that offers a passkey writes nothing.

/** What a passkey is asked for. A challenge of one is none for another. */
export type Purpose = 'log-in' | 'second-step' | 'proof' | 'adding'

/** `handle`: what the authenticator is told to know its user by; empty except for adding. */
export type Challenge = { challenge: string; handle: string }

/** In milliseconds: then the browser gives up, too. */
export const challengeLasts = 5 * 60_000

type Sealed = [purpose: Purpose, challenge: string, expiresAt: number, sessionKey: string, handle: string]

/** Puts a new challenge for this session into the browser’s cookie. */
export function newChallenge(request: FastifyRequest, reply: FastifyReply, purpose: Purpose, handle = ''): string {
  const { config, secrets, now } = request.server
  const challenge = newToken()
  const sealed: Sealed = [purpose, challenge, now() + challengeLasts, request.viewer.sessionKey, handle]
  const value = seal(secrets, JSON.stringify(sealed))
  reply.setCookie(cookieName(config, `meshpanel-${purpose}`), value, cookieOptions(config))
  return challenge
}

/** The challenge that this browser was given for this in this session; undefined where it is too old or was answered. */
export function takeChallenge(request: FastifyRequest, wanted: Purpose): Challenge | undefined {
  const { config, secrets, db, now } = request.server
  const cookie = request.cookies[cookieName(config, `meshpanel-${wanted}`)] ?? ''
  const opened = unsealed(secrets, cookie)
  if (opened === undefined) return undefined
  // Its first element says what was sealed: a cookie with something else that the panel sealed is none.
  const read = readJson<unknown>(opened, undefined)
  if (!Array.isArray(read)) return undefined
  const [purpose, challenge, expiresAt, sessionKey, handle] = read as Sealed
  const left = expiresAt - now()
  // One from further ahead was made by a clock that was.
  if (purpose !== wanted || left <= 0 || left > challengeLasts || sessionKey !== request.viewer.sessionKey)
    return undefined
  return useUpChallenge(db, challenge, { at: now(), expiresAt }) ? { challenge, handle } : undefined
}
