import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Db } from '../db/open.ts'
import { can, type Standing, standingsOf } from '../policy.ts'
import { found } from '../web/answer/errors.ts'
import { lateAnswer } from '../web/request/guard.ts'
import { sessionKey } from '../web/request/session.ts'
import { type Viewer, visitor } from '../web/request/viewer.ts'
import { findDeletedMembership, findSessionViewer } from './data/membership.ts'
import {
  findLastPartnerAccount,
  findOwnAccount,
  listRecentAccounts,
  type OwnAccount,
  switchAccount,
} from './data/switcher.ts'

/** The switcher lists so many accounts; the others are found on a page of their own. */
const switcherSize = 10

export default fp(async (app: FastifyInstance) => {
  app.decorateRequest('viewer')
  app.decorateRequest('signedIn', { getter: signedIn })
  app.decorateRequest('member', { getter: member })
  app.decorateRequest('readViewerAgain', function (this: FastifyRequest) {
    this.viewer = readViewer(this)
  })
  app.decorateRequest('mustStillMay', { getter: stillMay })

  app.addHook('onRequest', async (request) => {
    request.viewer = readViewer(request)
  })

  // Rule 5: a link may name the account that it belongs to.
  app.addHook('onRequest', async (request, reply) => {
    const { account, ...query } = request.query as Record<string, string>
    if (account === undefined || request.method !== 'GET' || !request.viewer.user) return
    const from = request.viewer.account?.identifier
    const own = found(switchTo(request, String(account)))
    const clean = new URLSearchParams(query)
    const path = request.url.split('?', 1)[0] ?? '/'
    const notice = own.identifier === from ? undefined : `You are working in ${own.name} now.`
    return reply.seeOther(clean.size > 0 ? `${path}?${clean}` : path, notice)
  })
})

function readViewer(request: FastifyRequest): Viewer {
  const { db } = request.server
  if (request.session.userId === undefined) return visitor
  const row = findViewer(request, db, sessionKey(request))
  if (!row) return visitor
  const { user, activeAccountId, account } = row
  if (isHalfSignedIn(row)) {
    return { ...visitor, halfSignedIn: { id: user.id, email: user.email }, sessionKey: sessionKey(request) }
  }

  const recentAccounts = once(() => listRecentAccounts(db, user.id, switcherSize + 1))
  const partnerAccount = once(
    () =>
      recentAccounts().find(({ kind }) => kind === 'partner') ??
      (recentAccounts().length > switcherSize ? findLastPartnerAccount(db, user.id) : undefined),
  )
  return {
    user: {
      id: user.id,
      name: user.name,
      email: user.email,
      emailProved: user.emailProvedAt !== null,
      operator: user.operator,
      twoFactor: user.totpSecret !== null,
    },
    halfSignedIn: undefined,
    account,
    accountLost: activeAccountId != null && !account,
    deletedAccount:
      activeAccountId != null && !account ? findDeletedMembership(db, user.id, activeAccountId) : undefined,
    get recentAccounts() {
      return recentAccounts()
    },
    get partnerAccount() {
      return partnerAccount()
    },
    standings: standings(request, row, partnerAccount),
    sessionKey: sessionKey(request),
  }
}

/** Undefined also where the session has ended and its row could not be removed yet. */
function findViewer({ server }: FastifyRequest, db: Db, hash: string, accountId?: number) {
  return server.endedSessions.has(hash) ? undefined : findSessionViewer(db, hash, accountId)
}

type SessionViewer = NonNullable<ReturnType<typeof findSessionViewer>>

/** Has given the password of a user with a second factor, and not yet that. */
function isHalfSignedIn({ user, secondFactor }: SessionViewer): boolean {
  return user.totpSecret !== null && !secondFactor
}

function standings(
  request: FastifyRequest,
  { user, account }: SessionViewer,
  partnerAccount: () => unknown,
): readonly Standing[] {
  const must = {
    optional: () => false,
    support: () => user.operator,
    partners: () => user.operator || partnerAccount() !== undefined,
  }
  return must[request.server.config.twoFactor]() && user.totpSecret === null
    ? ['enrolling']
    : standingsOf(user.operator, account && { ...account, suspended: account.suspension !== null })
}

/**
 * Asks once more, in the transaction of the act: does the session live, is the user enabled, and do standing and
 * tenant still allow what the route is for? (D-16)
 */
function mustStillMay(request: FastifyRequest, tx: Db): void {
  const action = request.routeOptions.config.can
  const { viewer } = request
  const row = findViewer(request, tx, viewer.sessionKey, viewer.account?.id)
  const sameAccount = viewer.account === undefined || row?.account !== undefined
  const partnerAccount = () => row && findLastPartnerAccount(tx, row.user.id)
  if (
    action &&
    row &&
    row.user.id === (viewer.user ?? viewer.halfSignedIn)?.id &&
    isHalfSignedIn(row) === (viewer.user === undefined) &&
    sameAccount &&
    can(standings(request, row, partnerAccount), action)
  )
    return
  request.viewer = readViewer(request)
  throw lateAnswer(request)
}

/** Asks in a transaction whether the session lives, and is its enabled user's. */
function mustStillBeSignedIn(request: FastifyRequest, tx: Db): void {
  const { viewer } = request
  const row = findViewer(request, tx, viewer.sessionKey)
  if (row && row.user.id === viewer.user?.id && !isHalfSignedIn(row)) return
  request.viewer = readViewer(request)
  throw lateAnswer(request)
}

/** A value that is made when it is asked for, once. */
function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

function stillMay(this: FastifyRequest) {
  return (tx: Db) => mustStillMay(this, tx)
}

function signedIn(this: FastifyRequest) {
  if (!this.viewer.user)
    throw new Error(`${this.routeOptions.url} is for signed-in users, but its action admits visitors.`)
  return this.viewer.user
}

function member(this: FastifyRequest) {
  if (!this.viewer.account)
    throw new Error(`${this.routeOptions.url} works in an account, but its action admits those without one.`)
  return { user: signedIn.call(this), account: this.viewer.account }
}

/** Makes another of the user's accounts the active one, for this request too. */
export function switchTo(request: FastifyRequest, identifier: string): OwnAccount | undefined {
  const { db, now } = request.server
  // The route's own action may be for the account that is switched to.
  const signedIn = { stillMay: (tx: Db) => mustStillBeSignedIn(request, tx) }
  const own = switchAccount(db, signedIn, request.viewer.sessionKey, request.signedIn.id, identifier, now())
  if (own) {
    request.viewer = readViewer(request)
  }
  return own
}

export function ownAccount(request: FastifyRequest, identifier: string): OwnAccount | undefined {
  return findOwnAccount(request.server.db, request.signedIn.id, identifier)
}

/** What the switcher shows: the accounts last used, and whether there are more. */
export function recentAccounts(request: FastifyRequest) {
  const { recentAccounts } = request.viewer
  return { accounts: recentAccounts.slice(0, switcherSize), more: recentAccounts.length > switcherSize }
}
