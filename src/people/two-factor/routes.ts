import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { listRecentAccounts } from '../../accounts/data/switcher.ts'
import type { Db } from '../../db/open.ts'
import type { Post } from '../../mail/outbox.ts'
import { seal, unseal } from '../../secrets.ts'
import { badRequest, found, notFound } from '../../web/answer/errors.ts'
import { ownPath } from '../../web/answer/redirects.ts'
import { readId } from '../../web/fields.ts'
import { dateTime } from '../../web/format.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { signIn } from '../../web/request/session.ts'
import { actor, supportActor, visitingActor } from '../../web/request/viewer.ts'
import { findUser } from '../data/users.ts'
import { logInAttempt, secondStepAttempt, tooSoon } from '../log-in/throttle/attempt.ts'
import { rememberBrowser } from '../log-in/throttle/browser.ts'
import { forgive } from '../log-in/throttle/data.ts'
import { grouped, newRecoveryCodes, newSecret, qrCode, stepOf } from './codes.ts'
import { countCodes, renewCodes, switchOff, switchOn, takeCode } from './data.ts'

const code = () => z.string({ error: 'Enter the code.' }).trim().min(1, 'Enter the code.').max(40, 'This is no code.')
const logIn = z.strictObject({ code: code(), next: z.string().default('/') })
const enrolment = z.strictObject({ secret: z.string(), code: code() })

export default async function twoFactorRoutes(app: FastifyInstance) {
  const { db, secrets, config, now, postLetter } = app
  const change = { config: { can: 'two-factor.change', confirm: true } } as const

  app.get('/login/second-factor', { config: { can: 'session.start' } }, async (request, reply) => {
    const next = ownPath((request.query as Record<string, unknown>).next)
    if (!request.viewer.halfSignedIn) return reply.seeOther(request.viewer.user ? next : '/login')
    return reply.page('people/two-factor/log-in', { title: 'Second step', form: newForm({ next }) })
  })

  app.post('/login/second-factor', { config: { can: 'session.start' } }, async (request, reply) => {
    const half = request.viewer.halfSignedIn
    if (!half) return reply.seeOther('/login')
    const form = readForm(logIn, request.body)
    form.values.next = ownPath(form.values.next)
    if (!form.input) return reply.code(422).page('people/two-factor/log-in', { title: 'Second step', form })

    const user = found(findUser(db, half.id))
    const attempt = secondStepAttempt(request, user)
    const wait = tooSoon(request, reply, attempt)
    if (wait) {
      noteLogInResult(request, 'too many', half.id)
      return reply.page('people/two-factor/log-in', { title: 'Second step', form, problem: wait })
    }
    const person = { ...visitingActor(request), userId: user.id, stillMay: request.mustStillMay }
    if (takeCode(db, secrets, person, user, form.input.code)) {
      const { id: userId, passwordHash } = user
      const [last] = listRecentAccounts(db, userId, 1)
      if (!(await signIn(request, { userId, accountId: last?.id ?? null, passwordHash, secondFactor: true })))
        return reply.seeOther('/login', 'Your log-in has changed. Log in again.')
      forgive(db, attempt)
      forgive(db, logInAttempt(request, user.email, user))
      rememberBrowser(request, reply, user)
      noteLogInResult(request, 'succeeded', user.id)
      return reply.seeOther(ownPath(form.input.next))
    }
    noteLogInResult(request, 'wrong code', user.id)
    form.errors.code = 'This code is wrong, or was used already.'
    return reply.code(422).page('people/two-factor/log-in', { title: 'Second step', form })
  })

  app.get('/profile/two-factor', { config: { can: 'two-factor.change' } }, async (request, reply) =>
    show(request, reply, newForm()),
  )

  app.post('/profile/two-factor', change, async (request, reply) => {
    if (request.signedIn.twoFactor) return reply.seeOther('/profile/two-factor', 'Two-factor log-in is on already.')
    const form = readForm(enrolment, request.body)
    if (form.input) {
      const secret = openEnrolment(form.input.secret, request.signedIn.id)
      const step = stepOf(secret, form.input.code.replaceAll(/\s/g, ''), now())
      if (step !== undefined) {
        const codes = newRecoveryCodes()
        switchOn(
          db,
          actor(request),
          seal(secrets, secret),
          step,
          codes,
          request.viewer.sessionKey,
          tell(request, 'switched on'),
        )
        return showCodes(reply, codes, 'Two-factor log-in is on')
      }
      form.errors.code = 'This code is wrong. Look at the app again, and at the clock of your device.'
    }
    return show(request, reply.code(422), form)
  })

  app.post('/profile/two-factor/recovery-codes', change, async (request, reply) => {
    if (!request.signedIn.twoFactor) throw notFound()
    const codes = newRecoveryCodes()
    renewCodes(db, actor(request), codes)
    return showCodes(reply, codes, 'New recovery codes')
  })

  app.post('/profile/two-factor/removal', change, async (request, reply) => {
    const { id } = request.signedIn
    const done = switchOff(db, actor(request), id, 'user.two-factor-off', tell(request, 'switched off'))
    return reply.seeOther(
      '/profile/two-factor',
      done ? 'Two-factor log-in is off.' : 'Two-factor log-in was off already. Nothing was changed.',
    )
  })

  app.post(
    '/support/users/:user/two-factor/removal',
    { config: { can: 'support.user', confirm: true } },
    async (request, reply) => {
      const user = found(findUser(db, found(readId((request.params as { user: string }).user))))
      const data = letterData('reset by Support')
      const done = switchOff(db, supportActor(request), user.id, 'user.two-factor-reset', (tx) =>
        postLetter(tx, now(), {
          kind: 'two-factor-changed',
          email: user.email,
          name: user.name,
          reason: { because: 'user', userId: user.id },
          data,
        }),
      )
      return reply.seeOther(
        '/support/users',
        done
          ? `Two-factor log-in of ${user.name} was reset, and all sessions ended.`
          : `${user.name} has no two-factor log-in.`,
      )
    },
  )

  function tell(request: FastifyRequest, what: string): (tx: Db) => void {
    const { email, name, id: userId } = request.signedIn
    const reason = { because: 'user', userId } as const
    return (tx) =>
      (postLetter as Post)(tx, now(), { kind: 'two-factor-changed', email, name, reason, data: letterData(what) })
  }

  function letterData(what: string) {
    return { what, when: dateTime(now()), link: `${config.publicUrl}/profile/two-factor` }
  }

  /** The secret travels sealed in the form, bound to its user: looking at the page stores nothing. */
  function openEnrolment(sealed: string, userId: number): string {
    try {
      const [id, secret] = unseal(secrets, sealed).split(' ')
      if (id === String(userId) && secret) return secret
    } catch {}
    throw badRequest('It is not the one that this page made. Open the page again.')
  }

  function show(request: FastifyRequest, reply: FastifyReply, form: Form) {
    const { id, email, twoFactor } = request.signedIn
    const given = form.values.secret
    const secret = typeof given === 'string' ? openEnrolment(given, id) : newSecret()
    return reply.page('people/two-factor/index', {
      title: 'Two-factor log-in',
      form,
      on: twoFactor,
      required: request.viewer.standings.includes('enrolling'),
      codesLeft: twoFactor ? countCodes(db, id) : 0,
      secret: secret.replaceAll(/(.{4})(?=.)/g, '$1 '),
      sealed: seal(secrets, `${id} ${secret}`),
      qr: qrCode(secret, email, config.panelName),
    })
  }

  /** Shown once: only their hashes are kept. */
  function showCodes(reply: FastifyReply, codes: string[], title: string) {
    return reply.page('people/two-factor/codes', { title, codes: codes.map(grouped) })
  }
}
