import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { asUserId, type UserId } from '../../../db/ids.ts'
import { cookieName, cookieOptions } from '../../../web/request/cookies.ts'

// A browser in which somebody has logged in keeps a cookie that says so, and no more. Its attempts then count apart
// from those of strangers, who so cannot keep its user out.

/** Browsers keep cookies for 400 days at most (RFC 6265bis). */
const lifetime = 365 * 24 * 3_600

/** So many users of one browser are remembered, the last ones. */
const mostUsers = 8

const nameIn = ({ config }: FastifyInstance) => cookieName(config, 'meshpanel-browser')

type Owner = { id: UserId; passwordHash: string }

/** Nobody has this number, so that an unknown address takes the same time as a known one. */
const nobody: Owner = { id: asUserId(0), passwordHash: '' }

/** The browser's own random name, where this user has logged in with it since the password was set; else undefined. */
export function knownBrowser(request: FastifyRequest, user: Owner | undefined): string | undefined {
  const { browser, seals } = read(request)
  const ownSeal = sealOf(request.server, browser, user ?? nobody)
  return seals.some((seal) => timingSafeEqual(Buffer.from(seal), Buffer.from(ownSeal))) ? browser : undefined
}

/** Lets the browser show from now on that this user has logged in with it. For after the whole log-in. */
export function rememberBrowser(request: FastifyRequest, reply: FastifyReply, user: Owner): void {
  const { server } = request
  const { browser, seals } = read(request)
  const ownSeal = sealOf(server, browser, user)
  const value = [browser, ownSeal, ...seals.filter((seal) => seal !== ownSeal).slice(0, mostUsers - 1)].join('.')
  reply.setCookie(nameIn(server), value, { ...cookieOptions(server.config), maxAge: lifetime })
}

/** `BROWSER.SEAL.SEAL…`: a random name, and a seal for each user that logged in. A new name where there is none. */
function read(request: FastifyRequest): { browser: string; seals: string[] } {
  const [browser = '', ...seals] = (request.cookies[nameIn(request.server)] ?? '').split('.')
  if (!/^[\w-]{22}$/.test(browser) || !seals.every((seal) => /^[\w-]{43}$/.test(seal)))
    return { browser: randomBytes(16).toString('base64url'), seals: [] }
  return { browser, seals: seals.slice(0, mostUsers) }
}

/** Bound to the password: it ends with it, also where somebody else had set that up. */
function sealOf({ secrets }: FastifyInstance, browser: string, { id, passwordHash }: Owner): string {
  return createHmac('sha256', secrets.browsers).update(`${browser} ${id} ${passwordHash}`).digest('base64url')
}
