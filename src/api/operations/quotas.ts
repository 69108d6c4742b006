import * as z from 'zod'
import { customerOf } from '../../partners/scope.ts'
import { projectOf } from '../../projects/scope.ts'
import type { Amounts, Holder, Quota } from '../../quotas/arithmetic.ts'
import { giveLimits } from '../../quotas/data/giving.ts'
import { findQuotas } from '../../quotas/data/limits.ts'
import { levelShortageWords } from '../../quotas/page.ts'
import { findAutomaticShare, setAutomaticShare } from '../../quotas/requests/data/asking.ts'
import type { Resource } from '../../quotas/resources/data.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { optionalLine } from '../../web/fields.ts'
import { type Answer, act, type Call, reading } from '../contract/operation.ts'
import { Problem, pointerTo } from '../contract/problems.ts'
import { shownName } from '../contract/shapes.ts'

/** The largest amount that a limit can be. */
const mostAmount = 999_999_999

export const amountShape = z.int().min(0).max(mostAmount)

const quota = z
  .strictObject({
    resource: z.string().meta({ description: 'The key of the resource.', example: 'projects' }),
    name: shownName(),
    unit: z.string().meta({ description: 'Empty for what is counted one by one.' }),
    limit: z.int().nullable().meta({ description: 'Null without a limit of its own.' }),
    allocated: z.int().meta({ description: 'How much of it is allocated or in use.' }),
    available: z
      .int()
      .nullable()
      .meta({ description: 'How much can still be allocated, with the limits above; null if nothing limits it.' }),
    limited_by: z
      .strictObject({ level: z.enum(['pool', 'account', 'project']), name: shownName() })
      .nullable()
      .meta({ description: 'The nearest level with a limit; null if there is none.' }),
  })
  .meta({ id: 'Quota' })

export const quotaList = z.strictObject({ quotas: z.array(quota) }).meta({ id: 'Quotas' })

export const showQuota = ({ resource, own, bound, available }: Quota) => ({
  resource: resource.key,
  name: resource.name,
  unit: resource.unit,
  limit: own.limit,
  allocated: own.allocated,
  available: available,
  limited_by: bound ? { level: bound.level, name: bound.name } : null,
})

export const limitChange = z
  .strictObject({
    limits: z.record(z.string().max(50), amountShape.nullable()).meta({
      description: 'The new limits by the keys of their resources; null for none. What is left out stays.',
      example: { cores: 4 },
    }),
    remark: optionalLine(300).meta({ example: 'Contract 12' }),
  })
  .meta({ id: 'LimitChange' })

type Place = Pick<Call, 'db' | 'account' | 'request'>
type HolderOf = (call: Place) => Holder

const ofAccount: HolderOf = ({ account }) => ({ level: 'account', accountId: account.id })
const ofProject: HolderOf = ({ account, request }) => ({
  level: 'project',
  accountId: account.id,
  projectId: projectOf(request).id,
})
const ofPool: HolderOf = ({ account }) => ({ level: 'pool', accountId: account.id })
const ofCustomer: HolderOf = ({ request, db }) => ({ level: 'account', accountId: customerOf(request, db).id })

export const showQuotasOf = (holderOf: HolderOf) => (call: Place) => ({
  quotas: orNotFound(findQuotas(call.db, holderOf(call))).quotas.map(showQuota),
})

/** The amounts of a body by the numbers of their resources. Throws the problem of keys that are none. */
export function amountsOf<Amount>(
  quotas: { resource: Pick<Resource, 'id' | 'key'> }[],
  limits: Record<string, Amount>,
  pointer: string[],
): Map<number, Amount> {
  const ids = new Map(quotas.map(({ resource }) => [resource.key, resource.id]))
  const unknown = Object.keys(limits).filter((key) => !ids.has(key))
  if (unknown.length > 0)
    throw new Problem('invalid', undefined, {
      errors: unknown.map((key) => ({
        pointer: pointerTo([...pointer, key]),
        code: 'unknown',
        detail: 'There is no such resource here.',
      })),
    })
  return new Map(Object.entries(limits).map(([key, amount]) => [ids.get(key) ?? 0, amount]))
}

export function changeQuotasOf(holderOf: HolderOf) {
  return (call: Call<z.output<typeof limitChange>>): Answer | Problem => {
    const { db, by, request, body } = call
    const holder = holderOf(call)
    const { quotas, version } = orNotFound(findQuotas(db, holder))
    const amounts: Amounts = amountsOf(quotas, body.limits, ['limits'])
    const { mailContext: mail } = request.server
    const done = giveLimits(db, by, holder, { amounts, remark: body.remark, version, mail })
    if (typeof done === 'object')
      return new Problem('conflict', 'A level above does not have enough available.', {
        errors: done.shortages.map((shortage) => ({
          pointer: `#/limits/${shortage.resource.key}`,
          code: 'not-enough',
          detail: levelShortageWords(shortage, true),
        })),
      })
    return { status: 200, body: showQuotasOf(holderOf)(call) }
  }
}

const automatic = z
  .strictObject({
    share: z.int().min(1).max(100).nullable().meta({
      description: 'Requests for at most so many per cent more are approved at once; null: none.',
      example: 10,
    }),
  })
  .meta({ id: 'AutomaticApproval' })

const showAutomatic = ({ db, account }: Place) => ({ share: findAutomaticShare(db, account.id) })

const tag = 'Quotas' as const

export const quotaOperations = [
  reading({
    method: 'GET',
    path: '/accounts/{account}/quotas',
    can: 'quota.see',
    tag,
    summary: 'Read the quotas of the account',
    answer: quotaList,
    read: showQuotasOf(ofAccount),
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/projects/{project}/quotas',
    can: 'quota.see',
    tag,
    summary: 'Read the quotas of a project',
    answer: quotaList,
    read: showQuotasOf(ofProject),
  }),
  act({
    method: 'PUT',
    path: '/accounts/{account}/projects/{project}/quotas',
    can: 'project.limit',
    tag,
    summary: 'Set limits of a project',
    body: limitChange,
    answer: quotaList,
    status: 200,
    current: showQuotasOf(ofProject),
    do: changeQuotasOf(ofProject),
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/customers/{customer}/quotas',
    can: 'customer.see',
    tag,
    summary: 'Read the quotas of a customer',
    answer: quotaList,
    read: showQuotasOf(ofCustomer),
  }),
  act({
    method: 'PUT',
    path: '/accounts/{account}/customers/{customer}/quotas',
    can: 'customer.limit',
    tag,
    summary: 'Set limits of a customer',
    description: 'Lowering a limit never removes anything already in use.',
    body: limitChange,
    answer: quotaList,
    status: 200,
    current: showQuotasOf(ofCustomer),
    do: changeQuotasOf(ofCustomer),
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/pool',
    can: 'partner-quota.see',
    tag,
    summary: 'Read the partner’s pool',
    description: 'What its customers can be given together. Support sets it.',
    answer: quotaList,
    read: showQuotasOf(ofPool),
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/automatic-approval',
    can: 'partner-quota.see',
    tag,
    summary: 'Read which requests are approved automatically',
    answer: automatic,
    read: showAutomatic,
  }),
  act({
    method: 'PUT',
    path: '/accounts/{account}/automatic-approval',
    can: 'customer.limit',
    tag,
    summary: 'Set which requests are approved automatically',
    body: automatic,
    answer: automatic,
    status: 200,
    current: showAutomatic,
    do: (call) => {
      setAutomaticShare(call.db, call.by, call.account.id, call.body.share)
      return { status: 200, body: showAutomatic(call) }
    },
  }),
]
