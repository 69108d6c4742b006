import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { adminWords, invitationActs, noAdminWords } from '../../../accounts/invitations/acts.ts'
import { invitationList, listInvitations } from '../../../accounts/invitations/data/listing.ts'
import { mayHandle } from '../../../accounts/invitations/data/pending.ts'
import { inviteAdmin } from '../../../accounts/invitations/data/sending.ts'
import { countAdmins, listMembers, memberList } from '../../../accounts/members/data.ts'
import { accountOfSupport } from '../../../accounts/scope.ts'
import { apart } from '../../../db/apart.ts'
import { email, personName } from '../../../web/fields.ts'
import { listDownload } from '../../../web/lists/csv.ts'
import { readList } from '../../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { supportActor } from '../../../web/request/viewer.ts'
import { senderOf } from '../../scope.ts'

const firstAdmin = z.strictObject({ name: personName(), email: email() })

export default async function supportAccountUserRoutes(app: FastifyInstance) {
  const { db } = app
  const account = { config: { can: 'support.account' } } as const

  app.get('/support/accounts/:identifier/users', account, async (request, reply) => {
    const { id } = accountOfSupport(request)
    return (
      listDownload(request, reply, { spec: memberList, list: (query) => listMembers(db, id, query) }) ??
      listDownload(request, reply, {
        spec: invitationList,
        list: (query) => listInvitations(db, id, query),
        prefix: 'invited-',
      }) ??
      showAccountUsers(request, reply)
    )
  })

  app.post('/support/accounts/:identifier/invitations', account, async (request, reply) => {
    const supported = accountOfSupport(request)
    const form = readForm(firstAdmin, request.body)
    if (form.input) {
      const by = supportActor(request)
      const invited = inviteAdmin(db, by, senderOf(request), {
        account: supported,
        person: form.input,
        mail: app.mailContext,
      })
      if (typeof invited === 'object') return reply.seeOther(usersOf(supported), adminWords(supported, invited))
      if (invited === 'has-admin')
        return showAccountUsers(
          request,
          reply.code(422),
          form,
          apart`${supported.name} has an admin who can log in and invite its users.`,
        )
      form.errors.email = noAdminWords[invited]
    }
    return showAccountUsers(request, reply.code(422), form)
  })

  invitationActs(app, {
    base: '/support/accounts/:identifier/invitations',
    config: account.config,
    accountOf: accountOfSupport,
    actor: supportActor,
    sender: senderOf,
    handler: () => ({ from: null }),
    list: (request) => usersOf(accountOfSupport(request)),
    area: 'support',
    copies: false,
  })
}

function usersOf({ identifier }: { identifier: string }): string {
  return `/support/accounts/${identifier}/users`
}

function showAccountUsers(request: FastifyRequest, reply: FastifyReply, form?: Form, problem = '') {
  const { db } = request.server
  const details = accountOfSupport(request)
  const admins = countAdmins(db, details.id)
  return reply.page('support/account-users', {
    title: apart`Users of ${details.name}`,
    details,
    problem,
    form: form ?? newForm(),
    admins,
    list: listMembers(db, details.id, readList(request, memberList)),
    invitations: listInvitations(db, details.id, readList(request, invitationList, 'invited-'), (invitation) => ({
      handled: mayHandle({ from: null }, invitation, admins),
      copied: false,
    })),
    now: request.server.now(),
  })
}
