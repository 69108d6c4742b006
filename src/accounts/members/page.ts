import type { FastifyReply, FastifyRequest } from 'fastify'
import { apart } from '../../db/apart.ts'
import { asProjectId } from '../../db/ids.ts'
import type { AccountKind } from '../../policy.ts'
import { countProjects, findProjectsById, listProjectChoices, withChosen } from '../../projects/data.ts'
import { roleName } from '../../roles.ts'
import { readId } from '../../web/fields.ts'
import { listAddress, readList } from '../../web/lists/list.ts'
import { readRemembered } from '../../web/lists/remembered.ts'
import { type Form, newForm } from '../../web/request/forms.ts'
import { invitationList, listInvitations } from '../invitations/data/listing.ts'
import { listMembers, memberList } from './data.ts'
import { memberViews } from './views.ts'

/** How many projects the invitation form offers; more are given under Account Settings → Projects. */
const choices = 10

/** What invitations are called in the address of the page that also lists the users. */
export const invitedPrefix = 'invited-'

/** The account's users and invitations, with the form that invites. */
export function showMembers(
  request: FastifyRequest,
  reply: FastifyReply,
  { form, problem = '' }: { form?: Form; problem?: string } = {},
) {
  const { db, now } = request.server
  const { account } = request.member
  const chosen = [form?.values.projects ?? []]
    .flat()
    .flatMap((id) => readId(id) ?? [])
    .map(asProjectId)
  const list = listMembers(db, account.id, readRemembered(request, memberList))
  const invitations = listInvitations(db, account.id, readList(request, invitationList, invitedPrefix))
  return reply.page('accounts/members/index', {
    title: 'Users',
    form: form ?? newForm({ role: 'member', projectRole: 'user' }),
    problem,
    choices: withChosen(listProjectChoices(db, account.id, choices), findProjectsById(db, account.id, chosen)),
    projectCount: countProjects(db, account.id),
    views: memberViews(db, account.id),
    list,
    invitations,
    address: usersAddress(list, invitations),
    now: now(),
  })
}

type Shown = Parameters<typeof listAddress>[1]

/** The address of the page with both of its lists as they are. */
export function usersAddress(list: Shown, invitations: Shown): string {
  const [path = '', ...query] = listAddress('/customer/users', list, '', list.cursor).split('?')
  const invited = listAddress('', invitations, invitedPrefix, invitations.cursor).slice(1)
  const whole = [...query, invited].filter(Boolean).join('&')
  return whole ? `${path}?${whole}` : path
}

/** Why the last admin can neither leave nor get another role. */
export const lastAdminWords = (account: { name: string; kind: AccountKind }) =>
  apart`${account.name} keeps at least one ${roleName(account.kind, 'admin')}. Make somebody else one first.`
