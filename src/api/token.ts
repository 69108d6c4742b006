import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { findTokenViewer } from '../accounts/data/membership.ts'
import { isInPartnerAccount } from '../accounts/data/switcher.ts'
import { unmetBy } from '../accounts/unmet.ts'
import { mustEnrol, viewingAs } from '../accounts/viewing.ts'
import type { UserId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'
import { networkOf } from '../people/log-in/throttle/data.ts'
import { findOwnIdentity } from '../people/sso/data.ts'
import { isApiToken } from '../people/tokens/token.ts'
import { type Action, can, hasScope, scopeOf, standingsOf, type TokenScope } from '../policy.ts'
import { hashToken } from '../secrets.ts'
import { isInNetworks } from '../web/networks.ts'
import { anybody } from '../web/reader.ts'
import { member, signedIn, type Viewer, visitor } from '../web/request/viewer.ts'
import { Problem } from './contract/problems.ts'
import { noteTokenUse } from './data.ts'
import { newPace } from './pace.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** An operation of the API that needs no token. */
    tokenless?: boolean
  }
  interface FastifyRequest {
    /** What the token that asks may do. */
    scopes: readonly TokenScope[]
  }
}

const minute = 60_000
/** Wrong tokens that one address may send in a minute. */
const mostWrong = 30

/** Reads who asks from the token, and refuses what that may not do. */
export default fp(async (app: FastifyInstance) => {
  const pace = newPace(app.now)
  const wrong = new Map<string, { since: number; count: number }>()

  app.decorateRequest('viewer')
  app.decorateRequest('apiToken')
  app.decorateRequest('scopes')
  app.decorateRequest('signedIn', { getter: signedIn })
  app.decorateRequest('member', { getter: member })
  app.decorateRequest('mustStillMay', { getter: stillMay })

  app.addHook('onRequest', async (request, reply) => {
    request.viewer = visitor
    if (request.routeOptions.config.tokenless) return
    const hash = presented(request)
    const viewer = hash === undefined ? undefined : readTokenViewer(request, app.db, hash)
    if (!viewer) throw refuse(request)
    noteUse(request)
    pace(request, reply)
    const action = request.routeOptions.config.can
    if (action) mayDo(request, action)
  })

  /** A mistyped or foreign token. Many of them from one address are slowed down. */
  function refuse({ ip }: FastifyRequest): Problem {
    const now = app.now()
    const network = networkOf(ip)
    const before = wrong.get(network)
    const since = before && now >= before.since && now - before.since < minute ? before.since : now
    const count = before && since === before.since ? before.count + 1 : 1
    wrong.delete(network)
    wrong.set(network, { since, count })
    const [oldest] = wrong.keys()
    if (wrong.size > 10_000 && oldest !== undefined) wrong.delete(oldest)
    if (count > mostWrong)
      return new Problem('too-many', 'Too many wrong tokens came from this address.', {
        headers: { 'retry-after': String(Math.ceil((since + minute - now) / 1_000)) },
      })
    return new Problem('unauthorized')
  }
})

/** While nothing can be saved, it is not noted, and the request goes on. */
function noteUse({ server, ip, apiToken }: FastifyRequest): void {
  const { db, storage } = server
  const now = server.now()
  if (apiToken && (apiToken.lastUsedAt === null || Math.abs(now - apiToken.lastUsedAt) > minute))
    storage.attempt(() => noteTokenUse(db, apiToken.id, now, ip))
}

/** The hash of the token in the one header where it may be; undefined where none has the form of one. */
function presented({ headers }: FastifyRequest): string | undefined {
  const [, token] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
  return token !== undefined && isApiToken(token) ? hashToken(token) : undefined
}

/** Sets who asks, and returns that. Undefined for a token that does not work, or no longer. */
function readTokenViewer(request: FastifyRequest, db: Db, hash: string): Viewer | undefined {
  const { now } = request.server
  const row = findTokenViewer(db, { hash, host: request.server.config.passkeyHost })
  if (!row || row.token.expiresAt <= now()) return undefined
  const { token, user, account } = row
  const ssoFactors = hasSsoFactors(request, user.id)
  const enrolling = mustEnrol(request, { user, ssoFactors }, () => isInPartnerAccount(db, user.id))
  const unmet = unmetBy(account?.rules ?? null, { user, ssoFactors, ip: request.ip, at: now() })
  const { id, firstId, lastUsedAt, networks } = token
  request.apiToken = { id, firstId: firstId ?? id, lastUsedAt, networks }
  request.scopes = token.scopes.split(' ') as TokenScope[]
  const viewer: Viewer = {
    ...visitor,
    // Programs read what people do not choose.
    user: { ...viewingAs(user), theme: '', reads: anybody },
    account,
    activeAccount: account,
    // Support’s rights are not for tokens of accounts, and the other way round.
    standings: enrolling
      ? ['enrolling']
      : standingsOf(!account, account && { ...account, suspended: account.suspension !== null, unmet }),
    unmet,
    sessionKey: `token ${hash}`,
  }
  request.viewer = viewer
  return viewer
}

/** Whether the provider of a token’s user asks for two factors at every log-in. */
function hasSsoFactors({ server: { db, config } }: FastifyRequest, userId: UserId): boolean {
  const { sso } = config
  return sso?.secondFactor === 'yes' && findOwnIdentity(db, userId, sso.issuer) !== undefined
}

/** Throws the problem that a token gets which may not do something, or not here. */
function mayDo(request: FastifyRequest, action: Action): void {
  const { standings, account, unmet } = request.viewer
  const { account: named } = (request.params ?? {}) as { account?: string }
  if (named !== undefined && named !== account?.identifier) throw new Problem('not-found')
  if (unmet === 'address' || !isInNetworks(request.apiToken?.networks ?? '', request.ip))
    throw new Problem('address-not-allowed')
  if (standings.includes('enrolling') || unmet === 'second factor') throw new Problem('two-factor-missing')
  if (standings.includes('suspended')) throw new Problem('suspended')
  if (action !== 'api.see' && !can(standings, action)) throw new Problem('forbidden')
  const scope = scopeOf[action]
  if (action !== 'api.see' && !hasScope(request.scopes, scope))
    throw new Problem('scope-missing', `The token needs the scope ${scope}.`)
}

/** Checks again, in the transaction of the act, that the token works and may do what its operation is for. */
function stillMay(this: FastifyRequest) {
  return (tx: Db) => {
    const hash = presented(this)
    const action = this.routeOptions.config.can
    const { id } = this.signedIn
    const account = this.viewer.account?.id
    const viewer = hash === undefined ? undefined : readTokenViewer(this, tx, hash)
    if (!viewer || !action || viewer.user?.id !== id || viewer.account?.id !== account)
      throw new Problem('unauthorized')
    mayDo(this, action)
  }
}
