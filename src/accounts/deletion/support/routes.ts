import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { apart } from '../../../db/apart.ts'
import { orNotFound, Refusal } from '../../../web/answer/errors.ts'
import { newForm, readForm } from '../../../web/request/forms.ts'
import { supportActor } from '../../../web/request/viewer.ts'
import { findAccount } from '../../data/account.ts'
import { directAccount } from '../../scope.ts'
import { deleteAccount, findRestorable, restoreAccount } from '../data/deleting.ts'
import { ofSupport, projectsWords, removal, restoredWords, shortageWords, showRemoval } from '../page.ts'

const nothing = z.strictObject({})

export default async function supportDeletionRoutes(app: FastifyInstance) {
  const { db } = app
  const support = { config: { can: 'support.account' } } as const

  app.get('/support/accounts/:identifier/removal', support, async (request, reply) => {
    const account = directAccount(request)
    return showRemoval(reply, account, ofSupport(account), newForm())
  })

  app.post('/support/accounts/:identifier/removal', support, async (request, reply) => {
    const account = directAccount(request)
    const form = readForm(removal, request.body)
    if (form.input?.identifier === account.identifier) {
      const done = orNotFound(
        deleteAccount(
          db,
          supportActor(request),
          { partnerId: null, accountId: account.id, withProjects: form.input.projects },
          app.mailContext,
        ),
      )
      if (done === 'deleted')
        return reply.seeOther(
          '/support/accounts?status=deleted',
          apart`${account.name} was deleted. It can be restored here.`,
        )
      form.errors.projects = projectsWords(form.input.projects)
    } else {
      form.errors.identifier = `Type ${account.identifier} to delete the account.`
    }
    return showRemoval(reply.code(422), account, ofSupport(account), form)
  })

  app.post('/support/accounts/:identifier/restoration', support, async (request, reply) => {
    const { identifier } = request.params as { identifier: string }
    const deleted = orNotFound(findRestorable(db, null, identifier, app.now()))
    readForm(nothing, request.body)
    const done = orNotFound(restoreAccount(db, supportActor(request), null, deleted.id))
    const partner = deleted.partnerId === null ? '' : orNotFound(findAccount(db, deleted.partnerId)).name
    if (typeof done !== 'string')
      throw new Refusal(
        422,
        apart`${deleted.name} was not restored`,
        apart`${shortageWords(deleted, partner, done.shortages)} Raise the pool first.`,
      )
    return reply.seeOther(
      '/support/accounts',
      restoredWords(deleted, partner, done, 'Make somebody Customer Admin under its Users.'),
    )
  })
}
