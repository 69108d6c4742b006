import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { listRecentAccounts } from '../../../accounts/data/switcher.ts'
import { ownPath } from '../../../web/answer/redirects.ts'
import { noteLogInResult } from '../../../web/metrics.ts'
import { readForm } from '../../../web/request/forms.ts'
import { type SignIn, signIn } from '../../../web/request/session.ts'
import { visitingActor } from '../../../web/request/viewer.ts'
import { findUser, type User } from '../../data/users.ts'
import { refuseLostCookie, showLogIn } from '../../log-in/page.ts'
import { logInAttempt, passkeyAttempt, secondStepAttempt, tooSoon } from '../../log-in/throttle/attempt.ts'
import { rememberBrowser } from '../../log-in/throttle/browser.ts'
import { type Attempt, forgive } from '../../log-in/throttle/data.ts'
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
    const actor = { ...visitingActor(request), userId: user.id }
    if (
      acceptPasskey(request, actor, proven) &&
      (await start(request, reply, user, { passkeyId: proven.passkey.id }))
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
    const own = claim.user?.id === user.id ? claim : { ...claim, passkey: undefined }
    const proven = await checkPasskey(request, own, { purpose: 'second-step', verifies: false })
    const actor = { ...visitingActor(request), userId: user.id, stillMay: request.mustStillMay }
    if (proven && acceptPasskey(request, actor, proven)) {
      if (!(await start(request, reply, user, { passwordHash: user.passwordHash })))
        return reply.seeOther('/login', 'Your login has changed. Log in again.')
      forgiveAll(attempt, logInAttempt(request, user.email, user))
      return reply.seeOther(next)
    }
    noteLogInResult(request, 'wrong passkey', user.id)
    form.errors.credential = refused
    return showSecondStep(request, reply.code(422), form)
  })

  function forgiveAll(...attempts: Attempt[]): void {
    for (const attempt of attempts) forgive(db, attempt)
  }
}

type Proof = Pick<Extract<SignIn, { passkeyId: number }>, 'passkeyId'> | { passwordHash: string }

/** Starts the session of somebody who has proved two factors. False where the proof ended meanwhile. */
async function start(request: FastifyRequest, reply: FastifyReply, user: User, proof: Proof): Promise<boolean> {
  const [last] = listRecentAccounts(request.server.db, user.id, 1)
  const session = { userId: user.id, accountId: last?.id ?? null, secondFactor: true, ...proof }
  if (!(await signIn(request, session))) return false
  rememberBrowser(request, reply, user)
  noteLogInResult(request, 'succeeded', user.id)
  return true
}
