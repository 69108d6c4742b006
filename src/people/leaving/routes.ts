import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { foreseeEndOfAll } from '../../accounts/endings/data/foreseeing.ts'
import { apart } from '../../db/apart.ts'
import { removeStaleFiles } from '../../mail/files.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { emailKey } from '../../web/fields.ts'
import { userIdOf } from '../../web/request/address.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor, supportActor } from '../../web/request/viewer.ts'
import type { User } from '../data/users.ts'
import { findUser } from '../data/users.ts'
import { deleteUser, foreseeDeletion, prepareDeletion } from './data.ts'

const typed = z.strictObject({ email: z.string().trim().default('') })

const refusals = {
  needed: 'Accounts would be left with users but without an admin. Make somebody else an admin there first.',
  'last-operator': 'The panel keeps at least one user of Support.',
}

export default async function userRemovalRoutes(app: FastifyInstance) {
  const { db, config } = app
  const byPerson = { can: 'profile.change', confirm: true } as const
  const bySupport = { can: 'support.user', confirm: true } as const

  app.get('/profile/removal', { config: byPerson }, async (request, reply) =>
    show(request, reply, ownUser(request), { form: newForm() }),
  )

  app.post('/profile/removal', { config: byPerson }, async (request, reply) => {
    const user = ownUser(request)
    if (!(await remove(request, reply, user))) return reply
    await request.session.destroy()
    return reply.seeOther('/login', 'Your user was deleted.')
  })

  app.get('/support/users/:user/removal', { config: bySupport }, async (request, reply) =>
    show(request, reply, userOf(request), { form: newForm() }),
  )

  app.post('/support/users/:user/removal', { config: bySupport }, async (request, reply) => {
    const user = userOf(request)
    if (!(await remove(request, reply, user))) return reply
    return reply.seeOther('/support/users', apart`${user.name} was deleted.`)
  })

  /** Deletes the user that the form names; otherwise sends the page that says what prevents it. */
  async function remove(request: FastifyRequest, reply: FastifyReply, user: User): Promise<boolean> {
    const form = readForm(typed, request.body)
    if (!form.input || emailKey(form.input.email) !== user.emailKey) {
      form.errors.email = apart`Type ${user.email} to delete the user.`
      await show(request, reply.code(422), user, { form })
      return false
    }
    const by = isOwn(request, user) ? actor(request) : supportActor(request)
    const done = deleteUser(db, by, user.id, {
      secrets: app.secrets,
      removeFiles: () => removeStaleFiles(db, config.dataDir),
      eraseTraces: app.eraseTraces,
      ...(await prepareDeletion(db, by, user.id, app.secrets)),
    })
    if (done !== 'deleted') {
      await show(request, reply.code(422), user, { form, problem: refusals[done] })
      return false
    }
    return true
  }
}

function isOwn(request: FastifyRequest, user: User): boolean {
  return user.id === request.signedIn.id
}

function ownUser(request: FastifyRequest): User {
  return orNotFound(findUser(request.server.db, request.signedIn.id))
}

function userOf(request: FastifyRequest): User {
  const user = orNotFound(findUser(request.server.db, userIdOf(request)))
  return orNotFound(user.deletedAt === null ? user : undefined)
}

function show(
  request: FastifyRequest,
  reply: FastifyReply,
  user: User,
  { form, problem = '' }: { form: Form; problem?: string },
) {
  const { db, now } = request.server
  const isOwn = request.url.startsWith('/profile/')
  return reply.page('people/leaving/removal', {
    title: isOwn ? 'Delete my user' : apart`Delete ${user.name}`,
    person: user,
    own: isOwn,
    ...foreseeDeletion(db, user.id),
    ends: foreseeEndOfAll(db, user.id, now()),
    formAction: isOwn ? '/profile/removal' : `/support/users/${user.id}/removal`,
    back: isOwn ? '/profile' : '/support/users',
    form,
    problem,
  })
}
