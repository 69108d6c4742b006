import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Sso } from '../../config.ts'
import { apart } from '../../db/apart.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import { emailKey, personName } from '../../web/fields.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import { provedLately } from '../../web/request/guard.ts'
import { noteProof } from '../../web/request/session.ts'
import { actor, visitingActor } from '../../web/request/viewer.ts'
import { refuseLostCookie } from '../log-in/page.ts'
import { tooSoon } from '../log-in/throttle/attempt.ts'
import { type Attempt, forgive } from '../log-in/throttle/data.ts'
import { sayConnected } from './connected.ts'
import { connectIdentity, findIdentity } from './data.ts'
import { type Errand, type Flow, keepWaiting, newFlow, takeFlow } from './flow/flow.ts'
import { tellSso } from './letter.ts'
import { settleArrival } from './linking/data.ts'
import { logInBySso } from './log-in.ts'
import { type Confirmed, providerOf } from './provider.ts'

/** Milliseconds by which the provider’s clock may be behind. */
const clockOff = 60_000

/** To the provider and back (OpenID Connect, authorization code with PKCE). These are links: a form that leads to another site is stopped by browsers. */
export default async function ssoRoutes(app: FastifyInstance) {
  const { db, config } = app

  app.get('/login/sso', { config: { can: 'session.start' } }, async (request, reply) => {
    const next = ownPath((request.query as Record<string, unknown>).next)
    if (request.viewer.user) return reply.seeOther(next)
    return toProvider(request, reply, 'log-in', next)
  })

  app.get('/profile/sso/start', { config: { can: 'sso.change' } }, async (request, reply) =>
    provedLately(request) ? toProvider(request, reply, 'connect', '/profile/sso') : reply.seeOther('/profile/sso'),
  )

  app.get('/profile/sso/proof', { config: { can: 'sso.change' } }, async (request, reply) =>
    toProvider(request, reply, 'proof', ownPath((request.query as Record<string, unknown>).next)),
  )

  const callback = { exposeHeadRoute: false, config: { can: 'session.start' } } as const
  app.get('/login/sso/callback', callback, async (request, reply) => {
    const { sso } = config
    if (!sso) return reply.seeOther('/login')
    refuseLostCookie(request)
    const flow = takeFlow(request, reply)
    if (!flow)
      return reply.seeOther('/login', 'This login took longer than ten minutes, or was begun elsewhere. Try again.')
    if (flow.errand === 'log-in' && request.viewer.user) return reply.seeOther(flow.next)
    // Each log-in counts alone, so that those at one address wait for the limit of the address only.
    const attempt = { account: `single sign-on ${flow.state}`, address: request.ip }
    const wait = tooSoon(request, reply, attempt)
    if (wait) {
      noteLogInResult(request, 'too many')
      return reply.seeOther('/login', wait)
    }
    const told = await ask(request, flow, sso)
    if (!told) return failed(request, reply, flow, sso)
    forgive(db, attempt satisfies Attempt)
    return { 'log-in': arrive, connect, proof }[flow.errand](request, reply, { flow, told, sso })
  })
}

type Back = { flow: Flow; told: Confirmed; sso: Sso }

async function toProvider(request: FastifyRequest, reply: FastifyReply, errand: Errand, next: string) {
  const { config } = request.server
  if (!config.sso) return reply.seeOther('/login')
  refuseLostCookie(request)
  const asked = newFlow(request, reply, errand, next)
  try {
    return reply.redirect(await providerOf(config, config.sso).begin(asked, errand === 'proof'), 303)
  } catch (error) {
    request.log.warn({ err: error }, 'the provider of single sign-on cannot be reached')
    const words = apart`${config.sso.name} cannot be reached. Try again in a few minutes.`
    return reply.seeOther(errand === 'log-in' ? '/login?other=yes' : '/profile/sso', words)
  }
}

/** What the provider says; undefined where anything is not as it was asked. */
async function ask(request: FastifyRequest, flow: Flow, sso: Sso): Promise<Confirmed | undefined> {
  const query = request.url.split('?')[1] ?? ''
  try {
    return await providerOf(request.server.config, sso).finish(query, flow)
  } catch (error) {
    request.log.warn({ err: error }, 'a single sign-on was refused')
    return undefined
  }
}

function failed(request: FastifyRequest, reply: FastifyReply, { errand, next }: Flow, { name }: Sso) {
  noteLogInResult(request, 'wrong single sign-on', request.viewer.user?.id)
  const words = apart`Logging in with ${name} did not work. Nothing was changed. Try again.`
  return reply.seeOther(errand === 'log-in' ? `/login?next=${encodeURIComponent(next)}` : '/profile/sso', words)
}

async function arrive(request: FastifyRequest, reply: FastifyReply, { flow, told, sso }: Back) {
  const { db } = request.server
  const settled = settleArrival(
    db,
    visitingActor(request),
    { ...told, name: personName().safeParse(told.name).data },
    { emailTrusted: sso.emailTrusted, tell: (tx, user) => tellSso(request.server, user, 'connected')(tx) },
  )
  if (settled === undefined) {
    noteLogInResult(request, 'wrong single sign-on')
    const who = told.emailVerified ? (told.email ?? 'you') : 'you'
    return reply.seeOther('/login', apart`Nobody has invited ${who} here. Ask an admin of your account to do so.`)
  }
  if (settled === 'log-in') {
    const { issuer, subject, email = '' } = told
    keepWaiting(request, reply, { issuer, subject, email, emailKey: emailKey(email) })
    return reply.seeOther('/login/sso/waiting')
  }
  const { user, identity, joined } = settled
  if (user.disabledAt !== null) {
    noteLogInResult(request, 'disabled', user.id)
    return reply.seeOther('/login', 'This user is disabled. Ask Support to enable it.')
  }
  const next = joined && !flow.next.startsWith('/invitations/') ? '/' : flow.next
  return logInBySso(request, reply, { user, identityId: identity.id, told, next, begins: joined })
}

async function connect(request: FastifyRequest, reply: FastifyReply, { told, sso }: Back) {
  if (!request.viewer.user) return reply.seeOther('/login')
  const tell = tellSso(request.server, request.signedIn, 'connected')
  return sayConnected(reply, sso.name, connectIdentity(request.server.db, actor(request), told, tell))
}

/** Who has just logged in there has confirmed who they are here. */
async function proof(request: FastifyRequest, reply: FastifyReply, { flow, told, sso }: Back) {
  if (!request.viewer.user) return reply.seeOther('/login')
  const isOwner = findIdentity(request.server.db, told)?.user.id === request.signedIn.id
  // Who has a second factor confirms by two, or not at all.
  const isEnough = !request.signedIn.twoFactor || told.factors
  if (!isOwner || !isEnough || (told.loggedInAt ?? 0) < flow.begunAt - clockOff)
    return reply.seeOther('/profile/sso', apart`${sso.name} did not confirm that it is you. Nothing was changed.`)
  noteProof(request, { secondFactor: false })
  return reply.seeOther(flow.next, 'You confirmed who you are. Continue where you were.')
}
