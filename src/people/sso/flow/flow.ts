import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccountId } from '../../../db/ids.ts'
import { readJson } from '../../../db/json.ts'
import { newToken, seal, unsealed } from '../../../secrets.ts'
import { cookieName, cookieOptions } from '../../../web/request/cookies.ts'
import { useUpChallenge } from '../../passkeys/data.ts'

// What a browser takes along to the provider and must bring back, and who somebody turned out to be there: sealed in cookies, so that a
// visitor writes nothing.

/** What the browser must bring back. */
export type AskedProvider = { state: string; nonce: string; verifier: string }

/** What somebody goes to the provider for. What comes back of one is nothing for another. */
export type Errand = 'log-in' | 'connect' | 'proof'

export type Flow = AskedProvider & {
  errand: Errand
  next: string
  begunAt: number
  /** Whose provider it is; null for the installation’s. */
  accountId: AccountId | null
}

/** In milliseconds. */
const flowLasts = 10 * 60_000

type SealedFlow = [
  'sso',
  errand: Errand,
  asked: AskedProvider,
  next: string,
  begunAt: number,
  sessionKey: string,
  accountId: AccountId | null,
]

/** Puts a new one into the browser’s cookie. */
export function newFlow(
  request: FastifyRequest,
  reply: FastifyReply,
  { errand, next, accountId }: Pick<Flow, 'errand' | 'next' | 'accountId'>,
): AskedProvider {
  const asked = { state: newToken(), nonce: newToken(), verifier: newToken() }
  const { viewer, server } = request
  const sealed: SealedFlow = ['sso', errand, asked, next, server.now(), viewer.sessionKey, accountId]
  keep(request, reply, 'meshpanel-sso', sealed)
  return asked
}

/**
 * The one that this browser took along; undefined where it is too old, was brought back before, or, apart from a log-in, was
 * another session’s.
 */
export function takeFlow(request: FastifyRequest, reply: FastifyReply): Flow | undefined {
  const { db, now } = request.server
  const read = readKept(request, 'meshpanel-sso')
  forget(request, reply, 'meshpanel-sso')
  if (read?.[0] !== 'sso') return undefined
  const [, errand, asked, next, begunAt, sessionKey, accountId] = read as SealedFlow
  if (!isFresh(begunAt, now())) return undefined
  if (errand !== 'log-in' && sessionKey !== request.viewer.sessionKey) return undefined
  const unused = useUpChallenge(db, asked.state, { at: now(), expiresAt: begunAt + flowLasts })
  return unused ? { ...asked, errand, next, begunAt, accountId } : undefined
}

/** An identity whose e-mail a user has who is not connected with it yet. */
export type WaitingIdentity = {
  issuer: string
  subject: string
  email: string
  emailKey: string
  /** What the provider is called, and whose it is; null for the installation’s. */
  provider: string
  accountId: AccountId | null
}

type SealedWaiting = ['sso-waiting', waiting: WaitingIdentity, begunAt: number]

/** Keeps it in this browser until its user has logged in. */
export function keepWaiting(request: FastifyRequest, reply: FastifyReply, waiting: WaitingIdentity): void {
  const sealed: SealedWaiting = ['sso-waiting', waiting, request.server.now()]
  keep(request, reply, 'meshpanel-sso-waiting', sealed)
}

/** Who waits in this browser; `sealed` is for the form that connects it. */
export function readWaiting(request: FastifyRequest): (WaitingIdentity & { sealed: string }) | undefined {
  const read = readKept(request, 'meshpanel-sso-waiting')
  if (read?.[0] !== 'sso-waiting') return undefined
  const [, waiting, begunAt] = read as SealedWaiting
  const sealed = request.cookies[cookieName(request.server.config, 'meshpanel-sso-waiting')] ?? ''
  return isFresh(begunAt, request.server.now()) ? { ...waiting, sealed } : undefined
}

export const forgetWaiting = (request: FastifyRequest, reply: FastifyReply) =>
  forget(request, reply, 'meshpanel-sso-waiting')

type SealedEnd = ['sso-ended', accountId: AccountId | null]

/** Remembers at whose provider somebody may still be logged in. */
export function keepEnded(request: FastifyRequest, reply: FastifyReply, accountId: AccountId | null): void {
  const sealed: SealedEnd = ['sso-ended', accountId]
  keep(request, reply, 'meshpanel-sso-ended', sealed)
}

export function readEnded(request: FastifyRequest): AccountId | null {
  const read = readKept(request, 'meshpanel-sso-ended')
  return read?.[0] === 'sso-ended' ? (read as SealedEnd)[1] : null
}

type SealedAddress = ['log-in', email: string, begunAt: number]

/** The address that somebody has typed to log in with. */
export function keepTypedAddress(request: FastifyRequest, reply: FastifyReply, email: string): void {
  const sealed: SealedAddress = ['log-in', email, request.server.now()]
  keep(request, reply, 'meshpanel-log-in', sealed)
}

export function readTypedAddress(request: FastifyRequest): string {
  const read = readKept(request, 'meshpanel-log-in')
  if (read?.[0] !== 'log-in') return ''
  const [, email, begunAt] = read as SealedAddress
  return isFresh(begunAt, request.server.now()) ? email : ''
}

/** One from further ahead was made by a clock that was. */
const isFresh = (begunAt: number, now: number) => now >= begunAt && now - begunAt < flowLasts

function keep({ server }: FastifyRequest, reply: FastifyReply, name: string, value: unknown[]): void {
  reply.setCookie(
    cookieName(server.config, name),
    seal(server.secrets, JSON.stringify(value)),
    cookieOptions(server.config),
  )
}

function forget({ server: { config } }: FastifyRequest, reply: FastifyReply, name: string): void {
  reply.clearCookie(cookieName(config, name), cookieOptions(config))
}

/** The first element says what was sealed: a cookie with something else that the panel sealed is none. */
function readKept({ server, cookies }: FastifyRequest, name: string): unknown[] | undefined {
  const opened = unsealed(server.secrets, cookies[cookieName(server.config, name)] ?? '')
  const read = opened === undefined ? undefined : readJson<unknown>(opened, undefined)
  return Array.isArray(read) ? read : undefined
}
