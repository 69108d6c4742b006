import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { type Customer, findCustomer } from '../../partners/data.ts'
import { customerOf } from '../../partners/scope.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { idChoice, readId, version } from '../../web/fields.ts'
import { newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { shortageOf } from '../arithmetic.ts'
import { levelShortageWords, quotasOf, showCustomerQuotas } from '../page.ts'
import { applyLimits, findLimitOffer, type LimitSource } from './data/applying.ts'
import { findPlan } from './data/plans.ts'

const versions = { version: version(), limitsVersion: version() }
const ofPlan = z.strictObject({ plan: idChoice(), ...versions })
const ofCustomer = z.strictObject({ from: z.string({ error: 'Choose a customer.' }), ...versions })

/** What is offered to a customer, with the words of its page. */
type Choice = {
  source: LimitSource
  field: 'plan' | 'from'
  value: string
  heading: string
  button: string
  done: string
  /** What the limits are a copy of. */
  of: string
}

/** Gives a customer the limits of a plan or of another customer, after a page that shows what would change. */
export function offerLimits(app: FastifyInstance): void {
  const { db } = app
  const base = '/partner/customers/:customer/quotas'
  const see = { config: { can: 'customer.limit' } } as const
  const applying = { config: { can: 'customer.limit', inAccount: true } } as const

  app.get(`${base}/plan`, see, async (request, reply) => {
    const customer = customerOf(request)
    const { plan } = request.query as Record<string, unknown>
    if (plan) {
      const choice = planChoice(request, customer, orNotFound(readId(String(plan))))
      return showPreview(request, reply, { customer, choice })
    }
    const form = newForm()
    form.errors.plan = 'Choose a plan.'
    return showCustomerQuotas(request, reply.code(422), { copy: form })
  })

  app.post(`${base}/plan`, applying, async (request, reply) => {
    const customer = customerOf(request)
    const { input } = readForm(ofPlan, request.body)
    return apply(request, reply, {
      customer,
      choice: planChoice(request, customer, orNotFound(input).plan),
      ...orNotFound(input),
    })
  })

  app.get(`${base}/copy`, see, async (request, reply) => {
    const customer = customerOf(request)
    const { from } = request.query as Record<string, unknown>
    const identifier = String(from ?? '')
      .trim()
      .toLowerCase()
    const other = findCustomer(db, request.member.account.id, identifier)
    if (other && other.id !== customer.id)
      return showPreview(request, reply, { customer, choice: copyChoice(customer, other) })
    const form = newForm({ from: identifier })
    form.errors.from = other
      ? apart`This is ${customer.name} itself. Enter another customer.`
      : identifier
        ? `You have no customer “${identifier}”. Enter the identifier of one of your customers.`
        : 'Enter the identifier of one of your customers.'
    return showCustomerQuotas(request, reply.code(422), { copy: form })
  })

  app.post(`${base}/copy`, applying, async (request, reply) => {
    const customer = customerOf(request)
    const { input } = readForm(ofCustomer, request.body)
    const other = orNotFound(findCustomer(db, request.member.account.id, orNotFound(input).from))
    return apply(request, reply, { customer, choice: copyChoice(customer, other), ...orNotFound(input) })
  })
}

function planChoice(request: FastifyRequest, customer: Customer, id: number): Choice {
  const { name } = orNotFound(findPlan(request.server.db, request.member.account.id, id))
  return {
    source: { planId: id },
    field: 'plan',
    value: String(id),
    heading: apart`Apply the plan ${name} to ${customer.name}?`,
    button: 'Apply plan',
    done: apart`${customer.name} has the limits of the plan ${name} now.`,
    of: apart`the plan ${name}`,
  }
}

function copyChoice(customer: Customer, { id, identifier, name }: Customer): Choice {
  return {
    source: { fromId: id },
    field: 'from',
    value: identifier,
    heading: apart`Copy the limits of ${name} to ${customer.name}?`,
    button: 'Copy limits',
    done: apart`${customer.name} has the limits of ${name} now.`,
    of: name,
  }
}

function apply(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    customer,
    choice,
    version: source,
    limitsVersion: limits,
  }: { customer: Customer; choice: Choice; version: number; limitsVersion: number },
) {
  const { db, mailContext } = request.server
  const which = { partnerId: request.member.account.id, accountId: customer.id, source: choice.source }
  const done = orNotFound(applyLimits(db, actor(request), { ...which, seen: { source, limits } }, mailContext))
  if (done === 'applied' || done === 'unchanged')
    return reply.seeOther(
      `/partner/customers/${customer.identifier}/quotas`,
      done === 'applied' ? choice.done : apart`${customer.name} had these limits already. Nothing was changed.`,
    )
  return done === 'stale'
    ? showPreview(request, reply.code(409), {
        customer,
        choice,
        problem: 'Limits were changed since you opened this page. Nothing was applied. This is how it is now.',
      })
    : showPreview(request, reply.code(422), { customer, choice })
}

/** What would change, resource by resource, and what stands in the way. */
function showPreview(
  request: FastifyRequest,
  reply: FastifyReply,
  { customer, choice, problem = '' }: { customer: Customer; choice: Choice; problem?: string },
) {
  const now = quotasOf(request, { level: 'account', accountId: customer.id })
  const offer = orNotFound(findLimitOffer(request.server.db, request.member.account.id, choice.source, now))
  const rows = now.quotas.flatMap((quota) => {
    const after = offer.amounts.get(quota.resource.id)
    if (after === undefined || after === quota.own.limit) return []
    const shortage = shortageOf(quota, after)
    const { resource, own } = quota
    return [{ resource, own, after, shortage: shortage ? levelShortageWords(shortage, false) : '' }]
  })
  return reply.page('quotas/plans/preview', {
    title: choice.heading,
    customer,
    choice,
    rows,
    same: now.quotas.length - rows.length,
    version: offer.version,
    limitsVersion: now.version,
    problem,
  })
}
