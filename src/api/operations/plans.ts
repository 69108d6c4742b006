import * as z from 'zod'
import {
  changePlan,
  createPlan,
  findPlan,
  listPlans,
  mostPlans,
  type Plan,
  removePlan,
} from '../../quotas/plans/data/plans.ts'
import { listResources } from '../../quotas/resources/data.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { planName } from '../../web/fields.ts'
import { idFrom } from '../../web/request/address.ts'
import { act, type Call, reading } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { shownName } from '../contract/shapes.ts'
import { amountShape, amountsOf } from './quotas.ts'

const plan = z
  .strictObject({
    id: z.int(),
    name: shownName(),
    is_default: z.boolean().meta({ description: 'New customers get it.' }),
    limits: z
      .record(z.string(), z.int())
      .meta({ description: 'By the keys of resources. What is not named has no limit.' }),
  })
  .meta({ id: 'Plan' })

type Place = Pick<Call, 'db' | 'account' | 'request'>

function showPlan({ db }: Pick<Call, 'db'>, { id, name, isDefault, amounts }: Plan) {
  const limits = listResources(db).flatMap((resource) => {
    const amount = amounts.get(resource.id)
    return amount === undefined ? [] : [[resource.key, amount] as const]
  })
  return { id, name, is_default: isDefault, limits: Object.fromEntries(limits) }
}

/** The plan of the partner that the address names. */
export const planIn = ({ db, account, request }: Place): Plan =>
  orNotFound(findPlan(db, account.id, idFrom(request, 'plan')))
const show = (call: Place) => showPlan(call, planIn(call))

const newName = () => planName().meta({ description: 'Up to 100 characters.', example: 'Small' })
const newDefault = z
  .boolean()
  .meta({ description: 'New customers get this plan instead of the earlier default.', example: false })
const newLimits = z.record(z.string().max(50), amountShape.nullable()).meta({
  description: 'By the keys of resources; null for no limit. What is left out stays.',
  example: { cores: 8 },
})

const wishedAmounts = ({ db }: Pick<Call, 'db'>, limits: Record<string, number | null>) =>
  amountsOf(
    listResources(db).map((resource) => ({ resource })),
    limits,
    ['limits'],
  )

const takenName = () => {
  const detail = 'You have a plan of this name.'
  return new Problem('conflict', detail, { errors: [{ pointer: '#/name', code: 'taken', detail }] })
}

const path = '/accounts/{account}/plans' as const
const tag = 'Plans' as const

export const planOperations = [
  reading({
    method: 'GET',
    path,
    can: 'plan.see',
    tag,
    summary: 'List the plans',
    description: `A plan is a named set of limits for customers. All of them at once: there are ${mostPlans} at most.`,
    answer: z.strictObject({ data: z.array(plan) }).meta({ id: 'Plans' }),
    read: (call) => ({ data: listPlans(call.db, call.account.id).map((one) => showPlan(call, one)) }),
  }),
  act({
    method: 'POST',
    path,
    can: 'plan.change',
    tag,
    summary: 'Create a plan',
    body: z
      .strictObject({ name: newName(), is_default: newDefault.default(false), limits: newLimits.default({}) })
      .meta({ id: 'NewPlan' }),
    answer: plan,
    status: 201,
    do: (call) => {
      const { db, by, account, body } = call
      const wish = { name: body.name, isDefault: body.is_default, amounts: wishedAmounts(call, body.limits) }
      const made = createPlan(db, by, account.id, wish)
      if (made === 'taken') return takenName()
      if (made === 'full') return new Problem('conflict', `A partner has ${mostPlans} plans at most.`)
      return {
        status: 201,
        location: `/accounts/${account.identifier}/plans/${made.id}`,
        body: showPlan(call, made),
      }
    },
  }),
  reading({
    method: 'GET',
    path: `${path}/{plan}`,
    can: 'plan.see',
    tag,
    summary: 'Read a plan',
    answer: plan,
    read: show,
  }),
  act({
    method: 'PATCH',
    path: `${path}/{plan}`,
    can: 'plan.change',
    tag,
    summary: 'Change a plan',
    description: 'Customers that it was applied to keep the limits that they have.',
    body: z
      .strictObject({ name: newName().optional(), is_default: newDefault.optional(), limits: newLimits.optional() })
      .meta({ id: 'PlanChange' }),
    answer: plan,
    status: 200,
    current: show,
    do: (call) => {
      const { db, by, account, body } = call
      const { id, name, isDefault, version } = planIn(call)
      const edit = {
        name: body.name ?? name,
        isDefault: body.is_default ?? isDefault,
        amounts: wishedAmounts(call, body.limits ?? {}),
        version,
      }
      if (orNotFound(changePlan(db, by, { partnerId: account.id, id }, edit)) === 'taken') return takenName()
      return { status: 200, body: show(call) }
    },
  }),
  act({
    method: 'DELETE',
    path: `${path}/{plan}`,
    can: 'plan.change',
    tag,
    summary: 'Delete a plan',
    description: 'Customers that it was applied to keep the limits that they have.',
    status: 204,
    current: show,
    do: (call) => {
      removePlan(call.db, call.by, { partnerId: call.account.id, id: planIn(call).id })
      return { status: 204 }
    },
  }),
]
