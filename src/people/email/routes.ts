import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { orTooMany } from '../../mail/pace.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { email, emailKey } from '../../web/fields.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { findUser } from '../data/users.ts'
import { sessionAttempt, tooSoon } from '../log-in/throttle/attempt.ts'
import { showProfile } from '../profile/page.ts'
import { requestConfirmation, requestEmailChange } from './data.ts'

const newEmail = z.strictObject({ email: email('Enter your new e-mail.') })

export default async function emailChangeRoutes(app: FastifyInstance) {
  const { db, mailContext } = app

  app.post('/profile/email', { config: { can: 'profile.change', confirm: true } }, async (request, reply) => {
    const user = orNotFound(findUser(db, request.signedIn.id))
    const form = readForm(newEmail, request.body)
    if (form.input && emailKey(form.input.email) === user.emailKey && form.input.email === user.email)
      form.errors.email = 'This is your e-mail already.'
    if (!form.input || form.errors.email) return showProfile(request, reply.code(422), { email: form })
    const wait = tooSoon(request, reply, sessionAttempt(request, 'email-change'))
    if (wait) return showProfile(request, reply, { email: form }, wait)
    const { email } = form.input
    const soon = orTooMany(() => requestEmailChange(db, actor(request), { user, email }, mailContext))
    if (soon) {
      form.errors.email = soon.message
      return showProfile(request, reply.code(429), { email: form })
    }
    return reply.seeOther(
      '/profile',
      apart`Unless somebody else logs in with ${form.input.email}, an e-mail is on its way there. Your e-mail changes when you follow its link, within an hour.`,
    )
  })

  app.post('/profile/email/confirmation', { config: { can: 'profile.change' } }, async (request, reply) => {
    readForm(z.strictObject({}), request.body)
    const { id } = request.signedIn
    const wait = tooSoon(request, reply, sessionAttempt(request, 'confirmation'))
    if (wait) return showProfile(request, reply, {}, wait)
    const sent = requestConfirmation(db, actor(request), { userId: id, accountId: null }, mailContext)
    return reply.seeOther(
      '/profile',
      sent
        ? apart`Confirmation sent to ${sent.email}. Follow its link within three days.`
        : 'Your e-mail address is confirmed.',
    )
  })
}
