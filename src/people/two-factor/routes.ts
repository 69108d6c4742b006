import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { UserId } from '../../db/ids.ts'
import { seal, unseal } from '../../secrets.ts'
import { badRequest, notFound } from '../../web/answer/errors.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { grouped, newRecoveryCodes, newSecret, qrCode, stepOf } from './codes.ts'
import { countCodes, renewCodes, switchOff, switchOn } from './data.ts'
import { tellTwoFactor } from './letter.ts'

const code = () => z.string({ error: 'Enter the code.' }).trim().min(1, 'Enter the code.').max(40, 'This is no code.')
const enrolment = z.strictObject({ secret: z.string(), code: code() })

export default async function twoFactorRoutes(app: FastifyInstance) {
  const { db, secrets, now } = app
  const change = { config: { can: 'two-factor.change', confirm: true } } as const

  app.get('/profile/two-factor', { config: { can: 'two-factor.change' } }, async (request, reply) =>
    show(request, reply, newForm()),
  )

  app.post('/profile/two-factor', change, async (request, reply) => {
    if (request.signedIn.twoFactor) return reply.seeOther('/profile/two-factor', 'Two-factor login is on already.')
    const form = readForm(enrolment, request.body)
    if (form.input) {
      const secret = openEnrolment(app, form.input.secret, request.signedIn.id)
      const step = stepOf(secret, form.input.code.replaceAll(/\s/g, ''), now())
      if (step !== undefined) {
        const codes = newRecoveryCodes()
        switchOn(
          db,
          actor(request),
          { sealedSecret: seal(secrets, secret), step, codes, sessionHash: request.viewer.sessionKey },
          tellTwoFactor(app, request.signedIn, 'switched on'),
        )
        return showCodes(reply, codes, 'Two-factor login is on')
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
    const done = switchOff(db, actor(request), id, tellTwoFactor(app, request.signedIn, 'switched off'))
    return reply.seeOther(
      '/profile/two-factor',
      done ? 'Two-factor login is off.' : 'Two-factor login was off already. Nothing was changed.',
    )
  })
}

/** The secret travels sealed in the form, bound to its user: looking at the page stores nothing. */
function openEnrolment({ secrets }: FastifyInstance, sealed: string, userId: UserId): string {
  try {
    const [id, secret] = unseal(secrets, sealed).split(' ')
    if (id === String(userId) && secret) return secret
  } catch {}
  throw badRequest('It is not the one that this page made. Open the page again.')
}

function show(request: FastifyRequest, reply: FastifyReply, form: Form) {
  const { id, email, twoFactor } = request.signedIn
  const given = form.values.secret
  const secret = typeof given === 'string' ? openEnrolment(request.server, given, id) : newSecret()
  return reply.page('people/two-factor/index', {
    title: 'Two-factor login',
    form,
    on: twoFactor,
    required: request.viewer.standings.includes('enrolling'),
    codesLeft: twoFactor ? countCodes(request.server.db, id) : 0,
    secret: secret.replaceAll(/(.{4})(?=.)/g, '$1 '),
    sealed: seal(request.server.secrets, `${id} ${secret}`),
    qr: qrCode(secret, email, request.server.config.panelName),
  })
}

/** Shown once: only their hashes are kept. */
function showCodes(reply: FastifyReply, codes: string[], title: string) {
  return reply.page('people/two-factor/codes', { title, codes: codes.map(grouped) })
}
