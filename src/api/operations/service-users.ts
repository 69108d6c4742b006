import * as z from 'zod'
import {
  changeServiceUser,
  createServiceUser,
  findServiceUser,
  listServiceUsers,
  mostServiceUsers,
  removeServiceUser,
  type ServiceUser,
  serviceUserList,
} from '../../accounts/service-users/data.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { serviceUserName } from '../../web/fields.ts'
import { serviceUserIdOf } from '../../web/request/address.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { accountRole, shownName, shownTime, shownTimeOrNull, timeOf } from '../contract/shapes.ts'

const tag = 'Service users'
const path = '/accounts/{account}/service-users'

const serviceUserShape = z
  .strictObject({
    id: z.int(),
    name: shownName(),
    role: accountRole,
    tokens: z.int().min(0).meta({ description: 'How many tokens it has that nobody has ended.' }),
    created_at: timeOf('When it was created.'),
    last_used_at: timeOf('When a token of it was last used; null if never.').nullable(),
  })
  .meta({ id: 'ServiceUser' })

const showServiceUser = (one: ServiceUser) => ({
  id: one.userId,
  name: one.name,
  role: one.role,
  tokens: one.tokens,
  created_at: shownTime(one.createdAt),
  last_used_at: shownTimeOrNull(one.lastUsedAt),
})

type Place = Pick<Call, 'db' | 'account' | 'request'>
const theServiceUser = ({ db, account, request }: Place) =>
  orNotFound(findServiceUser(db, account.id, serviceUserIdOf(request)))
const show = (call: Place) => showServiceUser(theServiceUser(call))

const newName = () => serviceUserName().meta({ description: 'Up to 100 characters.', example: 'Shop' })

export const serviceUserOperations = [
  listing({
    method: 'GET',
    path,
    can: 'service-user.see',
    tag,
    summary: 'List the service users',
    description: 'A service user is for a program: it has a role and tokens, but no e-mail and no login.',
    spec: serviceUserList,
    row: serviceUserShape,
    list: ({ db, account }, query) => listServiceUsers(db, account.id, query),
    show: showServiceUser,
  }),
  act({
    method: 'POST',
    path,
    can: 'service-user.change',
    tag,
    summary: 'Create a service user',
    description: 'Its tokens are created on its page, where a person proves who they are.',
    body: z.strictObject({ name: newName(), role: accountRole }).meta({ id: 'NewServiceUser' }),
    answer: serviceUserShape,
    status: 201,
    do: ({ db, by, account, body }) => {
      const made = createServiceUser(db, by, account.id, body)
      if (made === 'full') return new Problem('conflict', `An account has at most ${mostServiceUsers} service users.`)
      const location = `/accounts/${account.identifier}/service-users/${made.userId}`
      return { status: 201, location, body: showServiceUser(made) }
    },
  }),
  reading({
    method: 'GET',
    path: `${path}/{serviceUser}`,
    can: 'service-user.see',
    tag,
    summary: 'Read a service user',
    answer: serviceUserShape,
    read: show,
  }),
  act({
    method: 'PATCH',
    path: `${path}/{serviceUser}`,
    can: 'service-user.change',
    tag,
    summary: 'Rename a service user or change its role',
    description: 'Pending invitations that a former admin sent end with the role.',
    body: z
      .strictObject({ name: newName().optional(), role: accountRole.optional() })
      .meta({ id: 'ServiceUserChange' }),
    answer: serviceUserShape,
    status: 200,
    current: show,
    do: (call) => {
      const { db, by, account, body } = call
      const { userId, name, role, version } = theServiceUser(call)
      const edit = { name: body.name ?? name, role: body.role ?? role, version }
      orNotFound(changeServiceUser(db, by, { accountId: account.id, userId }, edit))
      return { status: 200, body: show(call) }
    },
  }),
  act({
    method: 'DELETE',
    path: `${path}/{serviceUser}`,
    can: 'service-user.change',
    tag,
    summary: 'Remove a service user',
    description: 'Its tokens, the invitations that it sent and its open requests end with it.',
    status: 204,
    current: show,
    do: (call) => {
      const { db, by, account } = call
      orNotFound(removeServiceUser(db, by, { accountId: account.id, userId: theServiceUser(call).userId }))
      return { status: 204 }
    },
  }),
]
