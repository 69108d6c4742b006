import * as z from 'zod'
import { findProject } from '../../projects/data.ts'
import { looker } from '../../projects/scope.ts'
import { holderOf } from '../../quotas/arithmetic.ts'
import { findQuotas } from '../../quotas/data/limits.ts'
import { askForMore, cancelRequest } from '../../quotas/requests/data/asking.ts'
import { approveRequest, declineRequest } from '../../quotas/requests/data/deciding.ts'
import {
  findCustomerRequest,
  findRequest,
  listOpenRequests,
  listRequestsOf,
  openRequestList,
  ownRequestList,
  type QuotaRequest,
} from '../../quotas/requests/data/reading.ts'
import { found } from '../../web/answer/errors.ts'
import { line, optionalLine } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { invalidAt, Problem } from '../contract/problems.ts'
import { givenIdentifier, shownTime, shownTimeOrNull, timeOf } from '../contract/shapes.ts'
import { amountShape, amountsOf } from './quotas.ts'

const shape = z
  .strictObject({
    id: z.int(),
    account: z.string().meta({ description: 'The identifier of the account that asks.' }),
    project: z
      .string()
      .nullable()
      .meta({ description: 'The identifier of the project that it is for; null for the account.' }),
    state: z.enum(['open', 'approved', 'declined', 'cancelled']),
    amounts: z.array(z.strictObject({ resource: z.string(), asked: z.int(), granted: z.int().nullable() })),
    reason: z.string(),
    comment: z.string().meta({ description: 'What was said to the decision.' }),
    requested_by: z.int().meta({ description: 'The number of the user who asked.' }),
    created_at: timeOf('When it was asked.'),
    ended_at: timeOf('When it was decided or cancelled; null while it is open.').nullable(),
  })
  .meta({ id: 'QuotaRequest' })

const showRequest = (one: QuotaRequest) => ({
  id: one.id,
  account: one.identifier,
  project: one.projectIdentifier,
  state: one.state,
  amounts: one.amounts.map(({ resource, asked, granted }) => ({ resource: resource.key, asked, granted })),
  reason: one.reason,
  comment: one.comment ?? '',
  requested_by: one.requestedBy,
  created_at: shownTime(one.createdAt),
  ended_at: shownTimeOrNull(one.endedAt),
})

type Place = Pick<Call, 'db' | 'account' | 'request'>

const idIn = ({ request }: Place) => idFrom(request, 'request')
const ownRequest = (call: Place) => found(findRequest(call.db, call.account.id, idIn(call)))
const ofCustomer = (call: Place) => found(findCustomerRequest(call.db, call.account.id, idIn(call)))
const wishes = () =>
  z
    .record(z.string().max(50), amountShape)
    .meta({ description: 'The wished limits by the keys of their resources.', example: { projects: 20 } })

const ended = () => new Problem('conflict', 'The request has ended.')
const notMore = () =>
  new Problem('conflict', 'Each amount must be above the limit as it is, and hold what is allocated.')

const tag = 'Quotas' as const
const path = '/accounts/{account}/quota-requests' as const
const ofCustomers = '/accounts/{account}/quota-requests-of-customers/{request}' as const

export const requestOperations = [
  listing({
    method: 'GET',
    path,
    can: 'quota.see',
    tag,
    summary: 'List the account’s requests for more',
    spec: ownRequestList,
    row: shape,
    list: ({ db, account }, query) => listRequestsOf(db, account.id, query),
    show: showRequest,
  }),
  act({
    method: 'POST',
    path,
    can: 'quota.request',
    tag,
    summary: 'Ask for higher limits',
    description: 'The partner decides, or its rule approves it at once. One request can be open at a time.',
    body: z
      .strictObject({
        project: givenIdentifier('The identifier of a project; left out: for the account.').optional(),
        amounts: wishes(),
        reason: line('Say what it is needed for.', 500).meta({ example: 'Growth' }),
      })
      .meta({ id: 'NewQuotaRequest' }),
    answer: shape,
    status: 201,
    do: (call) => {
      const { db, by, account, request, body } = call
      const project =
        body.project === undefined ? undefined : findProject(db, account.id, looker(request), body.project)
      if (body.project !== undefined && !project) throw invalidAt(['project'], 'unknown', 'There is no such project.')
      const projectId = project?.id ?? null
      const { quotas } = found(findQuotas(db, holderOf(account.id, projectId)))
      const amounts = amountsOf(quotas, body.amounts, ['amounts'])
      if (amounts.size === 0) return notMore()
      const asked = found(
        askForMore(
          db,
          by,
          { accountId: account.id, projectId, amounts, reason: body.reason },
          request.server.mailContext,
        ),
      )
      if (asked === 'open-already') return new Problem('conflict', 'A request of this account is open already.')
      if (asked === 'too-many')
        return new Problem('too-many', 'This account has asked ten times today.', {
          headers: { 'retry-after': '3600' },
        })
      if ('notMore' in asked) return notMore()
      return {
        status: 201,
        location: `/accounts/${account.identifier}/quota-requests/${asked.id}`,
        body: showRequest(found(findRequest(db, account.id, asked.id))),
      }
    },
  }),
  reading({
    method: 'GET',
    path: `${path}/{request}`,
    can: 'quota.see',
    tag,
    summary: 'Read a request',
    answer: shape,
    read: (call) => showRequest(ownRequest(call)),
  }),
  act({
    method: 'POST',
    path: `${path}/{request}/cancel`,
    can: 'quota.request',
    tag,
    summary: 'Cancel a request',
    answer: shape,
    status: 200,
    do: (call) => {
      const { id } = ownRequest(call)
      if (!cancelRequest(call.db, call.by, call.account.id, id)) return ended()
      return { status: 200, body: showRequest(ownRequest(call)) }
    },
  }),
  listing({
    method: 'GET',
    path: '/accounts/{account}/quota-requests-of-customers',
    can: 'customer.see',
    tag,
    summary: 'List the open requests of customers',
    spec: openRequestList,
    row: shape,
    list: ({ db, account }, query) => listOpenRequests(db, account.id, query),
    show: showRequest,
  }),
  reading({
    method: 'GET',
    path: ofCustomers,
    can: 'customer.see',
    tag,
    summary: 'Read a customer’s request',
    answer: shape,
    read: (call) => showRequest(ofCustomer(call)),
  }),
  act({
    method: 'POST',
    path: `${ofCustomers}/approve`,
    can: 'customer.limit',
    tag,
    summary: 'Approve a customer’s request',
    body: z
      .strictObject({
        amounts: wishes()
          .optional()
          .meta({ description: 'Other amounts than those asked for.', example: { projects: 20 } }),
        comment: optionalLine(300).meta({ example: 'As agreed' }),
      })
      .meta({ id: 'Approval' }),
    answer: shape,
    status: 200,
    do: (call) => {
      const { db, by, account, request, body } = call
      const open = ofCustomer(call)
      const { quotas } = found(findQuotas(db, holderOf(open.accountId, open.projectId)))
      const amounts = body.amounts
        ? amountsOf(quotas, body.amounts, ['amounts'])
        : new Map(open.amounts.map(({ resource, asked }) => [resource.id, asked]))
      const ids = { partnerId: account.id, accountId: open.accountId, id: open.id }
      const done = approveRequest(db, by, { ...ids, amounts, comment: body.comment }, request.server.mailContext)
      if (done === 'ended') return ended()
      if (done !== 'approved')
        return 'notMore' in done ? notMore() : new Problem('conflict', 'Your pool has not enough left.')
      return { status: 200, body: showRequest(ofCustomer(call)) }
    },
  }),
  act({
    method: 'POST',
    path: `${ofCustomers}/decline`,
    can: 'customer.limit',
    tag,
    summary: 'Decline a customer’s request',
    body: z
      .strictObject({
        comment: line('Say why: the customer will read it.', 300).meta({
          example: 'Not before the invoice is paid',
        }),
      })
      .meta({ id: 'Refusal' }),
    answer: shape,
    status: 200,
    do: (call) => {
      const { db, by, account, request, body } = call
      const open = ofCustomer(call)
      const ids = { partnerId: account.id, accountId: open.accountId, id: open.id }
      if (!declineRequest(db, by, { ...ids, comment: body.comment }, request.server.mailContext)) return ended()
      return { status: 200, body: showRequest(ofCustomer(call)) }
    },
  }),
]
