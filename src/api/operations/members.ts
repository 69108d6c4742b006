import * as z from 'zod'
import {
  changeRole,
  findMember,
  listMembers,
  type Member,
  memberList,
  type Refused,
  removeMember,
} from '../../accounts/members/data.ts'
import { tellRemoved, tellRole } from '../../accounts/notices/data/notices.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { userIdOf } from '../../web/request/address.ts'
import { act, type Call, listing, reading } from '../contract/operation.ts'
import { Problem } from '../contract/problems.ts'
import { accountRole, shownName, shownTime, shownTimeOrNull, timeOf } from '../contract/shapes.ts'

export const memberShape = z
  .strictObject({
    id: z.int(),
    name: shownName(),
    email: z.string(),
    role: accountRole,
    is_of_partner: z.boolean().meta({ description: 'One of the partner’s people, in one of its customers.' }),
    is_disabled: z.boolean().meta({ description: 'Support has disabled the user, who cannot log in.' }),
    joined_at: timeOf('When the user joined the account.'),
    last_seen_at: timeOf('When the user last used the panel; null if never.').nullable(),
  })
  .meta({ id: 'Member' })

export const showMember = (one: Member) => ({
  id: one.userId,
  name: one.name,
  email: one.email,
  role: one.role,
  is_of_partner: one.fromPartner,
  is_disabled: one.disabledAt !== null,
  joined_at: shownTime(one.joinedAt),
  last_seen_at: shownTimeOrNull(one.lastSeenAt),
})

type Place = Pick<Call, 'db' | 'account' | 'request'>
const theMember = ({ db, account, request }: Place) => orNotFound(findMember(db, account.id, userIdOf(request)))
const show = (call: Place) => showMember(theMember(call))
const lastAdmin = () => new Problem('conflict', 'The account would be left without an admin who can log in.')

export const memberOperations = [
  listing({
    method: 'GET',
    path: '/accounts/{account}/members',
    can: 'people.see',
    tag: 'Users',
    summary: 'List the users',
    spec: memberList,
    row: memberShape,
    list: ({ db, account }, query) => listMembers(db, account.id, query),
    show: showMember,
  }),
  reading({
    method: 'GET',
    path: '/accounts/{account}/members/{user}',
    can: 'people.see',
    tag: 'Users',
    summary: 'Read a user',
    answer: memberShape,
    read: show,
  }),
  act({
    method: 'PATCH',
    path: '/accounts/{account}/members/{user}',
    can: 'member.change',
    tag: 'Users',
    summary: 'Change a user’s role',
    description: 'Pending invitations that a former admin sent end with the role.',
    body: z.strictObject({ role: accountRole }).meta({ id: 'MemberChange' }),
    answer: memberShape,
    status: 200,
    current: show,
    do: (call) => {
      const { db, by, account, request, body } = call
      const before = theMember(call)
      const ids = { accountId: account.id, userId: before.userId }
      const changed: Refused | object = orNotFound(
        changeRole(db, by, ids, { role: body.role, version: before.version }),
      )
      if (changed === 'last-admin') return lastAdmin()
      if (before.role !== body.role)
        tellRole(db, by, { accountId: account.id, person: before, role: body.role }, request.server.mailContext)
      return { status: 200, body: show(call) }
    },
  }),
  act({
    method: 'DELETE',
    path: '/accounts/{account}/members/{user}',
    can: 'member.change',
    tag: 'Users',
    summary: 'Remove a user from the account',
    description: 'Project access, requests and pending invitations of the user in this account end.',
    status: 204,
    current: show,
    do: (call) => {
      const { db, by, account, request } = call
      const { userId } = theMember(call)
      const removed = orNotFound(removeMember(db, by, { accountId: account.id, userId }, { exit: 'member.removed' }))
      if (removed === 'last-admin') return lastAdmin()
      tellRemoved(db, by, { accountId: account.id, person: removed }, request.server.mailContext)
      return { status: 204 }
    },
  }),
]
