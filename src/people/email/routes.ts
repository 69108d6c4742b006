import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { orTooMany } from '../../mail/pace.ts'
import { found } from '../../web/answer/errors.ts'
import { email, emailKey } from '../../web/fields.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { signIn } from '../../web/request/session.ts'
import { actor } from '../../web/request/viewer.ts'
import type { User } from '../data/users.ts'
import { findUser } from '../data/users.ts'
import { ownerOf, passwordChoice, readNewPassword, withoutPasswords } from '../log-in/new-person.ts'
import { sessionAttempt, tooSoon } from '../log-in/throttle/attempt.ts'
import { rememberBrowser } from '../log-in/throttle/browser.ts'
import { showProfile } from '../profile/page.ts'
import { changeEmail, findEmailChange, requestConfirmation, requestEmailChange } from './data.ts'

const newEmail = z.strictObject({ email: email('Enter your new e-mail.') })

export default async function emailChangeRoutes(app: FastifyInstance) {
  const { db, now, postLetter: post } = app
  const { publicUrl, supportEmail, panelName } = app.config
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
    const user = found(findUser(db, request.signedIn.id))
    if (user.emailProvedAt === null) return proveAnew(request, reply, user)
    readForm(z.strictObject({}), request.body)
    const sessionHash = request.viewer.sessionKey
    const changed = changeEmail(db, actor(request), user.id, tokenOf(request), { sessionHash }, sender)
    if (changed === undefined) return show(request, reply)
    if (changed === 'taken') return taken(reply)
    return reply.seeOther('/profile', `You log in as ${changed} now. All your other sessions have ended.`)
  })

  /** Somebody else may have set up an address that is not proved, and be logged in: all sessions end, this one anew. */
  async function proveAnew(request: FastifyRequest, reply: FastifyReply, user: User): Promise<FastifyReply> {
    const form = readForm(passwordChoice, request.body)
    if (form.input && findEmailChange(db, request.signedIn, tokenOf(request), now())) {
      const passwordHash = await readNewPassword(
        form,
        ownerOf(db, user),
        panelName,
        { userId: user.id },
        user.passwordHash,
      )
      if (passwordHash) {
        const accountId = request.viewer.account?.id ?? null
        const anew = { sessionHash: request.viewer.sessionKey, passwordHash }
        const changed = changeEmail(db, actor(request), user.id, tokenOf(request), anew, sender)
        if (changed === 'taken') return taken(reply)
        if (changed !== undefined) {
          await signIn(request, { userId: user.id, accountId, passwordHash })
          rememberBrowser(request, reply, { id: user.id, passwordHash })
          const what =
            changed === user.email ? `Your e-mail address ${changed} is confirmed` : `You log in as ${changed} now`
          return reply.seeOther('/profile', `${what}, with your new password. All your other sessions have ended.`)
        }
      }
    }
    return show(request, reply.code(422), withoutPasswords(form))
  }

  function taken(reply: FastifyReply): FastifyReply {
    return reply.seeOther('/profile', 'Your e-mail was not changed: somebody else logs in with this address.')
  }

  function tokenOf(request: FastifyRequest): string {
    return (request.params as { token: string }).token
  }

  /** A link that does not work says so, whatever the reason. */
  function show(request: FastifyRequest, reply: FastifyReply, form: Form = newForm()) {
    const change = findEmailChange(db, request.signedIn, tokenOf(request), now())
    if (change === undefined) reply.code(404)
    return reply.page('people/email/index', {
      title: change?.confirms ? 'Confirm e-mail address' : 'Change e-mail',
      change: change ?? null,
      form,
      formAction: `/profile/email/${tokenOf(request)}`,
    })
  }
}
