import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { hashToken } from '../../secrets.ts'
import { notFound } from '../../web/answer/errors.ts'
import { email } from '../../web/fields.ts'
import { newForm, readForm } from '../../web/request/forms.ts'
import { signIn } from '../../web/request/session.ts'
import { visitingActor } from '../../web/request/viewer.ts'
import { createFirstOperator, hasOperator } from '../data/users.ts'
import { newPersonFields, readNewPassword, withoutPasswords } from '../log-in/new-person.ts'
import { rememberBrowser } from '../log-in/throttle/browser.ts'

const firstOperator = z.strictObject({ email: email('Enter your e-mail.'), ...newPersonFields })

const config = { can: 'operator.first', secret: true } as const

/** The one-time link that an empty installation prints at its start. */
export default async function firstRunRoutes(app: FastifyInstance) {
  app.get('/setup/:token', { config }, async (request, reply) => {
    admit(request)
    return reply.page('people/first-run/index', { title: 'Set up', form: newForm(), formAction: request.url })
  })

  app.post('/setup/:token', { config }, async (request, reply) => {
    admit(request)
    const form = readForm(firstOperator, request.body)
    const { input } = form
    if (input) {
      const passwordHash = await readNewPassword(form, {
        owner: { ...input, accounts: [] },
        panelName: app.config.panelName,
        from: request.ip,
      })
      if (passwordHash) {
        const anonymous = { ...visitingActor(request), bySupport: true }
        const user = createFirstOperator(app.db, anonymous, {
          email: input.email,
          name: input.name,
          passwordHash,
          emailProved: true,
        })
        if (!user || user === 'taken') throw notFound()
        await signIn(request, { userId: user.id, accountId: null, passwordHash })
        rememberBrowser(request, reply, user)
        return reply.seeOther('/', apart`Welcome, ${user.name}.`)
      }
    }
    return reply
      .code(422)
      .page('people/first-run/index', { title: 'Set up', form: withoutPasswords(form), formAction: request.url })
  })

  function admit(request: FastifyRequest): void {
    const { token } = request.params as { token: string }
    if (hashToken(token) !== hashToken(app.setupToken) || hasOperator(app.db)) throw notFound()
  }
}
