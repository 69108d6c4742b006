import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { apart } from '../db/apart.ts'
import type { AccountId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'
import { can, isOfPartnerArea, type Standing, standingsOf } from '../policy.ts'
import { orNotFound, Refusal } from '../web/answer/errors.ts'
import { zoneOfBrowser } from '../web/reader.ts'
import { lateAnswer } from '../web/request/guard.ts'
import { isReadAhead } from '../web/request/reading-ahead.ts'
import { sessionKey } from '../web/request/session.ts'
import {
  type AccountRules,
  type ActiveAccount,
  member,
  type PartnerAccount,
  signedIn,
  type Unmet,
  type Viewer,
  visitor,
} from '../web/request/viewer.ts'
import { findDeletedMembership, findMembership, findSessionViewer, worksWithSecondFactor } from './data/membership.ts'
import {
  findOwnAccount,
  isInPartnerAccount,
  listPartnerAccounts,
  listRecentAccounts,
  type OwnAccount,
  switchAccount,
} from './data/switcher.ts'
import { unmetBy } from './unmet.ts'
import { isHalfSignedIn, mustEnrol, viewingAs } from './viewing.ts'

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
  app.decorateRequest('needsPasskey', { getter: needsPasskey })

  app.addHook('onRequest', async (request) => {
    request.viewer = readViewer(request)
  })

  // Rule 5: a link may name the account that it belongs to.
  app.addHook('onRequest', async (request, reply) => {
    const { account, ...query } = request.query as Record<string, string>
    if (account === undefined || request.method !== 'GET' || !request.viewer.user) return
    if (isReadAhead(request))
      throw new Refusal(503, 'Not opened yet', 'This link switches to another account when you open it.')
    const from = request.viewer.activeAccount?.identifier
    const active = orNotFound(switchTo(request, String(account)))
    const clean = new URLSearchParams(query)
    const path = request.url.split('?', 1)[0] ?? '/'
    const notice = active.identifier === from ? undefined : apart`You are working in ${active.name} now.`
    return reply.seeOther(clean.size > 0 ? `${path}?${clean}` : path, notice)
  })
})

function readViewer(request: FastifyRequest): Viewer {
  const { db } = request.server
  if (request.session.userId === undefined) return visitor
  const row = findViewer(request, db, sessionKey(request))
  if (!row) return visitor
  const { user, activeAccountId, account } = row
  if (isHalfSignedIn(request, row, () => isInPartnerAccount(db, user.id))) {
    return { ...visitor, halfSignedIn: { id: user.id, email: user.email }, sessionKey: sessionKey(request) }
  }

  const recentAccounts = once(() => listRecentAccounts(db, user.id, switcherSize + 1))
  const partnerAccounts = once(() => {
    const partners =
      recentAccounts().length > switcherSize
        ? listPartnerAccounts(db, user.id, switcherSize)
        : recentAccounts().filter(({ kind }) => kind === 'partner')
    const enrolling = mustEnrol(request, row, () => partners.length > 0)
    return partners.map((one) => ({
      ...one,
      standings: enrolling
        ? ['enrolling' as const]
        : standingsOf(false, { ...one, suspended: one.suspended === 1, unmet: unmetIn(request, row, one) }),
    }))
  })
  const inPartnerArea = partnerAreaAccount(request, row, partnerAccounts)
  const acting = inPartnerArea ? { ...row, account: inPartnerArea } : row
  const unmet = unmetIn(request, acting, acting.account)
  const lost = activeAccountId != null && !acting.account
  return {
    user: viewingAs(user, zoneOfBrowser(request)),
    halfSignedIn: undefined,
    account: acting.account,
    activeAccount: account,
    accountLost: lost,
    deletedAccount: lost ? findDeletedMembership(db, user.id, activeAccountId) : undefined,
    secondFactor: row.secondFactor,
    get recentAccounts() {
      return recentAccounts()
    },
    get partnerAccounts() {
      return partnerAccounts()
    },
    standings: standings(request, acting, unmet, () => partnerAccounts().length > 0),
    unmet,
    sessionKey: sessionKey(request),
  }
}

/**
 * Pages of the Partner Area act in a partner account whatever account is active. People with several choose one
 * (guard.ts), unless one of them is active.
 */
function partnerAreaAccount(
  request: FastifyRequest,
  { user, account }: SessionViewer,
  partnerAccounts: () => PartnerAccount[],
): ActiveAccount | undefined {
  const action = request.routeOptions.config.can
  if (!action || !isOfPartnerArea(action) || account?.kind === 'partner') return undefined
  const [only, another] = partnerAccounts()
  return only && !another ? findMembership(request.server.db, user.id, only.id) : undefined
}

/** Undefined also where the session has ended and its row could not be removed yet. */
function findViewer({ server }: FastifyRequest, db: Db, hash: string, accountId?: AccountId) {
  const session = { hash, host: server.config.passkeyHost }
  return server.endedSessions.has(hash) ? undefined : findSessionViewer(db, session, accountId)
}

type SessionViewer = NonNullable<ReturnType<typeof findSessionViewer>>

function standings(
  request: FastifyRequest,
  viewer: SessionViewer,
  unmet: Unmet | undefined,
  inPartnerAccount: () => boolean,
): readonly Standing[] {
  const { user, account } = viewer
  return mustEnrol(request, viewer, inPartnerAccount)
    ? ['enrolling']
    : standingsOf(user.operator, account && { ...account, suspended: account.suspension !== null, unmet })
}

/** What an account asks for and this session does not fulfil now. */
function unmetIn(
  { ip, server }: FastifyRequest,
  { user, ...session }: SessionViewer,
  account: { rules: AccountRules | null } | undefined,
): Unmet | undefined {
  return unmetBy(account?.rules ?? null, { user, ssoFactors: session.ssoFactors, session, ip, at: server.now() })
}

/**
 * Checks again, in the transaction of the act: is the session still open, is the user enabled, and do standing and
 * tenant still allow what the route is for? (D-16)
 */
function mustStillMay(request: FastifyRequest, tx: Db): void {
  const action = request.routeOptions.config.can
  const { viewer } = request
  const row = findViewer(request, tx, viewer.sessionKey, viewer.account?.id)
  const sameAccount = viewer.account === undefined || row?.account !== undefined
  const inPartnerAccount = () => row !== undefined && isInPartnerAccount(tx, row.user.id)
  if (
    action &&
    row &&
    row.user.id === (viewer.user ?? viewer.halfSignedIn)?.id &&
    isHalfSignedIn(request, row, inPartnerAccount) === (viewer.user === undefined) &&
    sameAccount &&
    can(standings(request, row, unmetIn(request, row, row.account), inPartnerAccount), action)
  )
    return
  request.viewer = readViewer(request)
  throw lateAnswer(request)
}

/** Asks in a transaction whether the session lives, and is its enabled user's. */
function mustStillBeSignedIn(request: FastifyRequest, tx: Db): void {
  const { viewer } = request
  const row = findViewer(request, tx, viewer.sessionKey)
  const inPartnerAccount = () => row !== undefined && isInPartnerAccount(tx, row.user.id)
  if (row && row.user.id === viewer.user?.id && !isHalfSignedIn(request, row, inPartnerAccount)) return
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

/** Makes another of the user's accounts the active one, for this request too. */
export function switchTo(request: FastifyRequest, identifier: string): OwnAccount | undefined {
  const { db, now } = request.server
  // The route's own action may be for the account that is switched to.
  const signedIn = { stillMay: (tx: Db) => mustStillBeSignedIn(request, tx) }
  const account = switchAccount(
    db,
    signedIn,
    { sessionHash: request.viewer.sessionKey, userId: request.signedIn.id },
    { identifier, at: now() },
  )
  if (account) {
    request.viewer = readViewer(request)
  }
  return account
}

export function ownAccount(request: FastifyRequest, identifier: string): OwnAccount | undefined {
  return findOwnAccount(request.server.db, request.signedIn.id, identifier)
}

/** What the switcher shows: the partner account last used and the active account first, then the accounts last used. */
export function recentAccounts({ viewer }: FastifyRequest) {
  const { activeAccount, recentAccounts } = viewer
  const pinned = [viewer.partnerAccounts[0], activeAccount].filter((account) => account !== undefined)
  const all = new Map([...pinned, ...recentAccounts].map((account) => [account.identifier, account]))
  return { accounts: [...all.values()].slice(0, switcherSize), more: recentAccounts.length > switcherSize }
}

/** For the getter `request.needsPasskey`. */
function needsPasskey(this: FastifyRequest): boolean {
  const { viewer, server } = this
  const { user, secondFactor } = viewer
  return user?.passkey === true && !user.twoFactor && !secondFactor && worksWithSecondFactor(server.db, user.id)
}
