import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import { notFound, orNotFound } from '../../../web/answer/errors.ts'
import { passkeyName } from '../../../web/fields.ts'
import { browserName } from '../../../web/format.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { provedLately } from '../../../web/request/guard.ts'
import { actor } from '../../../web/request/viewer.ts'
import { findUser } from '../../data/users.ts'
import { takeChallenge } from '../challenge.ts'
import { refused, tooMany } from '../check.ts'
import { addPasskey, type NewPasskey } from '../data.ts'
import { tellPasskey } from '../letter.ts'
import { offerAdding } from '../options.ts'
import { verifyNew } from '../verify.ts'

const adding = z.strictObject({
  name: passkeyName(),
  /** Whether it logs in by itself, or is a second step only. */
  alone: z.enum(['yes', 'no']).default('yes'),
  credential: z.string({ error: refused }).min(1, refused).max(20_000, refused),
})

const page = '/profile/passkeys'

export default async function passkeyAddingRoutes(app: FastifyInstance) {
  const { db, config } = app
  const see = { config: { can: 'passkey.change' } } as const
  const change = { config: { can: 'passkey.change', confirm: true } } as const

  // Proof comes first: nobody makes a passkey that is then refused.
  app.post(`${page}/new`, change, async (request, reply) => {
    const { alone } = (request.body ?? {}) as { alone?: string }
    return reply.seeOther(alone === 'no' ? `${page}/new?alone=no` : `${page}/new`)
  })

  app.get(`${page}/new`, see, async (request, reply) => {
    if (!provedLately(request) || !config.passkeyHost) return reply.seeOther(page)
    const { alone } = request.query as { alone?: string }
    return showAdding(request, reply, newForm({ name: suggestedName(request), alone: alone === 'no' ? 'no' : 'yes' }))
  })

  app.post(page, change, async (request, reply) => {
    const form = readForm(adding, request.body)
    const challenge = takeChallenge(request, 'adding')
    if (form.input && challenge) {
      const { name, credential, alone } = form.input
      if (alone === 'no' && !request.signedIn.twoFactor) throw notFound()
      const passkey = await verifyNew(request, credential, {
        challenge: challenge.challenge,
        verifies: alone === 'yes',
      })
      if (passkey) {
        const result = add(request, passkey, name, challenge.handle)
        if (result === 'saved') return reply.seeOther(page, apart`The passkey ${name} was added.`)
        form.errors.credential = {
          taken: 'This passkey is known already.',
          'too-many': tooMany,
          stale: 'You have added another one meanwhile. Try again.',
        }[result]
        return showAdding(request, reply.code(422), form)
      }
    }
    if (!form.errors.name) form.errors.credential = refused
    return showAdding(request, reply.code(422), form)
  })

  function add(request: FastifyRequest, passkey: NewPasskey, name: string, handle: string) {
    return addPasskey(
      db,
      actor(request),
      { passkey, name, handle, host: config.passkeyHost, sessionHash: request.viewer.sessionKey },
      tellPasskey(app, request.signedIn, 'added', name),
    )
  }
}

function showAdding(request: FastifyRequest, reply: FastifyReply, form: Form) {
  const { credential, ...values } = form.values
  const alone = values.alone !== 'no'
  const user = orNotFound(findUser(request.server.db, request.signedIn.id))
  return reply.page('people/passkeys/new', {
    title: alone ? 'Add a passkey' : 'Add a security key',
    form: { values, errors: form.errors },
    alone,
    passkey: offerAdding(request, reply, user, alone),
  })
}

/** What people would call it: the browser that they add it with. */
const suggestedName = ({ headers }: FastifyRequest) => browserName(headers['user-agent'] ?? '')
