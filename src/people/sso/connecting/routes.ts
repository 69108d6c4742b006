import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import { notFound, orNotFound } from '../../../web/answer/errors.ts'
import { emailKey } from '../../../web/fields.ts'
import { newForm, readForm } from '../../../web/request/forms.ts'
import { provedLately } from '../../../web/request/guard.ts'
import { actor } from '../../../web/request/viewer.ts'
import { findUser } from '../../data/users.ts'
import { sayConnected } from '../connected.ts'
import { connectIdentity, disconnectIdentity, findOwnIdentity } from '../data.ts'
import { forgetWaiting, readWaiting } from '../flow/flow.ts'
import { tellSso } from '../letter.ts'
import { mayAccountSignIn } from '../via.ts'

const page = '/profile/sso'
const waitingForm = z.strictObject({ identity: z.string() })

/** Profile → Single sign-on: connects the provider with a user, and disconnects it. */
export default async function ssoConnectingRoutes(app: FastifyInstance) {
  const { db, config } = app
  const { sso } = config
  const change = { config: { can: 'sso.change', confirm: true } } as const

  app.get(page, { config: { can: 'sso.change' } }, async (request, reply) => {
    const { id } = request.signedIn
    return reply.page('people/sso/index', {
      title: 'Single sign-on',
      provider: sso?.name ?? '',
      identity: (sso && findOwnIdentity(db, id, sso.issuer)) ?? null,
      password: orNotFound(findUser(db, id)).passwordHash !== '',
      only: sso?.only ?? false,
    })
  })

  // Proof comes first, and then a link: browsers stop a form that leads to another site.
  app.post(`${page}/new`, change, async (_request, reply) => reply.seeOther(`${page}/new`))

  app.get(`${page}/new`, { config: { can: 'sso.change' } }, async (request, reply) => {
    if (!sso || !provedLately(request)) return reply.seeOther(page)
    return reply.page('people/sso/new', { title: apart`Connect ${sso.name}`, provider: sso.name })
  })

  app.post(`${page}/removal`, change, async (request, reply) => {
    if (!sso) throw notFound()
    const removed = disconnectIdentity(
      db,
      actor(request),
      { sso, sessionHash: request.viewer.sessionKey },
      tellSso(app, request.signedIn, 'disconnected'),
    )
    return reply.seeOther(
      page,
      removed === 'last-way-in'
        ? 'Nothing else would log you in. Choose a password, or add a passkey first.'
        : removed
          ? apart`${sso.name} was disconnected. Sessions that began there have ended.`
          : apart`${sso.name} was not connected. Nothing was changed.`,
    )
  })

  app.get('/login/sso/waiting', { config: { can: 'session.start' } }, async (request, reply) => {
    const waiting = readWaiting(request)
    if (!waiting) return reply.seeOther(request.viewer.user ? page : '/login')
    return reply.page('people/sso/waiting', {
      title: apart`Connect ${waiting.provider}`,
      provider: waiting.provider,
      waiting: waiting.email,
      who: whoIs(request, waiting.emailKey),
      form: newForm({ identity: waiting.sealed }),
    })
  })

  app.post(`${page}/waiting`, change, async (request, reply) => {
    const waiting = readWaiting(request)
    const form = readForm(waitingForm, request.body)
    if (!waiting || form.input?.identity !== waiting.sealed || whoIs(request, waiting.emailKey) !== 'owner')
      return reply.seeOther(page, 'This took longer than ten minutes. Log in there again.')
    forgetWaiting(request, reply)
    const { provider, accountId, email } = waiting
    if (accountId !== null && !mayAccountSignIn(db, accountId, email))
      return reply.seeOther('/profile', apart`Your address no longer belongs to ${provider}. Nothing was changed.`)
    const tell = tellSso(app, request.signedIn, 'connected', provider)
    const connected = connectIdentity(db, actor(request), waiting, tell)
    return sayConnected(reply, provider, connected, accountId === null ? page : '/profile')
  })
}

/** Whether the user with the address of the identity looks at the page: nobody else is connected with it. */
function whoIs({ viewer }: FastifyRequest, key: string): 'visitor' | 'owner' | 'other' {
  if (!viewer.user) return 'visitor'
  return emailKey(viewer.user.email) === key ? 'owner' : 'other'
}
