import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { type Db, write } from '../../db/open.ts'
import { allowReset } from '../../mail/allowance.ts'
import { orTooMany } from '../../mail/pace.ts'
import { email, emailKey } from '../../web/fields.ts'
import { dateTime } from '../../web/format.ts'
import { forReader } from '../../web/reader.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { visitingActor } from '../../web/request/viewer.ts'
import { findUserByEmail } from '../data/users.ts'
import { ownerOf, passwordChoice, readNewPassword, withoutPasswords } from '../log-in/new-person.ts'
import { resetAttempt, tooSoon } from '../log-in/throttle/attempt.ts'
import { knownBrowser, rememberBrowser } from '../log-in/throttle/browser.ts'
import { findReset, requestReset, resetPassword } from './data.ts'
import { afterTheAnswer } from './later.ts'

const resetRequest = z.strictObject({ email: email('Enter your e-mail.') })

export default async function passwordResetRoutes(app: FastifyInstance) {
  const { db, now, config, postLetter: post } = app
  const { publicUrl, panelName } = config
  const later = afterTheAnswer(app)
  const reset = { config: { can: 'password.reset' } } as const
  const byToken = { config: { can: 'password.reset', secret: true } } as const

  app.get('/password-reset', reset, async (_request, reply) =>
    reply.page('people/password/index', { title: 'Forgot your password?', form: newForm() }),
  )

  app.post('/password-reset', reset, async (request, reply) => {
    const form = readForm(resetRequest, request.body)
    if (!form.input) return reply.code(422).page('people/password/index', { title: 'Forgot your password?', form })
    const { email } = form.input
    const user = findUserByEmail(db, email)
    const wait = tooSoon(request, reply, resetAttempt(request, email, user))
    if (wait) return reply.page('people/password/index', { title: 'Forgot your password?', form, problem: wait })
    // Of every address, so that the answer says nothing about it.
    const anonymous = visitingActor(request)
    const browser = knownBrowser(request, user)
    const soon = orTooMany(() => write(db, anonymous, (tx) => allowReset(tx, now(), emailKey(email), browser)))
    if (soon) {
      form.errors.email = soon.message
      return reply.code(429).page('people/password/index', { title: 'Forgot your password?', form })
    }
    if (user && user.disabledAt === null)
      later(
        () => requestReset(db, anonymous, user, { post, publicUrl }),
        (error) => request.log.error({ err: error }, 'a password reset was not written'),
      )
    return reply.seeOther(
      '/login',
      'If this address has a login here, an e-mail is on its way to it. Its link works for 30 minutes.',
    )
  })

  app.get('/password-reset/:token', byToken, async (request, reply) => show(request, reply, newForm()))

  app.post('/password-reset/:token', byToken, async (request, reply) => {
    const form = readForm(passwordChoice, request.body)
    const user = findReset(db, tokenOf(request), now())
    if (form.input && user) {
      // The person who set up an unconfirmed address knows the earlier password.
      const earlier = user.emailProvedAt === null ? user.passwordHash : undefined
      const passwordHash = await readNewPassword(form, {
        owner: ownerOf(db, user),
        panelName,
        from: request.ip,
        earlier,
      })
      if (passwordHash) {
        const tell = (tx: Db) =>
          post(tx, now(), {
            kind: 'password-changed',
            email: user.email,
            name: user.name,
            reason: { because: 'user', userId: user.id },
            data: { when: forReader(user, () => dateTime(now())), link: `${publicUrl}/password-reset` },
          })
        const anonymous = visitingActor(request)
        if (resetPassword(db, anonymous, { token: tokenOf(request), user, passwordHash }, tell)) {
          // The owner of the mailbox: strangers who guess at this address cannot keep this browser out.
          rememberBrowser(request, reply, { id: user.id, passwordHash })
          return reply.seeOther('/login', 'Your password was changed. Log in with the new one.')
        }
      }
    }
    return show(request, reply.code(422), withoutPasswords(form))
  })
}

function tokenOf(request: FastifyRequest): string {
  return (request.params as { token: string }).token
}

/** A link that does not work says so, whatever the reason. */
function show(request: FastifyRequest, reply: FastifyReply, form: Form) {
  const user = findReset(request.server.db, tokenOf(request), request.server.now())
  if (!user) reply.code(404)
  return reply.page('people/password/choose', {
    title: 'Choose a new password',
    works: user !== undefined,
    formAction: `/password-reset/${tokenOf(request)}`,
    form,
  })
}
