import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { caretakerOf } from '../../accounts/data/caretaker.ts'
import { apart } from '../../db/apart.ts'
import { findProject } from '../../projects/data.ts'
import { looker } from '../../projects/scope.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { line } from '../../web/fields.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { holderOf } from '../arithmetic.ts'
import { amountFields, readAmounts } from '../fields.ts'
import { quotasOf, showOwnQuotas } from '../page.ts'
import { listResources } from '../resources/data.ts'
import { askForMore, cancelRequest } from './data/asking.ts'
import { endedMeanwhile, namesOf, requestOf, sayNotMore } from './page.ts'

/** A customer asks for more, and may take that back. */
export default async function quotaRequestRoutes(app: FastifyInstance) {
  const { db, mailContext } = app
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
    const project = identifier ? orNotFound(findProject(db, account.id, looker(request), identifier)) : undefined
    const projectId = project?.id ?? null
    const { quotas } = quotasOf(request, holderOf(account.id, projectId))
    const amounts = new Map<number, number>()
    for (const [id, wished] of readAmounts(form.input, resources)) if (wished !== null) amounts.set(id, wished)
    if (amounts.size === 0) return again('Enter how much is needed of at least one resource.')
    const elsewhere = resources.filter(
      ({ id }) => amounts.has(id) && !quotas.some(({ resource }) => resource.id === id),
    )
    if (elsewhere.length > 0) return again(apart`A project has no limit of ${namesOf(elsewhere)}. Ask for the account.`)

    const wish = { accountId: account.id, projectId, amounts, reason }
    const asked = orNotFound(askForMore(db, actor(request), wish, mailContext))
    if (asked === 'open-already')
      return again('A request of this account is open already. Cancel it first, or wait until it is decided.')
    if (asked === 'too-many') return again('This account has asked ten times today. Try again tomorrow.')
    if ('notMore' in asked) return again(sayNotMore(form, asked.notMore, resources, 'Nothing was sent.'))
    const waitsFor = caretakerOf(db, account)?.name ?? `${mailContext.panelName} Support`
    return reply.seeOther(
      '/customer/quotas',
      asked.automatic
        ? apart`${waitsFor} approves such requests automatically: the new limits apply now.`
        : apart`${waitsFor} has your request. You will get an e-mail when it is decided.`,
    )
  })

  app.post('/customer/quotas/requests/:request/cancellation', asking, async (request, reply) => {
    const { account } = request.member
    const { id } = requestOf(request, account.id)
    if (!cancelRequest(db, actor(request), account.id, id))
      return showOwnQuotas(request, reply.code(409), { problem: endedMeanwhile })
    return reply.seeOther('/customer/quotas', 'The request was cancelled.')
  })
}
