import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { planName, readId, version } from '../../web/fields.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { amountFields, amountText, readAmounts } from '../fields.ts'
import { listResources, type Resource } from '../resources/data.ts'
import { changePlan, createPlan, findPlan, listPlans, mostPlans, type Plan, removePlan } from './data/plans.ts'

const taken = 'You have a plan of this name. Choose another name.'

/** Resources are fields named by their keys, so the others have names that no key can have. */
const newPlan = (resources: Resource[]) =>
  z.strictObject({
    planName: planName(),
    newCustomers: z.literal('yes').optional(),
    ...amountFields(resources, 'leave it empty for no limit'),
  })
const changedPlan = (resources: Resource[]) => newPlan(resources).extend({ version: version() })

/** Partner Area → Plans: the named sets of limits that a partner keeps. */
export function managePlans(app: FastifyInstance): void {
  const { db } = app
  const change = { config: { can: 'plan.change' } } as const
  const changing = { config: { can: 'plan.change', inAccount: true } } as const

  app.get('/partner/plans', { config: { can: 'plan.see' } }, async (request, reply) =>
    reply.page('quotas/plans/index', {
      title: 'Plans',
      plans: listPlans(db, request.member.account.id),
      resources: listResources(db),
      mostPlans,
    }),
  )

  app.get('/partner/plans/new', change, async (request, reply) => showPlanForm(request, reply, newForm()))

  app.post('/partner/plans', changing, async (request, reply) => {
    const resources = listResources(db)
    const form = readForm(newPlan(resources), request.body)
    if (!form.input) return showPlanForm(request, reply.code(422), form)
    const made = createPlan(db, actor(request), request.member.account.id, wanted(form.input, resources))
    if (typeof made === 'object') return reply.seeOther('/partner/plans', createdWords(made))
    form.errors.planName =
      made === 'full' ? `You have ${mostPlans} plans, and cannot have more. Delete one that you do not use.` : taken
    return showPlanForm(request, reply.code(422), form)
  })

  app.get('/partner/plans/:plan', change, async (request, reply) => {
    const plan = planOf(request)
    return showPlanForm(request, reply, formOfPlan(plan, listResources(db)), { plan })
  })

  app.post('/partner/plans/:plan', changing, async (request, reply) => {
    const plan = planOf(request)
    const resources = listResources(db)
    const form = readForm(changedPlan(resources), request.body)
    if (!form.input) return showPlanForm(request, reply.code(422), form, { plan })
    const which = { partnerId: request.member.account.id, id: plan.id }
    const edit = { ...wanted(form.input, resources), version: form.input.version }
    const done = orNotFound(changePlan(db, actor(request), which, edit))
    if (done === 'taken') {
      form.errors.planName = taken
      return showPlanForm(request, reply.code(422), form, { plan })
    }
    if (done === 'stale') {
      // What was typed stays; sent again, it replaces what somebody else has saved.
      form.values.version = String(planOf(request).version)
      const problem = 'Somebody else has changed this plan since you opened this page. Save again to replace theirs.'
      return showPlanForm(request, reply.code(409), form, { plan, problem })
    }
    return reply.seeOther(
      '/partner/plans',
      done === 'saved'
        ? apart`The plan ${edit.name} was saved. Customers that it was applied to keep the limits they have.`
        : apart`The plan ${edit.name} is as it was. Nothing was changed.`,
    )
  })

  app.get('/partner/plans/:plan/removal', change, async (request, reply) => {
    const plan = planOf(request)
    return reply.page('quotas/plans/removal', { title: apart`Delete the plan ${plan.name}`, plan })
  })

  app.post('/partner/plans/:plan/removal', changing, async (request, reply) => {
    const { id, name } = planOf(request)
    const removed = removePlan(db, actor(request), { partnerId: request.member.account.id, id })
    return reply.seeOther(
      '/partner/plans',
      removed
        ? apart`The plan ${name} was deleted. Customers that it was applied to keep the limits they have.`
        : apart`The plan ${name} was deleted already. Nothing was changed.`,
    )
  })
}

function createdWords({ name, isDefault }: Plan): string {
  return isDefault
    ? apart`The plan ${name} was created. New customers get it.`
    : apart`The plan ${name} was created. Apply it on the Project Quotas of a customer.`
}

function planOf(request: FastifyRequest): Plan {
  const { plan } = request.params as { plan: string }
  return orNotFound(findPlan(request.server.db, request.member.account.id, orNotFound(readId(plan))))
}

type PlanInput = z.infer<ReturnType<typeof newPlan>>

function wanted(input: PlanInput, resources: Resource[]) {
  const { planName: name, newCustomers } = input
  return { name, isDefault: newCustomers === 'yes', amounts: readAmounts(input, resources) }
}

function formOfPlan({ name, isDefault, version, amounts }: Plan, resources: Resource[]): Form {
  const limits = resources.map((resource) => [resource.key, amountText(amounts.get(resource.id) ?? null, resource)])
  return newForm({
    ...Object.fromEntries(limits),
    planName: name,
    ...(isDefault ? { newCustomers: 'yes' } : {}),
    version: String(version),
  })
}

function showPlanForm(
  request: FastifyRequest,
  reply: FastifyReply,
  form: Form,
  { plan, problem = '' }: { plan?: Plan; problem?: string } = {},
) {
  const { db } = request.server
  const resources = listResources(db)
  // Filled in, wrong, or nothing at all yet: the others wait behind “Add a limit”.
  const limited = resources.filter(({ key }) => form.values[key] || form.errors[key])
  const isDefaultNow = listPlans(db, request.member.account.id).find(({ isDefault }) => isDefault)
  return reply.page('quotas/plans/form', {
    title: plan ? apart`Change the plan ${plan.name}` : 'New plan',
    plan: plan ?? null,
    form,
    problem,
    limited,
    others: resources.filter((resource) => !limited.includes(resource)),
    earlierDefault: isDefaultNow && isDefaultNow.id !== plan?.id ? isDefaultNow.name : '',
  })
}
