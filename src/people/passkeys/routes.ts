import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { passkeyName } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { tooMany } from './check.ts'
import { findPasskey, listPasskeys, mostPasskeys, type Passkey, removePasskey, renamePasskey } from './data.ts'
import { tellPasskey } from './letter.ts'

const naming = z.strictObject({ name: passkeyName() })
const page = '/profile/passkeys'
export default async function passkeyRoutes(app: FastifyInstance) {
  const { db } = app
  const see = { config: { can: 'passkey.change' } } as const
  const change = { config: { can: 'passkey.change', confirm: true } } as const

  app.get(page, see, async (request, reply) => showPasskeys(request, reply))

  app.get(`${page}/:passkey`, see, async (request, reply) => {
    const passkey = ownPasskey(request)
    return showPasskey(request, reply, passkey, newForm({ name: passkey.name }))
  })

  app.post(`${page}/:passkey/name`, see, async (request, reply) => {
    const passkey = ownPasskey(request)
    const form = readForm(naming, request.body)
    if (!form.input) return showPasskey(request, reply.code(422), passkey, form)
    const { name } = form.input
    const saved = orNotFound(renamePasskey(db, actor(request), passkey.id, name))
    return reply.seeOther(
      page,
      saved === 'saved'
        ? apart`The passkey is called ${name} now.`
        : apart`It is called ${name} already. Nothing was changed.`,
    )
  })

  app.post(`${page}/:passkey/removal`, change, async (request, reply) => {
    const { id } = ownPasskey(request)
    const removed = orNotFound(
      removePasskey(db, actor(request), { id, sso: app.config.sso }, (tx, { name }) =>
        tellPasskey(app, request.signedIn, 'removed', name)(tx),
      ),
    )
    return reply.seeOther(
      page,
      removed === 'last-way-in'
        ? 'Nothing else would log you in. Set a password, or add another passkey first.'
        : apart`The passkey ${removed.name} was removed. Delete it on your device, too.`,
    )
  })
}

/** One of the signed-in user’s, or a 404. */
function ownPasskey(request: FastifyRequest): Passkey {
  const id = idFrom(request, 'passkey')
  return orNotFound(findPasskey(request.server.db, request.signedIn.id, id))
}

function showPasskeys(request: FastifyRequest, reply: FastifyReply) {
  const { db, config } = request.server
  const host = config.passkeyHost
  const passkeys = listPasskeys(db, request.signedIn.id)
  return reply.page('people/passkeys/index', {
    title: 'Passkeys',
    passkeys: passkeys.map((passkey) => ({ ...passkey, ended: passkey.host !== host })),
    possible: host !== '',
    full: passkeys.length >= mostPasskeys ? tooMany : '',
    required: request.viewer.standings.includes('enrolling'),
  })
}

function showPasskey(request: FastifyRequest, reply: FastifyReply, passkey: Passkey, form: Form) {
  const ended = passkey.host !== request.server.config.passkeyHost
  return reply.page('people/passkeys/passkey', { title: passkey.name, details: passkey, ended, form })
}
