import * as z from 'zod'
import { proposeAccountIdentifier } from '../../accounts/data/account.ts'
import { deleteAccount, findRestorable, restoreAccount } from '../../accounts/deletion/data/deleting.ts'
import { deletedCustomerList, listDeletedCustomers } from '../../accounts/deletion/data/listing.ts'
import { markOfProjects } from '../../accounts/deletion/data/losses.ts'
import { resumeAccount, suspendAccount } from '../../accounts/suspension/data.ts'
import { suspensionOf } from '../../db/suspension.ts'
import { createCustomer } from '../../partners/customers/data/customers.ts'
import { customerList, listCustomers } from '../../partners/customers/data/listing.ts'
import { changeDetails, findByReference, findDetails } from '../../partners/customers/details/data.ts'
import { customerOf } from '../../partners/scope.ts'
import { NotEnough } from '../../quotas/arithmetic.ts'
import { poolLacksForPlan } from '../../quotas/plans/words.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { line, withIdentifier } from '../../web/fields.ts'
import { takenWords } from '../../web/taken.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { Problem, suspendedAlready, takenIdentifier } from '../contract/problems.ts'
import {
  deletedShape,
  newAccountName,
  newIdentifier,
  showDeleted,
  shownSuspension,
  shownTime,
} from '../contract/shapes.ts'
import { answerOf, customerAnswer, customerChange, customerRow, customerShape } from './customer.ts'

const path = '/accounts/{account}/customers/{customer}' as const
const tag = 'Customers' as const

/** A deleted customer that can be restored. */
function deletedCustomer({ db, account, by, request }: Omit<Call, 'body'>) {
  const { customer: identifier } = request.params as { customer: string }
  return orNotFound(findRestorable(db, account.id, identifier, by.at))
}

/** Creates a customer, or says why its plan cannot be applied. */
function creating<Created>(create: () => Created): Created | Problem {
  try {
    return create()
  } catch (error) {
    if (error instanceof NotEnough) return new Problem('conflict', poolLacksForPlan(error.shortages))
    throw error
  }
}

export const customerOperations = [
  listing({
    method: 'GET',
    path: '/accounts/{account}/customers',
    can: 'customer.see',
    tag,
    summary: 'List the customers',
    spec: customerList,
    row: customerRow,
    list: ({ db, account, by }, query) => listCustomers(db, account.id, query, by.at),
    show: (one) => ({
      identifier: one.identifier,
      name: one.name,
      users: one.users,
      suspension: shownSuspension(suspensionOf(one)),
      created_at: shownTime(one.createdAt),
      project_limit: one.projectLimit,
    }),
  }),
  act({
    method: 'POST',
    path: '/accounts/{account}/customers',
    can: 'customer.create',
    tag,
    summary: 'Create a customer',
    description:
      'It has no users yet: invite its first Customer Admin. It gets the limits of the plan for new customers, if there is one.',
    body: z
      .strictObject({ name: newAccountName(), identifier: newIdentifier('wayne') })
      .transform(withIdentifier)
      .meta({ id: 'NewCustomer' }),
    answer: customerShape,
    status: 201,
    do: ({ db, by, account, body }) => {
      const created = creating(() => createCustomer(db, by, account.id, body))
      if (created instanceof Problem) return created
      if (created === 'taken') {
        const proposal = proposeAccountIdentifier(db, body.identifier)
        return takenIdentifier(takenWords(body.identifier), proposal, { recorded: true })
      }
      return {
        status: 201,
        location: `/accounts/${account.identifier}/customers/${created.identifier}`,
        body: answerOf(db, account.id, created),
      }
    },
  }),
  reading({
    method: 'GET',
    path,
    can: 'customer.see',
    tag,
    summary: 'Read a customer',
    answer: customerShape,
    read: customerAnswer,
  }),
  act({
    method: 'PATCH',
    path,
    can: 'customer.describe',
    tag,
    summary: 'Change what you keep about a customer',
    description:
      'Contact, reference, note and tags. What is left out stays as it is; a contact is replaced as a whole.',
    body: customerChange,
    answer: customerShape,
    status: 200,
    current: customerAnswer,
    do: (call) => {
      const { db, by, account, request, body } = call
      const one = customerOf(request, db)
      const { version, ...before } = findDetails(db, account.id, one.id)
      const wanted = {
        ...before,
        ...(body.contact && {
          contactName: body.contact.name,
          contactEmail: body.contact.email,
          contactPhone: body.contact.phone,
          contactAddress: body.contact.address,
        }),
        ...(body.reference !== undefined && { reference: body.reference }),
        ...(body.note !== undefined && { note: body.note }),
        ...(body.tags && { tags: body.tags }),
      }
      const ids = { partnerId: account.id, identifier: one.identifier }
      if (orNotFound(changeDetails(db, by, ids, { wanted, version })) === 'taken') {
        const other = findByReference(db, account.id, one.id, wanted.reference)
        const detail = `${other ?? 'Another customer'} has this reference.`
        return new Problem('conflict', detail, { errors: [{ pointer: '#/reference', code: 'taken', detail }] })
      }
      return { status: 200, body: customerAnswer(call) }
    },
  }),
  act({
    method: 'DELETE',
    path,
    can: 'customer.delete',
    tag,
    summary: 'Delete a customer',
    description: 'With its projects, up to 100 of them. It can be restored for 30 days.',
    status: 204,
    current: customerAnswer,
    do: ({ db, by, account, request }) => {
      const { id } = customerOf(request, db)
      const ids = { partnerId: account.id, accountId: id, withProjects: markOfProjects(db, id) }
      if (orNotFound(deleteAccount(db, by, ids, request.server.mailContext)) === 'projects')
        return new Problem('conflict', 'The customer has more than 100 projects. Delete some of them first.')
      return { status: 204 }
    },
  }),
  listing({
    method: 'GET',
    path: '/accounts/{account}/deleted-customers',
    can: 'customer.see',
    tag,
    summary: 'List the deleted customers',
    description: 'Those that can still be restored.',
    spec: deletedCustomerList,
    row: deletedShape('DeletedCustomer'),
    list: ({ db, account, by }, query) => listDeletedCustomers(db, account.id, query, by.at),
    show: showDeleted,
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/deleted-customers/{customer}',
    can: 'customer.see',
    tag,
    summary: 'Read a deleted customer',
    answer: deletedShape('DeletedCustomer'),
    read: (call) => showDeleted(deletedCustomer(call)),
  }),
  act({
    method: 'POST',
    path: `${path}/restore`,
    can: 'customer.delete',
    tag,
    summary: 'Restore a deleted customer',
    description: 'If it is left with users and without an admin who can log in, `admins` is 0: make one of them admin.',
    answer: customerShape,
    status: 200,
    current: (call) => showDeleted(deletedCustomer(call)),
    do: (call) => {
      const { db, by, account, request } = call
      const { id } = deletedCustomer(call)
      if (typeof orNotFound(restoreAccount(db, by, account.id, id)) !== 'string')
        return new Problem('conflict', 'Your pool does not have enough available for the limits of this customer.')
      return { status: 200, body: customerAnswer({ request, db, account }) }
    },
  }),
  act({
    method: 'POST',
    path: `${path}/suspend`,
    can: 'customer.suspend',
    tag,
    summary: 'Suspend a customer',
    description: 'Its users read the reason, and cannot work in it until you resume it.',
    body: z
      .strictObject({
        reason: line('Say why: the customer’s users will read it.', 300).meta({
          example: 'Not paid',
        }),
      })
      .meta({ id: 'Suspending' }),
    answer: customerShape,
    status: 200,
    current: customerAnswer,
    do: ({ db, by, account, request, body }) => {
      const { id } = customerOf(request, db)
      const done = suspendAccount(db, by, { accountId: id, reason: body.reason }, request.server.mailContext)
      const { suspendedReason } = customerOf(request, db)
      if (!done && suspendedReason !== body.reason)
        return new Problem('conflict', suspendedAlready('You have', suspendedReason))
      return { status: 200, body: customerAnswer({ request, db, account }) }
    },
  }),
  act({
    method: 'POST',
    path: `${path}/resume`,
    can: 'customer.suspend',
    tag,
    summary: 'Resume a customer',
    description: 'Lifts your own suspension. One by Support stays.',
    answer: customerShape,
    status: 200,
    current: customerAnswer,
    do: ({ db, by, account, request }) => {
      resumeAccount(db, by, customerOf(request, db).id, request.server.mailContext)
      return { status: 200, body: customerAnswer({ request, db, account }) }
    },
  }),
]
