import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { findUser } from '../login/data.ts'
import { orTooMany } from '../mail/allowance.ts'
import { showProfile } from '../profile/page.ts'
import { sessionAttempt, tooSoon } from '../throttle/attempt.ts'
import { found } from '../web/errors.ts'
import { email, emailKey } from '../web/fields.ts'
import { readForm } from '../web/forms.ts'
import { actor } from '../web/viewer.ts'
import { changeEmail, findEmailChange, requestConfirmation, requestEmailChange } from './data.ts'

const newEmail = z.strictObject({ email: email('Enter your new e-mail.') })

export default async function emailChangeRoutes(app: FastifyInstance) {
  const { db, now, postLetter: post } = app
  const { publicUrl, supportEmail } = app.config
  const sender = { post, publicUrl, supportEmail }
  const byToken = { config: { can: 'profile.change', secret: true } } as const

  app.post('/profile/email', { config: { can: 'profile.change', confirm: true } }, async (request, reply) => {
    const user = found(findUser(db, request.signedIn.id))
    const form = readForm(newEmail, request.body)
    if (form.input && emailKey(form.input.email) === user.emailKey && form.input.email === user.email)
      form.errors.email = 'This is your e-mail already.'
    if (!form.input || form.errors.email) return showProfile(request, reply.code(422), { email: form })
    const wait = tooSoon(request, reply, sessionAttempt(request, 'email-change'))
    if (wait) return showProfile(request, reply, { email: form }, wait)
    const { email } = form.input
    const soon = orTooMany(() => requestEmailChange(db, actor(request), user, email, sender))
    if (soon) {
      form.errors.email = soon.message
      return showProfile(request, reply.code(429), { email: form })
    }
    return reply.seeOther(
      '/profile',
      `Unless somebody else logs in with ${form.input.email}, an e-mail is on its way there. Your e-mail changes when you follow its link, within an hour.`,
    )
  })

  app.post('/profile/email/confirmation', { config: { can: 'profile.change' } }, async (request, reply) => {
    readForm(z.strictObject({}), request.body)
    const { id } = request.signedIn
    const wait = tooSoon(request, reply, sessionAttempt(request, 'confirmation'))
    if (wait) return showProfile(request, reply, {}, wait)
    const sent = requestConfirmation(db, actor(request), id, null, sender)
    return reply.seeOther(
      '/profile',
      sent
        ? `Confirmation sent to ${sent.email}. Follow its link within three days.`
        : 'Your e-mail address is confirmed.',
    )
  })

  app.get('/profile/email/:token', byToken, async (request, reply) => show(request, reply))

  app.post('/profile/email/:token', byToken, async (request, reply) => {
    readForm(z.strictObject({}), request.body)
    const user = found(findUser(db, request.signedIn.id))
    const changed = changeEmail(db, actor(request), user, tokenOf(request), request.viewer.sessionKey, sender)
    if (changed === undefined) return show(request, reply)
    if (changed === 'taken')
      return reply.seeOther('/profile', 'Your e-mail was not changed: somebody else logs in with this address.')
    if (changed === user.email) return reply.seeOther('/profile', `Your e-mail address ${changed} is confirmed.`)
    return reply.seeOther('/profile', `You log in as ${changed} now. All your other sessions have ended.`)
  })

  function tokenOf(request: FastifyRequest): string {
    return (request.params as { token: string }).token
  }

  /** A link that does not work says so, whatever the reason. */
  function show(request: FastifyRequest, reply: FastifyReply) {
    const address = findEmailChange(db, request.signedIn.id, tokenOf(request), now())
    if (address === undefined) reply.code(404)
    return reply.page('email-change/index', {
      title: address === request.signedIn.email ? 'Confirm e-mail address' : 'Change e-mail',
      address: address ?? null,
      formAction: `/profile/email/${tokenOf(request)}`,
    })
  }
}
