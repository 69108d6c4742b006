import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { foreseeOwnEnd } from '../../../accounts/endings/data/foreseeing.ts'
import { adminWords, invitationActs, noAdminWords } from '../../../accounts/invitations/acts.ts'
import { invitationList, listInvitations } from '../../../accounts/invitations/data/listing.ts'
import { type Handler, mayCopyLink, mayHandle } from '../../../accounts/invitations/data/pending.ts'
import { inviteAdmin } from '../../../accounts/invitations/data/sending.ts'
import { countAdmins, findMember, listMembers, type MemberFilter, memberList } from '../../../accounts/members/data.ts'
import { memberViews } from '../../../accounts/members/views.ts'
import { apart } from '../../../db/apart.ts'
import type { ListQuery } from '../../../db/list.ts'
import { orTooMany, TooMany } from '../../../mail/pace.ts'
import { email, personName } from '../../../web/fields.ts'
import { plural } from '../../../web/format.ts'
import { listDownload } from '../../../web/lists/csv.ts'
import { readList } from '../../../web/lists/list.ts'
import { readRemembered } from '../../../web/lists/remembered.ts'
import { type Form, newForm, readForm } from '../../../web/request/forms.ts'
import { actor } from '../../../web/request/viewer.ts'
import type { Customer } from '../../data.ts'
import { customerOf } from '../../scope.ts'
import { addMyself, removeMyself } from '../data/joining.ts'
import { helpUsers } from './help/acts.ts'

const firstAdmin = z.strictObject({ name: personName(), email: email() })

export default async function customerUserRoutes(app: FastifyInstance) {
  const { db } = app
  const see = { config: { can: 'customer.see' } } as const
  const inviting = { config: { can: 'customer.invite', inAccount: true } } as const

  app.get('/partner/customers/:customer/users', see, async (request, reply) => {
    customerOf(request)
    // Asked for each page of a download: another partner may look after the customer by then.
    const members = (query: ListQuery<MemberFilter>) => listMembers(db, customerOf(request).id, query)
    const invitations = (query: ListQuery) => listInvitations(db, customerOf(request).id, query)
    return (
      listDownload(request, reply, { spec: memberList, list: members }) ??
      listDownload(request, reply, { spec: invitationList, list: invitations, prefix: 'invited-' }) ??
      showUsers(request, reply)
    )
  })

  ownMembership(app)
  helpUsers(app)

  app.post('/partner/customers/:customer/invitations', inviting, async (request, reply) => {
    const customer = customerOf(request)
    const form = readForm(firstAdmin, request.body)
    if (form.input) {
      const { input } = form
      const invited = orTooMany(() =>
        inviteAdmin(db, actor(request), senderOf(request), { account: customer, person: input, mail: app.mailContext }),
      )
      if (invited === 'has-admin')
        return showUsers(
          request,
          reply.code(422),
          form,
          apart`${customer.name} has a Customer Admin who can log in and invite its users.`,
        )
      if (invited instanceof TooMany) form.errors.email = invited.message
      else if (typeof invited === 'object') return reply.seeOther(usersOf(customer), adminWords(customer, invited))
      else form.errors.email = noAdminWords[invited]
    }
    return showUsers(request, reply.code(422), form)
  })

  invitationActs(app, {
    base: '/partner/customers/:customer/invitations',
    config: inviting.config,
    accountOf: customerOf,
    actor,
    sender: senderOf,
    handler: handlerOf,
    list: (request) => usersOf(customerOf(request)),
    area: 'partner',
    copies: true,
  })
}

function usersOf(customer: Customer): string {
  return `/partner/customers/${customer.identifier}/users`
}

function handlerOf(request: FastifyRequest): Handler {
  return { from: request.member.account.id }
}

function senderOf(request: FastifyRequest) {
  const { postLetter, config } = request.server
  const { user, account } = request.member
  return { post: postLetter, publicUrl: config.publicUrl, inviter: user.name, from: { partner: account.name } }
}

function showUsers(request: FastifyRequest, reply: FastifyReply, form?: Form, problem = '') {
  const { db } = request.server
  const customer = customerOf(request)
  const admins = countAdmins(db, customer.id)
  const inside = findMember(db, customer.id, request.signedIn.id) !== undefined
  return reply.page('partners/customers/users', {
    title: 'Customer Users',
    customer,
    problem,
    form: form ?? newForm(),
    inside,
    ends: inside
      ? foreseeOwnEnd(db, { accountId: customer.id, userId: request.signedIn.id }, request.server.now())
      : null,
    admins,
    views: memberViews(db, customer.id),
    listPath: usersOf(customer),
    list: listMembers(db, customer.id, readRemembered(request, memberList)),
    invitations: listInvitations(db, customer.id, readList(request, invitationList, 'invited-'), (invitation) => ({
      handled: mayHandle(handlerOf(request), invitation, admins),
      copied: mayCopyLink(handlerOf(request), invitation, admins),
    })),
    now: request.server.now(),
  })
}

/** A Partner Admin adds or removes themselves. */
function ownMembership(app: FastifyInstance) {
  const { db } = app
  const join = { config: { can: 'customer.join', inAccount: true } } as const

  app.post('/partner/customers/:customer/own-membership', join, async (request, reply) => {
    const customer = customerOf(request)
    const added = addMyself(db, actor(request), customer.id, app.mailContext)
    return reply.seeOther(
      usersOf(customer),
      added
        ? apart`You are Customer Admin of ${customer.name} now. To work there, press Work in ${customer.name}.`
        : apart`You are a user of ${customer.name} already.`,
    )
  })

  app.post('/partner/customers/:customer/own-membership/removal', join, async (request, reply) => {
    const customer = customerOf(request)
    const { removed, ended } = removeMyself(db, actor(request), customer.id)
    if (removed === 'last-admin') {
      return showUsers(
        request,
        reply.code(422),
        undefined,
        apart`You are the last Customer Admin of ${customer.name}, which has other users. Make one of them Customer Admin first.`,
      )
    }
    return reply.seeOther(
      usersOf(customer),
      removed
        ? apart`You left ${customer.name}.${ended > 0 ? ` ${plural(ended, 'invitation')} that you had sent ended.` : ''}`
        : apart`You are not a user of ${customer.name}.`,
    )
  })
}
