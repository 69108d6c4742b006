import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { listRecentAccounts } from '../../accounts/data/switcher.ts'
import { Refusal } from '../../web/answer/errors.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { signIn, signOut } from '../../web/request/session.ts'
import { trimmed } from '../../web/visible.ts'
import { findUserByEmail, hasOperator } from '../data/users.ts'
import { verifyPassword } from './passwords.ts'
import { logInAttempt, tooSoon } from './throttle/attempt.ts'
import { rememberBrowser } from './throttle/browser.ts'
import { forgive } from './throttle/data.ts'

const credentials = z.strictObject({
  email: z
    .string({ error: 'Enter your e-mail.' })
    .transform(trimmed)
    .pipe(z.string().min(1, 'Enter your e-mail.').max(300, 'This is too long.')),
  password: z.string({ error: 'Enter your password.' }).min(1, 'Enter your password.').max(1000, 'This is too long.'),
  next: z.string().default('/'),
})

export default async function loginRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/login', { config: { can: 'session.start' } }, async (request, reply) => {
    const next = ownPath((request.query as Record<string, unknown>).next)
    if (request.viewer.user) return reply.seeOther(next)
    return show(reply, newForm({ next }))
  })

  app.post('/login', { config: { can: 'session.start' } }, async (request, reply) => {
    const form = readForm(credentials, request.body)
    if (form.input) {
      refuseLostCookie(request)
      const { email, password, next } = form.input
      const user = findUserByEmail(db, email)
      const attempt = logInAttempt(request, email, user)
      const wait = tooSoon(request, reply, attempt)
      if (wait) {
        noteLogInResult(request, 'too many')
        return show(reply, form, wait)
      }

      // One answer, after one time, for an unknown address and for a wrong password (ASVS 6.3.8).
      if (!(await verifyPassword(user?.passwordHash, password, attempt)) || !user) {
        noteLogInResult(request, 'wrong password', user?.id)
        form.errors.email = 'The e-mail or the password is wrong.'
      } else if (user.disabledAt !== null) {
        noteLogInResult(request, 'disabled', user.id)
        form.errors.email = 'This user is disabled. Ask Support to enable it.'
      } else {
        const { id: userId, passwordHash } = user
        if (user.totpSecret !== null) {
          if (!(await signIn(request, { userId, accountId: null, passwordHash })))
            return show(changed(reply, form), form)
          noteLogInResult(request, 'first step', user.id)
          return reply.seeOther(`/login/second-factor?next=${encodeURIComponent(ownPath(next))}`)
        }
        const [last] = listRecentAccounts(db, userId, 1)
        if (!(await signIn(request, { userId, accountId: last?.id ?? null, passwordHash })))
          return show(changed(reply, form), form)
        forgive(db, attempt)
        rememberBrowser(request, reply, user)
        noteLogInResult(request, 'succeeded', user.id)
        return reply.seeOther(ownPath(next))
      }
    }
    return show(reply.code(422), form)
  })

  app.get('/unsent-forms', { config: { can: 'home.see' } }, async (request, reply) => {
    const forms = app.unsentForms.of(request.signedIn.id)
    if (forms.length === 0) return reply.seeOther('/')
    return reply.page('people/log-in/unsent', { title: 'Not sent yet', forms })
  })

  app.post('/session/removal', { config: { can: 'session.end' } }, async (request, reply) => {
    await signOut(request, reply)
    return reply.seeOther('/login', 'You are logged out.')
  })
}

/** Between the check of the password and the session, it was changed or the user was disabled. */
function changed(reply: FastifyReply, form: Form): FastifyReply {
  form.errors.email = 'The e-mail or the password is wrong.'
  return reply.code(422)
}

function show(reply: FastifyReply, { values, errors }: Form, problem = '') {
  const { password, ...typed } = values
  const form = { values: { ...typed, next: ownPath(typed.next) }, errors }
  const setUp = hasOperator(reply.request.server.db)
  return reply.page('people/log-in/index', { title: 'Log in', form, problem, setUp })
}

/** A Secure cookie is silently not set when the proxy does not say that it was reached by https. */
function refuseLostCookie({ protocol, server: { config } }: FastifyRequest): void {
  if (!config.https || protocol === 'https') return
  throw new Refusal(
    500,
    'The reverse proxy is not set up',
    'PUBLIC_URL is https, but this request did not come by https from an address in TRUST_PROXY. Set TRUST_PROXY to the proxy’s address, and let the proxy send X-Forwarded-Proto and X-Forwarded-For.',
  )
}
