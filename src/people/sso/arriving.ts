import type { FastifyReply, FastifyRequest } from 'fastify'
import { joinByProvider, mapGroups } from '../../accounts/sso/data/mapping.ts'
import { apart } from '../../db/apart.ts'
import { emailKey, personName } from '../../web/fields.ts'
import { address } from '../../web/format.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import { noteProof } from '../../web/request/session.ts'
import { actor, visitingActor } from '../../web/request/viewer.ts'
import { refuseLostCookie } from '../log-in/page.ts'
import { tooSoon } from '../log-in/throttle/attempt.ts'
import { type Attempt, forgive } from '../log-in/throttle/data.ts'
import { sayConnected } from './connected.ts'
import { connectIdentity, findIdentity } from './data.ts'
import { type Flow, keepWaiting, newFlow, takeFlow } from './flow/flow.ts'
import { tellSso } from './letter.ts'
import { type Mapping, settleArrival } from './linking/data.ts'
import { logInBySso } from './log-in.ts'
import type { Confirmed } from './provider.ts'
import { type Via, viaOfAccount, viaOfInstallation } from './via.ts'

/** Milliseconds by which the provider’s clock may be behind. */
const clockOff = 60_000

type Back = { flow: Flow; told: Confirmed; via: Via }

export async function toProvider(
  request: FastifyRequest,
  reply: FastifyReply,
  via: Via,
  { errand, next }: Pick<Flow, 'errand' | 'next'>,
) {
  refuseLostCookie(request)
  const asked = newFlow(request, reply, { errand, next, accountId: via.account?.id ?? null })
  try {
    return reply.redirect(await via.provider.begin(asked, errand === 'proof'), 303)
  } catch (error) {
    request.log.warn({ err: error }, 'the provider of single sign-on cannot be reached')
    const words = apart`${via.name} cannot be reached. Try again in a few minutes.`
    return reply.seeOther(errand === 'log-in' ? '/login?other=yes' : '/profile/sso', words)
  }
}

/** `identifier`: the account to whose callback the browser was sent; null for the installation’s. */
export async function comeBack(request: FastifyRequest, reply: FastifyReply, identifier: string | null) {
  refuseLostCookie(request)
  const flow = takeFlow(request, reply)
  const { accountId = null } = flow ?? {}
  const via = accountId === null ? viaOfInstallation(request.server.config) : viaOfAccount(request, accountId)
  // What one provider sends to the callback of another is nothing: it could be a code of somebody else’s (RFC 9700, 4.4).
  if (!flow || !via || (via.account?.identifier ?? null) !== identifier)
    return reply.seeOther('/login', 'This login took longer than ten minutes, or was begun elsewhere. Try again.')
  if (flow.errand === 'log-in' && request.viewer.user) return reply.seeOther(flow.next)
  // Each log-in counts alone, so that those at one address wait for the limit of the address only.
  const attempt = { account: `single sign-on ${flow.state}`, address: request.ip }
  const wait = tooSoon(request, reply, attempt)
  if (wait) {
    noteLogInResult(request, 'too many')
    return reply.seeOther('/login', wait)
  }
  const told = await ask(request, flow, via)
  if (!told) return failed(request, reply, flow, via)
  forgive(request.server.db, attempt satisfies Attempt)
  return { 'log-in': arrive, connect, proof }[flow.errand](request, reply, { flow, told, via })
}

/** What the provider says; undefined where anything is not as it was asked. */
async function ask(request: FastifyRequest, flow: Flow, { provider }: Via): Promise<Confirmed | undefined> {
  const query = request.url.split('?')[1] ?? ''
  try {
    return await provider.finish(query, flow)
  } catch (error) {
    request.log.warn({ err: error }, 'a single sign-on was refused')
    return undefined
  }
}

function failed(request: FastifyRequest, reply: FastifyReply, { errand, next }: Flow, { name }: Via) {
  noteLogInResult(request, 'wrong single sign-on', request.viewer.user?.id)
  const words = apart`Logging in with ${name} did not work. Nothing was changed. Try again.`
  return reply.seeOther(errand === 'log-in' ? `/login?next=${encodeURIComponent(next)}` : '/profile/sso', words)
}

async function arrive(request: FastifyRequest, reply: FastifyReply, { flow, told, via }: Back) {
  const { db } = request.server
  const { email, emailVerified, emailRefused } = told
  const { account, emailTrusted, isOf } = via
  // An account whose provider alone gives out its addresses has said that all of them are verified.
  const verified = emailVerified || (account !== null && emailTrusted && !emailRefused)
  const settled = settleArrival(
    db,
    visitingActor(request),
    {
      ...told,
      email: account && emailRefused ? undefined : email,
      emailVerified: verified,
      name: personName().safeParse(told.name).data,
    },
    {
      emailTrusted,
      isOf,
      mapping: mappingOf(request, told, via),
      tell: (tx, user) => tellSso(request.server, user, 'connected', via.name)(tx),
    },
  )
  if (settled === undefined) {
    noteLogInResult(request, 'wrong single sign-on')
    const who = verified ? (email ?? 'you') : 'you'
    return reply.seeOther('/login', apart`Nobody has invited ${who} here. Ask an admin of your account to do so.`)
  }
  if (settled === 'unproved') {
    noteLogInResult(request, 'wrong single sign-on')
    const words = apart`Your address here does not belong to ${via.name}. Log in as you did before.`
    return reply.seeOther(address('/login', { other: 'yes', next: flow.next }), words)
  }
  if (settled === 'log-in') {
    const { issuer, subject, email = '' } = told
    const waiting = { issuer, subject, email, emailKey: emailKey(email) }
    keepWaiting(request, reply, { ...waiting, provider: via.name, accountId: account?.id ?? null })
    return reply.seeOther('/login/sso/waiting')
  }
  const { user, identity, joined } = settled
  if (user.disabledAt !== null) {
    noteLogInResult(request, 'disabled', user.id)
    return reply.seeOther('/login', 'This user is disabled. Ask Support to enable it.')
  }
  const next = joined && !flow.next.startsWith('/invitations/') ? '/' : flow.next
  const session = { user, identityId: identity.id, told, next, begins: joined, accountId: account?.id ?? null }
  return logInBySso(request, reply, session)
}

/** Nobody is let in by the installation’s provider, and it says nothing of groups. */
function mappingOf(request: FastifyRequest, { claims }: Confirmed, { account, issuer }: Via): Mapping | undefined {
  if (!account) return undefined
  const by = visitingActor(request)
  const mapped = { accountId: account.id, issuer, claims }
  return {
    join: (tx, { email, name = nameFrom(email) }) => joinByProvider(tx, by, { ...mapped, email, name }),
    arrived: (tx, { id }) => mapGroups(tx, by, { ...mapped, userId: id }),
  }
}

const nameFrom = (email: string) => personName().safeParse(email.split('@', 1)[0]).data ?? email.slice(0, 100)

async function connect(request: FastifyRequest, reply: FastifyReply, { told, via }: Back) {
  if (!request.viewer.user) return reply.seeOther('/login')
  const tell = tellSso(request.server, request.signedIn, 'connected', via.name)
  return sayConnected(reply, via.name, connectIdentity(request.server.db, actor(request), told, tell))
}

/** Who has just logged in there has confirmed who they are here. */
async function proof(request: FastifyRequest, reply: FastifyReply, { flow, told, via }: Back) {
  if (!request.viewer.user) return reply.seeOther('/login')
  const { db } = request.server
  const known = findIdentity(db, told)?.user
  const isOwner = known?.id === request.signedIn.id && via.isOf(db, known.email)
  // Who has a second factor confirms by two, or not at all.
  const isEnough = !request.signedIn.twoFactor || told.factors
  if (!isOwner || !isEnough || (told.loggedInAt ?? 0) < flow.begunAt - clockOff)
    return reply.seeOther('/profile/sso', apart`${via.name} did not confirm that it is you. Nothing was changed.`)
  noteProof(request, { secondFactor: false })
  return reply.seeOther(flow.next, 'You confirmed who you are. Continue where you were.')
}
