import * as z from 'zod'
import { adminWords, noAdminWords } from '../../accounts/invitations/acts.ts'
import { inviteAdmin } from '../../accounts/invitations/data/sending.ts'
import { findMember, listMembers, memberList } from '../../accounts/members/data.ts'
import { addMyself, removeMyself } from '../../partners/customers/data/joining.ts'
import { customerOf } from '../../partners/scope.ts'
import { listProjects, projectList } from '../../projects/data.ts'
import { adminRole } from '../../roles.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { email, personName } from '../../web/fields.ts'
import { act, type Call, listing } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { memberShape, showMember } from './members.ts'
import { invitationSender, pendingOperations } from './pending.ts'
import { projectAnswer, projectShape } from './projects.ts'

const path = '/accounts/{account}/customers/{customer}' as const
const tag = 'Customers' as const

type Place = Pick<Call, 'db' | 'account' | 'request'>
const ofPartner = (call: Place) => invitationSender(call, { partner: call.account.name })

export const firstAdmin = z
  .strictObject({
    name: personName().meta({ example: 'Karla Fischer' }),
    email: email().meta({ example: 'karla@wayne.example' }),
  })
  .meta({ id: 'FirstAdmin' })

export const invitedShape = z
  .strictObject({ message: z.string().meta({ description: 'What happened, in words.' }) })
  .meta({ id: 'Invited' })

/** What a partner does inside one of its customers. */
export const ofCustomerOperations = [
  listing({
    method: 'GET',
    path: `${path}/members`,
    can: 'customer.see',
    tag,
    summary: 'List the users of a customer',
    spec: memberList,
    row: memberShape,
    list: ({ db, request }, query) => listMembers(db, customerOf(request, db).id, query),
    show: showMember,
  }),
  listing({
    method: 'GET',
    path: `${path}/projects`,
    can: 'customer.see',
    tag,
    summary: 'List the projects of a customer',
    spec: projectList,
    row: projectShape,
    list: ({ db, request, by }, query) =>
      listProjects(db, customerOf(request, db).id, { userId: by.userId, seesAll: true }, query),
    show: projectAnswer,
  }),
  act({
    method: 'POST',
    path: `${path}/invitations`,
    can: 'customer.invite',
    tag,
    summary: 'Invite the first Customer Admin',
    description:
      'By e-mail. Somebody who is a user of the customer already becomes its Customer Admin at once. Not possible while it has an admin who can log in.',
    body: firstAdmin,
    answer: invitedShape,
    status: 200,
    do: ({ db, by, account, request, body }) => {
      const customer = customerOf(request, db)
      const { mailContext: mail } = request.server
      const sender = ofPartner({ db, account, request })
      const invited = inviteAdmin(db, by, sender, { account: customer, person: body, mail })
      if (invited === 'has-admin')
        return new Problem('conflict', `${customer.name} has a Customer Admin who can log in and invite its users.`)
      if (typeof invited === 'string') return new Problem('conflict', noAdminWords[invited])
      return { status: 200, body: { message: adminWords(customer, invited) } }
    },
  }),
  ...pendingOperations({
    path: `${path}/invitations`,
    see: 'customer.see',
    change: 'customer.invite',
    tag,
    of: ' of a customer',
    accountOf: ({ request, db }) => customerOf(request, db),
    handlerOf: ({ account }) => ({ from: account.id }),
    sender: ofPartner,
  }),
  act({
    method: 'PUT',
    path: `${path}/own-membership`,
    can: 'customer.join',
    tag,
    summary: 'Add yourself to a customer',
    description: 'The token’s user becomes Customer Admin of it. Only with the token of a person.',
    answer: memberShape,
    status: 200,
    do: ({ db, by, request }) => {
      const { id } = customerOf(request, db)
      if (request.signedIn.service) return new Problem('forbidden', 'A service user belongs to its own account alone.')
      addMyself(db, by, id, request.server.mailContext)
      const self = orNotFound(findMember(db, id, by.userId))
      if (self.role !== adminRole)
        return new Problem('conflict', 'You are a user of the customer already, and no Customer Admin.')
      return { status: 200, body: showMember(self) }
    },
  }),
  act({
    method: 'DELETE',
    path: `${path}/own-membership`,
    can: 'customer.join',
    tag,
    summary: 'Remove yourself from a customer',
    status: 204,
    do: ({ db, by, request }) => {
      const { removed } = removeMyself(db, by, customerOf(request, db).id)
      if (removed === 'last-admin')
        return new Problem('conflict', 'You are the last Customer Admin of a customer that has other users.')
      orNotFound(removed)
      return { status: 204 }
    },
  }),
]
