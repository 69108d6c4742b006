import * as z from 'zod'
import { supportedAccount } from '../../accounts/scope.ts'
import { leftToSupport } from '../../quotas/page.ts'
import {
  addResource,
  changeResource,
  countedResource,
  findResource,
  listResources,
  mostResources,
  type Resource,
  removeResource,
} from '../../quotas/resources/data.ts'
import { resourceKey, resourceWords } from '../../quotas/resources/fields.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { act, type Call, reading } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { shownName } from '../contract/shapes.ts'
import { decidingOperations } from './deciding.ts'
import { changeQuotasOf, limitChange, quotaList, showQuotasOf } from './quotas.ts'

const resource = z
  .strictObject({
    key: z.string().meta({ description: 'Never changes.', example: 'snapshots' }),
    name: shownName(),
    unit: z.string().meta({ description: 'Empty for what is counted one by one.' }),
  })
  .meta({ id: 'Resource' })

const showResource = ({ key, name, unit }: Resource) => ({ key, name, unit })

type Place = Pick<Call, 'db' | 'request'>
const resourceAt = ({ db, request }: Place) => orNotFound(findResource(db, (request.params as { key: string }).key))
const show = (call: Place) => showResource(resourceAt(call))

const ofAccount = ({ request }: Place) => ({ level: 'account', accountId: supportedAccount(request).id }) as const
/** Its limits are its partner’s while that can act. */
const leftOver = (call: Place) => {
  const holder = ofAccount(call)
  leftToSupport(call.db, holder.accountId)
  return holder
}
const ofPool = ({ request }: Place) => ({ level: 'pool', accountId: supportedAccount(request).id }) as const

const account = '/support/accounts/{identifier}' as const
const path = '/support/resources' as const
const tag = 'Support: quotas' as const
const see = { can: 'support.see', tag, method: 'GET' } as const
const change = { can: 'support.quota', tag } as const
const quotas = { answer: quotaList, body: limitChange, status: 200, method: 'PUT' } as const

export const supportQuotaOperations = [
  reading({
    ...see,
    path: `${account}/quotas`,
    summary: 'Read the quotas of any account',
    answer: quotaList,
    read: showQuotasOf(ofAccount),
  }),
  act({
    ...change,
    ...quotas,
    path: `${account}/quotas`,
    summary: 'Set limits of an account that Support looks after',
    description: 'Lowering a limit never removes anything already in use.',
    current: showQuotasOf(leftOver),
    do: changeQuotasOf(leftOver),
  }),
  reading({
    ...see,
    path: `${account}/pool`,
    summary: 'Read the pool of a partner',
    answer: quotaList,
    read: showQuotasOf(ofPool),
  }),
  act({
    ...change,
    ...quotas,
    path: `${account}/pool`,
    summary: 'Set the pool of a partner',
    current: showQuotasOf(ofPool),
    do: changeQuotasOf(ofPool),
  }),
  ...decidingOperations({
    path: '/support/quota-requests',
    see: 'support.see',
    change: 'support.quota',
    tag,
    of: 'account',
    partnerId: () => null,
  }),
  reading({
    ...see,
    path,
    summary: 'List the resources',
    description: `What can be limited. All of them at once: there are ${mostResources} at most.`,
    answer: z.strictObject({ data: z.array(resource).max(mostResources) }).meta({ id: 'Resources' }),
    read: ({ db }) => ({ data: listResources(db).map(showResource) }),
  }),
  act({
    ...change,
    method: 'POST',
    path,
    summary: 'Add a resource',
    body: z.strictObject({ key: resourceKey(), ...resourceWords }).meta({ id: 'NewResource' }),
    answer: resource,
    status: 201,
    do: ({ db, by, body }) => {
      const added = addResource(db, by, body)
      if (added === 'full') return new Problem('conflict', `The catalogue holds ${mostResources} resources at most.`)
      if (added === 'taken') return new Problem('conflict', 'The catalogue has a resource with this key.')
      return { status: 201, location: `${path}/${added.key}`, body: showResource(added) }
    },
  }),
  reading({ ...see, path: `${path}/{key}`, summary: 'Read a resource', answer: resource, read: show }),
  act({
    ...change,
    method: 'PATCH',
    path: `${path}/{key}`,
    summary: 'Rename a resource or change its unit',
    body: z
      .strictObject({ name: resourceWords.name.optional(), unit: resourceWords.unit.optional() })
      .meta({ id: 'ResourceChange' }),
    answer: resource,
    status: 200,
    current: show,
    do: (call) => {
      const { key, name, unit, version } = resourceAt(call)
      const { body } = call
      orNotFound(changeResource(call.db, call.by, key, { name: body.name ?? name, unit: body.unit ?? unit, version }))
      return { status: 200, body: show(call) }
    },
  }),
  act({
    ...change,
    method: 'DELETE',
    path: `${path}/{key}`,
    summary: 'Remove a resource',
    description: 'Only one that no limit, request or plan names.',
    status: 204,
    current: show,
    do: (call) => {
      const { key, name } = resourceAt(call)
      if (removeResource(call.db, call.by, key)) return { status: 204 }
      return new Problem(
        'conflict',
        key === countedResource
          ? `${name} are counted by the panel itself, so they stay.`
          : `${name} stays: limits, requests or plans name it.`,
      )
    },
  }),
]
