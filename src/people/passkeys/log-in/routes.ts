import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { ownPath } from '../../../web/answer/redirects.ts'
import { noteLogInResult } from '../../../web/metrics.ts'
import { readForm } from '../../../web/request/forms.ts'
import { visitingActor } from '../../../web/request/viewer.ts'
import { findUser } from '../../data/users.ts'
import { refuseLostCookie, showLogIn } from '../../log-in/page.ts'
import { startSession } from '../../log-in/start.ts'
import { logInAttempt, passkeyAttempt, secondStepAttempt, tooSoon } from '../../log-in/throttle/attempt.ts'
import { forgive } from '../../log-in/throttle/data.ts'
import { mayLogInHere, onlyBySso } from '../../sso/flow/only.ts'
import { showSecondStep } from '../../two-factor/log-in/page.ts'
import { acceptPasskey, checkPasskey, readPasskey, refused } from '../check.ts'

const passkeyForm = z.strictObject({
  credential: z.string({ error: refused }).max(20_000, refused),
  next: z.string().default('/'),
})

/** Logging in by a passkey: alone, or after the password. */
export default async function passkeyLogInRoutes(app: FastifyInstance) {
  const { db } = app

  app.post('/login/passkey', { config: { can: 'session.start' } }, async (request, reply) => {
    const form = readForm(passkeyForm, request.body)
    const next = ownPath(form.values.next)
    if (request.viewer.user) return reply.seeOther(next)
    refuseLostCookie(request)
    const claim = readPasskey(request, form.input?.credential ?? '')
    const attempt = passkeyAttempt(request, claim.answer?.id, claim.user)
    const wait = tooSoon(request, reply, attempt)
    if (wait) {
      noteLogInResult(request, 'too many')
      return showLogIn(request, reply, form, wait)
    }
    const refuse = (words: string) => {
      form.errors.credential = words
      return showLogIn(request, reply.code(422), form)
    }
    const proven = await checkPasskey(request, claim, { purpose: 'log-in', verifies: true })
    if (!proven) {
      noteLogInResult(request, 'wrong passkey', claim.user?.id)
      return refuse(refused)
    }
    const user = findUser(db, proven.user.id)
    if (!user || user.disabledAt !== null) {
      noteLogInResult(request, 'disabled', proven.user.id)
      return refuse('This user is disabled. Ask Support to enable it.')
    }
    const { sso } = app.config
    if (sso && !mayLogInHere(request, user, sso)) return refuse(onlyBySso(sso))
    const actor = { ...visitingActor(request), userId: user.id }
    if (
      acceptPasskey(request, actor, proven) &&
      (await startSession(request, reply, user, { passkeyId: proven.passkey.id, secondFactor: true }))
    ) {
      forgive(db, attempt)
      return reply.seeOther(next)
    }
    noteLogInResult(request, 'wrong passkey', user.id)
    return refuse(refused)
  })

  app.post('/login/second-factor/passkey', { config: { can: 'session.start' } }, async (request, reply) => {
    const half = request.viewer.halfSignedIn
    const user = half && findUser(db, half.id)
    if (!user) return reply.seeOther('/login')
    const form = readForm(passkeyForm, request.body)
    const next = ownPath(form.values.next)
    const attempt = secondStepAttempt(request, user)
    const wait = tooSoon(request, reply, attempt)
    if (wait) {
      noteLogInResult(request, 'too many', user.id)
      return showSecondStep(request, reply, form, wait)
    }
    const claim = readPasskey(request, form.input?.credential ?? '')
    const proven = await checkPasskey(request, claim, { purpose: 'second-step', verifies: false, owner: user.id })
    const actor = { ...visitingActor(request), userId: user.id, stillMay: request.mustStillMay }
    if (proven && acceptPasskey(request, actor, proven)) {
      if (!(await startSession(request, reply, user, { passwordHash: user.passwordHash, secondFactor: true })))
        return reply.seeOther('/login', 'Your login has changed. Log in again.')
      forgive(db, attempt)
      forgive(db, logInAttempt(request, user.email, user))
      return reply.seeOther(next)
    }
    noteLogInResult(request, 'wrong passkey', user.id)
    form.errors.credential = refused
    return showSecondStep(request, reply.code(422), form)
  })
}
