import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { supportedAccount } from '../../../accounts/scope.ts'
import { apart } from '../../../db/apart.ts'
import type { AccountId } from '../../../db/ids.ts'
import { customerOf } from '../../../partners/scope.ts'
import { line, optionalLine } from '../../../web/fields.ts'
import { backTo, listBefore, pathBefore } from '../../../web/lists/list.ts'
import { readForm } from '../../../web/request/forms.ts'
import { actor, supportActor } from '../../../web/request/viewer.ts'
import { holderOf } from '../../arithmetic.ts'
import { amountFields, readAmounts } from '../../fields.ts'
import { leftToSupport, quotasOf, sayShortages, showCustomerQuotas, showSupportQuotas } from '../../page.ts'
import { approveRequest, declineRequest } from '../data/deciding.ts'
import { endedMeanwhile, requestOf, sayNotMore } from '../page.ts'

/** Where the requests of all customers are, and may be approved. */
const requestsPage = '/partner/quotas'

const refusal = z.strictObject({ comment: line('Say why: the customer will read it.', 300) })

type Show = (request: FastifyRequest, reply: FastifyReply, forms?: Parameters<typeof showCustomerQuotas>[2]) => unknown

/** Who decides a request, for which account, and on which page. */
type Desk = {
  partnerId: AccountId | null
  account: { id: AccountId; name: string }
  by: ReturnType<typeof actor>
  page: string
  show: Show
}

/** A request is approved or declined by the account's partner, or by Support if nobody else can. */
export default async function quotaDecisionRoutes(app: FastifyInstance) {
  const deciding = { config: { can: 'customer.limit', inAccount: true } } as const
  const support = { config: { can: 'support.quota' } } as const

  app.post('/partner/customers/:customer/quotas/requests/:request/approval', deciding, async (request, reply) =>
    approve(request, reply, partnerDesk(request)),
  )
  app.post('/partner/customers/:customer/quotas/requests/:request/refusal', deciding, async (request, reply) =>
    decline(request, reply, partnerDesk(request)),
  )
  app.post('/support/accounts/:identifier/quotas/requests/:request/approval', support, async (request, reply) =>
    approve(request, reply, supportDesk(request)),
  )
  app.post('/support/accounts/:identifier/quotas/requests/:request/refusal', support, async (request, reply) =>
    decline(request, reply, supportDesk(request)),
  )
}

function partnerDesk(request: FastifyRequest): Desk {
  const account = customerOf(request)
  return {
    partnerId: request.member.account.id,
    account,
    by: actor(request),
    page: `/partner/customers/${account.identifier}/quotas`,
    show: showCustomerQuotas,
  }
}

function supportDesk(request: FastifyRequest): Desk {
  const account = supportedAccount(request)
  leftToSupport(request.server.db, account.id)
  return {
    partnerId: null,
    account,
    by: supportActor(request),
    page: `/support/accounts/${account.identifier}/quotas`,
    show: showSupportQuotas,
  }
}

function approve(request: FastifyRequest, reply: FastifyReply, { partnerId, account, by, page, show }: Desk) {
  const { db, mailContext } = request.server
  const open = requestOf(request, account.id)
  if (open.state !== 'open') return show(request, reply.code(409), { problem: endedMeanwhile })
  const resources = open.amounts.map(({ resource }) => resource)
  const form = readForm(
    z.strictObject({ comment: optionalLine(300), ...amountFields(resources, 'decline the request') }),
    request.body,
  )
  if (!form.input) return show(request, reply.code(422), { approval: form })

  const typed = readAmounts(form.input, resources)
  const { quotas } = quotasOf(request, holderOf(account.id, open.projectId))
  const amounts = new Map<number, number>()
  for (const { resource, asked } of open.amounts) {
    const wanted = typed.get(resource.id)
    const limit = quotas.find((quota) => quota.resource.id === resource.id)?.own.limit ?? null
    if (wanted === null) form.errors[resource.key] = 'Enter a number. To approve no increase, enter the current limit.'
    // A form that was made after the limit had been lifted has no field for it.
    if (wanted !== undefined || limit !== null) amounts.set(resource.id, wanted ?? asked)
  }
  if (Object.keys(form.errors).length > 0) return show(request, reply.code(422), { approval: form })

  const decided = { partnerId, accountId: account.id, id: open.id }
  const result = approveRequest(db, by, { ...decided, amounts, comment: form.input.comment }, mailContext)
  if (result === 'approved') {
    const before = backTo(requestsPage, listBefore(request))
    const inList = before !== requestsPage || pathBefore(request) === requestsPage
    return reply.seeOther(
      inList ? before : page,
      apart`The request of ${account.name} is approved, and its new limits apply now.`,
    )
  }
  if (result === 'ended') return show(request, reply.code(409), { problem: endedMeanwhile })
  const problem = 'notMore' in result ? sayNotMore(form, result.notMore, resources, 'Nothing was approved.') : undefined
  if ('shortages' in result) sayShortages(form, result.shortages, open.projectId === null)
  return show(request, reply.code(422), { approval: form, problem: problem ?? '' })
}

function decline(request: FastifyRequest, reply: FastifyReply, { partnerId, account, by, page, show }: Desk) {
  const { db, mailContext } = request.server
  const { id } = requestOf(request, account.id)
  const form = readForm(refusal, request.body)
  if (!form.input) return show(request, reply.code(422), { refusal: form })
  const decided = { partnerId, accountId: account.id, id }
  if (!declineRequest(db, by, { ...decided, comment: form.input.comment }, mailContext))
    return show(request, reply.code(409), { problem: endedMeanwhile })
  return reply.seeOther(page, apart`The request of ${account.name} is declined.`)
}
