import type { FastifyInstance, FastifyReply } from 'fastify'
import * as z from 'zod'
import { findProviderOfDomain } from '../../accounts/sso/data/provider.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import { domainOf } from '../../web/fields.ts'
import { address } from '../../web/format.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { signIn, signOut } from '../../web/request/session.ts'
import { trimmed } from '../../web/visible.ts'
import { findUserByEmail } from '../data/users.ts'
import { beganBySso } from '../sso/data.ts'
import { keepEnded, keepTypedAddress, readTypedAddress } from '../sso/flow/flow.ts'
import { mayLogInHere, onlyBySso } from '../sso/flow/only.ts'
import { asksAddressFirst, refuseLostCookie, showLogIn } from './page.ts'
import { verifyPassword } from './passwords.ts'
import { needsSecondStep } from './second-step.ts'
import { startSession } from './start.ts'
import { logInAttempt, tooSoon } from './throttle/attempt.ts'
import { forgive } from './throttle/data.ts'

const email = z
  .string({ error: 'Enter your e-mail.' })
  .transform(trimmed)
  .pipe(z.string().min(1, 'Enter your e-mail.').max(300, 'This is too long.'))
const addressAlone = z.strictObject({ email, next: z.string().default('/') })
const credentials = z.strictObject({
  email,
  password: z.string({ error: 'Enter your password.' }).min(1, 'Enter your password.').max(1000, 'This is too long.'),
  next: z.string().default('/'),
})

export default async function loginRoutes(app: FastifyInstance) {
  const { db } = app
  const { sso } = app.config

  app.get('/login', { config: { can: 'session.start' } }, async (request, reply) => {
    const next = ownPath((request.query as Record<string, unknown>).next)
    if (request.viewer.user) return reply.seeOther(next)
    return showLogIn(request, reply, newForm({ next }))
  })

  offerWays(app)

  app.post('/login', { config: { can: 'session.start' } }, async (request, reply) => {
    const alone = !Object.hasOwn(request.body ?? {}, 'password') && asksAddressFirst(request)
    const first = alone ? readForm(addressAlone, request.body) : undefined
    if (first?.input) {
      refuseLostCookie(request)
      keepTypedAddress(request, reply, first.input.email)
      return reply.seeOther(address('/login/way', { next: ownPath(first.input.next) }))
    }
    if (first) return showLogIn(request, reply.code(422), first)
    const form = readForm(credentials, request.body)
    if (form.input) {
      refuseLostCookie(request)
      const { email, password, next } = form.input
      const user = findUserByEmail(db, email)
      const attempt = logInAttempt(request, email, user)
      const wait = tooSoon(request, reply, attempt)
      if (wait) {
        noteLogInResult(request, 'too many')
        return showLogIn(request, reply, form, wait)
      }

      // One answer, after one time, for an unknown address and for a wrong password (ASVS 6.3.8).
      if (!(await verifyPassword(user?.passwordHash, password, attempt)) || !user) {
        noteLogInResult(request, 'wrong password', user?.id)
        form.errors.email = 'The e-mail or the password is wrong.'
      } else if (user.disabledAt !== null) {
        noteLogInResult(request, 'disabled', user.id)
        form.errors.email = 'This user is disabled. Ask Support to enable it.'
      } else if (sso && !mayLogInHere(request, user, sso)) {
        noteLogInResult(request, 'wrong password', user.id)
        form.errors.email = onlyBySso(sso)
      } else {
        const { id: userId, passwordHash } = user
        if (needsSecondStep(request, user)) {
          if (!(await signIn(request, { userId, accountId: null, passwordHash })))
            return showLogIn(request, changed(reply, form), form)
          noteLogInResult(request, 'first step', user.id)
          return reply.seeOther(`/login/second-factor?next=${encodeURIComponent(ownPath(next))}`)
        }
        if (!(await startSession(request, reply, user, { passwordHash })))
          return showLogIn(request, changed(reply, form), form)
        forgive(db, attempt)
        return reply.seeOther(ownPath(next))
      }
    }
    return showLogIn(request, reply.code(422), form)
  })

  app.get('/unsent-forms', { config: { can: 'home.see' } }, async (request, reply) => {
    const forms = app.unsentForms.of(request.signedIn.id)
    if (forms.length === 0) return reply.seeOther('/')
    return reply.page('people/log-in/unsent', { title: 'Not sent yet', forms })
  })

  app.post('/session/removal', { config: { can: 'session.end' } }, async (request, reply) => {
    const bySso = beganBySso(db, request.viewer.sessionKey)
    await signOut(request, reply)
    if (bySso) keepEnded(request, reply, bySso.accountId)
    if (bySso) return reply.seeOther('/login/sso/ended')
    return reply.seeOther('/login', 'You are logged out.')
  })
}

function offerWays(app: FastifyInstance): void {
  const { db } = app

  // Whose log-in it is, from the address alone. The answer is the same for all addresses of a domain.
  app.get('/login/way', { config: { can: 'session.start' } }, async (request, reply) => {
    const next = ownPath((request.query as Record<string, unknown>).next)
    if (request.viewer.user) return reply.seeOther(next)
    const email = readTypedAddress(request)
    const there = asksAddressFirst(request) ? findProviderOfDomain(db, domainOf(email)) : undefined
    if (!there) return reply.seeOther(address('/login', { other: 'yes', next }))
    return reply.page('people/log-in/way', {
      title: 'Log in',
      email,
      account: there.account.name,
      atProvider: address('/login/sso/account', { domain: domainOf(email), next }),
      byPassword: address('/login', { other: 'yes', next }),
    })
  })
}

/** Between the check of the password and the session, it was changed or the user was disabled. */
function changed(reply: FastifyReply, form: Form): FastifyReply {
  form.errors.email = 'The e-mail or the password is wrong.'
  return reply.code(422)
}
