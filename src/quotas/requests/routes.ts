import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { canAct, caretakerOf } from '../../accounts/data/caretaker.ts'
import { supportedAccount } from '../../accounts/scope.ts'
import type { ListQuery } from '../../db/list.ts'
import { customerOf } from '../../partners/scope.ts'
import { findProject } from '../../projects/data.ts'
import { looker } from '../../projects/scope.ts'
import { found } from '../../web/answer/errors.ts'
import { amount, line, optionalLine, readId } from '../../web/fields.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor, supportActor } from '../../web/request/viewer.ts'
import { holderOf } from '../arithmetic.ts'
import { findQuotas } from '../data/limits.ts'
import {
  amountFields,
  leftToSupport,
  notMoreWords,
  quotasOf,
  readAmounts,
  sayShortages,
  showCustomerQuotas,
  showOwnQuotas,
  showSupportQuotas,
} from '../page.ts'
import { listResources, type Resource } from '../resources/data.ts'
import { askForMore, cancelRequest, findAutomaticShare, setAutomaticShare } from './data/asking.ts'
import { approveRequest, declineRequest, type NotMore } from './data/deciding.ts'
import { findRequest, listOpenRequests, openRequestList, type QuotaRequest } from './data/reading.ts'

const refusal = z.strictObject({ comment: line('Say why: the customer will read it.', 300) })
const automaticApproval = z.strictObject({
  share: amount('leave it empty to decide every request yourself').refine(
    (share) => share === null || (share >= 1 && share <= 100),
    'Enter a share from 1 to 100 per cent, or leave it empty to decide every request yourself.',
  ),
})

const endedMeanwhile = 'This request has ended meanwhile: it was cancelled, or somebody else has decided it.'
type Show = (request: FastifyRequest, reply: FastifyReply, forms?: Parameters<typeof showCustomerQuotas>[2]) => unknown

/** What a request is decided as: by whom, for which account, and where that is shown. */
type Desk = {
  partnerId: number | null
  account: { id: number; name: string }
  by: ReturnType<typeof actor>
  page: string
  show: Show
}

export default async function quotaRequestRoutes(app: FastifyInstance) {
  const { db } = app
  const { publicUrl, supportEmail, panelName } = app.config
  const tell = { post: app.postLetter, publicUrl, supportEmail, panelName }
  const deciding = { config: { can: 'customer.limit', inAccount: true } } as const
  const support = { config: { can: 'support.quota' } } as const
  const asking = { config: { can: 'quota.request', inAccount: true } } as const

  app.post('/customer/quotas/requests', asking, async (request, reply) => {
    const { account } = request.member
    const resources = listResources(db)
    const schema = z.strictObject({
      project: z.string().default(''),
      reason: line('Say what it is needed for.', 500),
      ...amountFields(resources, 'leave it empty where nothing more is needed'),
    })
    const form = readForm(schema, request.body)
    const again = (problem = '') => showOwnQuotas(request, reply.code(422), { ask: form, problem })
    if (!form.input) return again()

    const { project: identifier, reason } = form.input
    const project = identifier ? found(findProject(db, account.id, looker(request), identifier)) : undefined
    const projectId = project?.id ?? null
    const { quotas } = quotasOf(request, holderOf(account.id, projectId))
    const amounts = new Map<number, number>()
    for (const [id, wished] of readAmounts(form.input, resources)) if (wished !== null) amounts.set(id, wished)
    if (amounts.size === 0) return again('Enter how much is needed of at least one resource.')
    const elsewhere = resources.filter(
      ({ id }) => amounts.has(id) && !quotas.some(({ resource }) => resource.id === id),
    )
    if (elsewhere.length > 0) return again(`A project has no limit of ${namesOf(elsewhere)}. Ask for the account.`)

    const asked = askForMore(db, actor(request), account.id, { projectId, amounts, reason }, tell)
    if (asked === 'open-already')
      return again('A request of this account is open already. Cancel it first, or wait until it is decided.')
    if (asked === 'too-many') return again('This account has asked ten times today. Try again tomorrow.')
    if (asked instanceof Map) return again(sayNotMore(form, asked, resources, 'Nothing was sent.'))
    const waitsFor = caretakerOf(db, account)?.name ?? `${panelName} Support`
    return reply.seeOther(
      '/customer/quotas',
      found(asked).automatic
        ? `${waitsFor} approves such requests automatically: the new limits apply now.`
        : `${waitsFor} has your request. You will get an e-mail when it is decided.`,
    )
  })

  app.post('/customer/quotas/requests/:request/cancellation', asking, async (request, reply) => {
    const { account } = request.member
    const { id } = requestOf(request, account.id)
    if (!cancelRequest(db, actor(request), account.id, id))
      return showOwnQuotas(request, reply.code(409), { problem: endedMeanwhile })
    return reply.seeOther('/customer/quotas', 'The request was cancelled.')
  })

  app.get('/partner/quotas', { config: { can: 'partner-quota.see' } }, async (request, reply) => {
    const list = (query: ListQuery) => listOpenRequests(db, request.member.account.id, query)
    return listDownload(request, reply, openRequestList, list) ?? showPartnerQuotas(request, reply)
  })

  app.get('/support/quotas', support, async (request, reply) => {
    const list = (query: ListQuery) => listOpenRequests(db, null, query)
    return (
      listDownload(request, reply, openRequestList, list) ??
      reply.page('quotas/support-requests', { title: 'Quotas', list: list(readList(request, openRequestList)) })
    )
  })

  app.post('/partner/quotas/automatic-approval', deciding, async (request, reply) => {
    const form = readForm(automaticApproval, request.body)
    if (!form.input) return showPartnerQuotas(request, reply.code(422), form)
    const { share } = form.input
    const changed = setAutomaticShare(db, actor(request), request.member.account.id, share)
    const rule =
      share === null
        ? 'Every request waits for a Partner Admin'
        : `Requests for up to ${share} % more are approved automatically`
    return reply.seeOther('/partner/quotas', changed ? `${rule} now.` : `${rule}, as before. Nothing was changed.`)
  })

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
    leftToSupport(db, account.id)
    return {
      partnerId: null,
      account,
      by: supportActor(request),
      page: `/support/accounts/${account.identifier}/quotas`,
      show: showSupportQuotas,
    }
  }

  /** The request that the address names, if it is this account’s. */
  function requestOf(request: FastifyRequest, accountId: number): QuotaRequest {
    const id = found(readId((request.params as { request: string }).request))
    return found(findRequest(db, accountId, id))
  }

  function approve(request: FastifyRequest, reply: FastifyReply, { partnerId, account, by, page, show }: Desk) {
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
      const given = typed.get(resource.id)
      const limit = quotas.find((quota) => quota.resource.id === resource.id)?.own.limit ?? null
      if (given === null) form.errors[resource.key] = 'Enter a number. To give nothing of it, enter the limit as it is.'
      // A form that was made after the limit had been lifted has no field for it.
      if (given !== undefined || limit !== null) amounts.set(resource.id, given ?? asked)
    }
    if (Object.keys(form.errors).length > 0) return show(request, reply.code(422), { approval: form })

    const decided = { partnerId, accountId: account.id, id: open.id }
    const result = approveRequest(db, by, decided, { amounts, comment: form.input.comment }, tell)
    if (result === 'approved') {
      return reply.seeOther(page, `The request of ${account.name} is approved, and its new limits apply now.`)
    }
    if (result === 'ended') return show(request, reply.code(409), { problem: endedMeanwhile })
    const problem =
      'notMore' in result ? sayNotMore(form, result.notMore, resources, 'Nothing was approved.') : undefined
    if ('shortages' in result) sayShortages(form, result.shortages, open.projectId === null)
    return show(request, reply.code(422), { approval: form, problem: problem ?? '' })
  }

  /** Puts what is not more at its fields. What has no limit has no field, and so comes back in words. */
  function sayNotMore(form: Form, wrong: NotMore, resources: Resource[], outcome: string): string {
    const unlimited = resources.filter(({ id }) => wrong.get(id)?.limit === null)
    for (const resource of resources) {
      const step = wrong.get(resource.id)
      if (step) form.errors[resource.key] = notMoreWords(step, resource)
    }
    return unlimited.length > 0 ? `There is no limit of ${namesOf(unlimited)} to raise. ${outcome}` : ''
  }

  function decline(request: FastifyRequest, reply: FastifyReply, { partnerId, account, by, page, show }: Desk) {
    const { id } = requestOf(request, account.id)
    const form = readForm(refusal, request.body)
    if (!form.input) return show(request, reply.code(422), { refusal: form })
    const decided = { partnerId, accountId: account.id, id }
    if (!declineRequest(db, by, decided, form.input.comment, tell))
      return show(request, reply.code(409), { problem: endedMeanwhile })
    return reply.seeOther(page, `The request of ${account.name} is declined.`)
  }

  function showPartnerQuotas(request: FastifyRequest, reply: FastifyReply, form?: ReturnType<typeof newForm>) {
    const { account } = request.member
    const share = findAutomaticShare(db, account.id)
    return reply.page('quotas/partner', {
      title: 'Quotas',
      quotas: found(findQuotas(db, { level: 'pool', accountId: account.id })).quotas,
      list: listOpenRequests(db, account.id, readList(request, openRequestList)),
      acts: canAct(db, account.id),
      form: form ?? newForm({ share: share === null ? '' : String(share) }),
    })
  }
}

const namesOf = (resources: Resource[]) => resources.map(({ name }) => name).join(', ')
