import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { orNotFound } from '../../../web/answer/errors.ts'
import { ownPath } from '../../../web/answer/redirects.ts'
import { noteLogInResult } from '../../../web/metrics.ts'
import { newForm, readForm } from '../../../web/request/forms.ts'
import { visitingActor } from '../../../web/request/viewer.ts'
import { findUser } from '../../data/users.ts'
import { startSession } from '../../log-in/start.ts'
import { logInAttempt, secondStepAttempt, tooSoon } from '../../log-in/throttle/attempt.ts'
import { forgive } from '../../log-in/throttle/data.ts'
import { takeCode } from '../data.ts'
import { showSecondStep } from './page.ts'

const code = () => z.string({ error: 'Enter the code.' }).trim().min(1, 'Enter the code.').max(40, 'This is no code.')
const logIn = z.strictObject({ code: code(), next: z.string().default('/') })

export default async function secondStepRoutes(app: FastifyInstance) {
  const { db, secrets } = app

  app.get('/login/second-factor', { config: { can: 'session.start' } }, async (request, reply) => {
    const next = ownPath((request.query as Record<string, unknown>).next)
    if (!request.viewer.halfSignedIn) return reply.seeOther(request.viewer.user ? next : '/login')
    return showSecondStep(request, reply, newForm({ next }))
  })

  app.post('/login/second-factor', { config: { can: 'session.start' } }, async (request, reply) => {
    const half = request.viewer.halfSignedIn
    if (!half) return reply.seeOther('/login')
    const form = readForm(logIn, request.body)
    if (!form.input) return showSecondStep(request, reply.code(422), form)

    const user = orNotFound(findUser(db, half.id))
    const attempt = secondStepAttempt(request, user)
    const wait = tooSoon(request, reply, attempt)
    if (wait) {
      noteLogInResult(request, 'too many', half.id)
      return showSecondStep(request, reply, form, wait)
    }
    const person = { ...visitingActor(request), userId: user.id, stillMay: request.mustStillMay }
    if (takeCode(db, secrets, person, { user, typed: form.input.code })) {
      if (!(await startSession(request, reply, user, { passwordHash: user.passwordHash, secondFactor: true })))
        return reply.seeOther('/login', 'Your login has changed. Log in again.')
      forgive(db, attempt)
      forgive(db, logInAttempt(request, user.email, user))
      return reply.seeOther(ownPath(form.input.next))
    }
    noteLogInResult(request, 'wrong code', user.id)
    form.errors.code = 'This code is wrong, or was used already.'
    return showSecondStep(request, reply.code(422), form)
  })
}
