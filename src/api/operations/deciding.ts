import * as z from 'zod'
import type { AccountId } from '../../db/ids.ts'
import type { Action } from '../../policy.ts'
import { approveRequest, declineRequest } from '../../quotas/requests/data/deciding.ts'
import {
  findCustomerRequest,
  listOpenRequests,
  openRequestList,
  type QuotaRequest,
} from '../../quotas/requests/data/reading.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { line, optionalLine } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { act, type Call, listing, type Operation, reading, type Tag } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { shownTime, shownTimeOrNull, timeOf } from '../contract/shapes.ts'
import { amountShape, amountsOf } from './quotas.ts'

// Requests for more, and who decides them: the partner, or Support for accounts that it looks after.

export const quotaRequest = z
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
    comment: z.string().meta({ description: 'The comment on the decision.' }),
    requested_by: z.int().meta({ description: 'The number of the user who asked.' }),
    created_at: timeOf('When it was asked.'),
    ended_at: timeOf('When it was decided or cancelled; null while it is open.').nullable(),
  })
  .meta({ id: 'QuotaRequest' })

export const showRequest = (one: QuotaRequest) => ({
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

export const wishes = () =>
  z
    .record(z.string().max(50), amountShape)
    .meta({ description: 'The requested limits, by resource key.', example: { projects: 20 } })

export const endedRequest = () => new Problem('conflict', 'The request has ended.')
export const notMore = () =>
  new Problem('conflict', 'Each amount must be above the current limit and not below what is allocated.')

type Place = Pick<Call, 'db' | 'account' | 'request'>

type Desk = {
  path: string
  see: Action
  change: Action
  tag: Tag
  /** Whose requests, in the words of the documentation. */
  of: 'customer' | 'account'
  /** Null for Support. */
  partnerId: (call: Place) => AccountId | null
}

const requestAt = ({ partnerId }: Desk, call: Place) =>
  orNotFound(findCustomerRequest(call.db, partnerId(call), idFrom(call.request, 'request')))

export const decidingOperations = (desk: Desk): Operation[] => [...open(desk), approving(desk), declining(desk)]

const article = ({ of }: Desk) => (of === 'customer' ? 'a customer' : 'an account')

const open = (desk: Desk): Operation[] => [
  listing({
    method: 'GET',
    path: desk.path,
    can: desk.see,
    tag: desk.tag,
    summary: `List the open requests of ${desk.of}s`,
    spec: openRequestList,
    row: quotaRequest,
    list: (call, query) => listOpenRequests(call.db, desk.partnerId(call), query),
    show: showRequest,
  }),
  reading({
    method: 'GET',
    path: `${desk.path}/{request}`,
    can: desk.see,
    tag: desk.tag,
    summary: `Read a request of ${article(desk)}`,
    answer: quotaRequest,
    read: (call) => showRequest(requestAt(desk, call)),
  }),
]

const approving = (desk: Desk): Operation =>
  act({
    method: 'POST',
    path: `${desk.path}/{request}/approve`,
    can: desk.change,
    tag: desk.tag,
    summary: `Approve a request of ${article(desk)}`,
    body: z
      .strictObject({
        amounts: wishes()
          .optional()
          .meta({
            description: 'Other amounts than those asked for. What is left out is approved as asked.',
            example: { projects: 20 },
          }),
        comment: optionalLine(300).meta({ example: 'As agreed' }),
      })
      .meta({ id: 'Approval' }),
    answer: quotaRequest,
    status: 200,
    do: (call) => {
      const { db, by, request, body } = call
      const open = requestAt(desk, call)
      if (open.state !== 'open') return endedRequest()
      const amounts = new Map(open.amounts.map(({ resource, asked }) => [resource.id, asked]))
      for (const [id, amount] of amountsOf(open.amounts, body.amounts ?? {}, ['amounts'])) amounts.set(id, amount)
      const ids = { partnerId: desk.partnerId(call), accountId: open.accountId, id: open.id }
      const done = approveRequest(db, by, { ...ids, amounts, comment: body.comment }, request.server.mailContext)
      if (done === 'ended') return endedRequest()
      if (done !== 'approved')
        return 'notMore' in done ? notMore() : new Problem('conflict', 'The pool does not have enough available.')
      return { status: 200, body: showRequest(requestAt(desk, call)) }
    },
  })

const declining = (desk: Desk): Operation =>
  act({
    method: 'POST',
    path: `${desk.path}/{request}/decline`,
    can: desk.change,
    tag: desk.tag,
    summary: `Decline a request of ${article(desk)}`,
    body: z
      .strictObject({
        comment: line('Say why: the customer will read it.', 300).meta({
          example: 'Not before the invoice is paid',
        }),
      })
      .meta({ id: 'Refusal' }),
    answer: quotaRequest,
    status: 200,
    do: (call) => {
      const { db, by, request, body } = call
      const open = requestAt(desk, call)
      const ids = { partnerId: desk.partnerId(call), accountId: open.accountId, id: open.id }
      if (!declineRequest(db, by, { ...ids, comment: body.comment }, request.server.mailContext)) return endedRequest()
      return { status: 200, body: showRequest(requestAt(desk, call)) }
    },
  })
