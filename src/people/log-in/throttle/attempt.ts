import type { FastifyReply, FastifyRequest } from 'fastify'
import type { UserId } from '../../../db/ids.ts'
import { plural } from '../../../web/format.ts'
import { knownBrowser } from './browser.ts'
import { type Attempt, admit, logInCounter, resetCounter } from './data.ts'

type Owner = { id: UserId; passwordHash: string }

/** An attempt to log in with a password. `user` is whose address it is, if anybody's. */
export function logInAttempt(request: FastifyRequest, email: string, user: Owner | undefined): Attempt {
  return ofBrowser(request, user) ?? { account: logInCounter(email), address: request.ip }
}

/** An attempt at the second step, which only somebody with the password reaches: strangers do not count here. */
export function secondStepAttempt(request: FastifyRequest, user: Owner): Attempt {
  return ofBrowser(request, user) ?? { account: `second step ${user.id}`, address: request.ip }
}

/** An attempt to log in with a passkey. `user` is whose it is, if anybody's: who knows of it holds it, or saw it used. */
export function passkeyAttempt(request: FastifyRequest, credential: string | undefined, user: Owner | undefined) {
  return ofBrowser(request, user) ?? { account: `passkey ${credential ?? request.ip}`, address: request.ip }
}

/** A request for a new password. */
export function resetAttempt(request: FastifyRequest, email: string, user: Owner | undefined): Attempt {
  const browser = ofBrowser(request, user)
  return browser
    ? { ...browser, account: `reset ${browser.account}` }
    : { account: resetCounter(email), address: request.ip }
}

/** An act within a session, counted for this session alone: nobody else can use it up. */
export function sessionAttempt(request: FastifyRequest, act: string): Attempt {
  const { id } = request.signedIn
  return { account: `${act} ${id} ${request.viewer.sessionKey}`, address: undefined, owner: id }
}

/** A browser that the user has logged in with has a counter of its own, whatever address it is at. */
function ofBrowser(request: FastifyRequest, user: Owner | undefined): Attempt | undefined {
  const browser = knownBrowser(request, user)
  return browser && user ? { account: `browser ${browser} ${user.id}`, address: undefined, owner: user.id } : undefined
}

/** Undefined when the attempt may be made; else the words that say when, with the answer’s status and header set. */
export function tooSoon(request: FastifyRequest, reply: FastifyReply, attempt: Attempt): string | undefined {
  const wait = admit(request.server.db, attempt, request.server.now())
  if (wait === 0) return undefined
  const seconds = Math.ceil(wait / 1_000)
  reply.code(429).header('retry-after', String(seconds))
  const words = seconds < 60 ? plural(seconds, 'second') : plural(Math.ceil(seconds / 60), 'minute')
  return `Too many attempts. Try again in ${words}.`
}
