import * as z from 'zod'
import { findProject } from '../../projects/data.ts'
import { looker } from '../../projects/scope.ts'
import { holderOf } from '../../quotas/arithmetic.ts'
import { findQuotas } from '../../quotas/data/limits.ts'
import { askForMore, cancelRequest } from '../../quotas/requests/data/asking.ts'
import { findRequest, listRequestsOf, ownRequestList } from '../../quotas/requests/data/reading.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { line } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { invalidAt, Problem } from '../contract/problems.ts'
import { givenIdentifier } from '../contract/shapes.ts'
import { decidingOperations, endedRequest, notMore, quotaRequest, showRequest, wishes } from './deciding.ts'
import { amountsOf } from './quotas.ts'

type Place = Pick<Call, 'db' | 'account' | 'request'>

const idIn = ({ request }: Place) => idFrom(request, 'request')
const ownRequest = (call: Place) => orNotFound(findRequest(call.db, call.account.id, idIn(call)))
const tag = 'Quotas' as const
const path = '/accounts/{account}/quota-requests' as const

export const requestOperations = [
  listing({
    method: 'GET',
    path,
    can: 'quota.see',
    tag,
    summary: 'List the account’s requests for more',
    spec: ownRequestList,
    row: quotaRequest,
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
    answer: quotaRequest,
    status: 201,
    do: (call) => {
      const { db, by, account, request, body } = call
      const project =
        body.project === undefined ? undefined : findProject(db, account.id, looker(request), body.project)
      if (body.project !== undefined && !project) throw invalidAt(['project'], 'unknown', 'There is no such project.')
      const projectId = project?.id ?? null
      const { quotas } = orNotFound(findQuotas(db, holderOf(account.id, projectId)))
      const amounts = amountsOf(quotas, body.amounts, ['amounts'])
      if (amounts.size === 0) return notMore()
      const asked = orNotFound(
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
        body: showRequest(orNotFound(findRequest(db, account.id, asked.id))),
      }
    },
  }),
  reading({
    method: 'GET',
    path: `${path}/{request}`,
    can: 'quota.see',
    tag,
    summary: 'Read a request',
    answer: quotaRequest,
    read: (call) => showRequest(ownRequest(call)),
  }),
  act({
    method: 'POST',
    path: `${path}/{request}/cancel`,
    can: 'quota.request',
    tag,
    summary: 'Cancel a request',
    answer: quotaRequest,
    status: 200,
    do: (call) => {
      const { id } = ownRequest(call)
      if (!cancelRequest(call.db, call.by, call.account.id, id)) return endedRequest()
      return { status: 200, body: showRequest(ownRequest(call)) }
    },
  }),
  ...decidingOperations({
    path: '/accounts/{account}/quota-requests-of-customers',
    see: 'customer.see',
    change: 'customer.limit',
    tag,
    of: 'customer',
    partnerId: ({ account }) => account.id,
  }),
]
