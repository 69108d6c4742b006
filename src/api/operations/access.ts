import * as z from 'zod'
import { changeAccess, findAccess, giveAccess, removeAccess } from '../../projects/access/data/giving.ts'
import { type Access, accessList, listAccess } from '../../projects/access/data/listing.ts'
import { projectOf } from '../../projects/scope.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { userIdOf } from '../../web/request/address.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { projectRole, shownName } from '../contract/shapes.ts'

const access = z
  .strictObject({
    id: z.int().meta({ description: 'The number of the user.' }),
    name: shownName(),
    email: z.string(),
    role: projectRole,
  })
  .meta({ id: 'Access' })

const showAccess = ({ userId, name, email, role }: Access) => ({ id: userId, name, email, role })

type Place = Pick<Call, 'db' | 'account' | 'request'>
const seatOf = ({ account, request }: Place) => ({
  accountId: account.id,
  projectId: projectOf(request, request.method === 'GET' ? undefined : 'access.change').id,
  userId: userIdOf(request),
})
const show = (call: Place) => showAccess(orNotFound(findAccess(call.db, seatOf(call))))

const path = '/accounts/{account}/projects/{project}/access' as const
const tag = 'Project access' as const

export const accessOperations = [
  listing({
    method: 'GET',
    path,
    can: 'project.see',
    tag,
    summary: 'List who has access to a project',
    spec: accessList,
    row: access,
    list: ({ db, account, request }, query) => listAccess(db, account.id, projectOf(request).id, query),
    show: showAccess,
  }),
  reading({
    method: 'GET',
    path: `${path}/{user}`,
    can: 'project.see',
    tag,
    summary: 'Read a user’s access to a project',
    answer: access,
    read: show,
  }),
  act({
    method: 'PUT',
    path: `${path}/{user}`,
    can: 'access.change',
    tag,
    summary: 'Give access to a project, or change the role',
    description:
      'For admins of the account, and for Project Admins in their project. The user must be a user of the account.',
    body: z.strictObject({ role: projectRole }).meta({ id: 'AccessChange' }),
    answer: access,
    status: 200,
    current: (call) => {
      const now = findAccess(call.db, seatOf(call))
      return now && showAccess(now)
    },
    do: (call) => {
      const { db, by, body } = call
      const { userId, ...place } = seatOf(call)
      const before = findAccess(db, { ...place, userId })
      if (before) changeAccess(db, by, { ...place, userId }, { role: body.role, version: before.version })
      else orNotFound(giveAccess(db, by, place, { userIds: [userId], role: body.role }))
      return { status: 200, body: show(call) }
    },
  }),
  act({
    method: 'DELETE',
    path: `${path}/{user}`,
    can: 'access.change',
    tag,
    summary: 'Remove access to a project',
    status: 204,
    current: show,
    do: (call) => {
      orNotFound(removeAccess(call.db, call.by, seatOf(call)))
      return { status: 204 }
    },
  }),
]
