import type { FastifyReply, FastifyRequest } from 'fastify'
import { apart } from '../../db/apart.ts'
import { asProjectId } from '../../db/ids.ts'
import type { ListQuery } from '../../db/list.ts'
import { type AccountKind, can } from '../../policy.ts'
import { countProjects, findProjectsById, listProjectChoices, withChosen } from '../../projects/data.ts'
import { roleName } from '../../roles.ts'
import { readId } from '../../web/fields.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { listAddress, readList } from '../../web/lists/list.ts'
import { readRemembered } from '../../web/lists/remembered.ts'
import { readInTurns } from '../../web/lists/turns.ts'
import { type Form, newForm } from '../../web/request/forms.ts'
import { invitationList, listInvitations } from '../invitations/data/listing.ts'
import { listMembers, memberList } from './data.ts'
import { type FactorFilter, listMembersWithFactors, memberListWithFactors } from './factors/data.ts'
import { memberViews } from './views.ts'

/** How many projects the invitation form offers; more are given under Account Settings → Projects. */
const choices = 10

/** What invitations are called in the address of the page that also lists the users. */
export const invitedPrefix = 'invited-'

/** The account's users and invitations, with the form that invites. */
export async function showMembers(
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
  const list = await readMembers(request)
  const invitations = listInvitations(db, account.id, readList(request, invitationList, invitedPrefix))
  return reply.page('accounts/members/index', {
    title: 'Users',
    form: form ?? newForm({ role: 'member', projectRole: 'user' }),
    problem,
    choices: withChosen(listProjectChoices(db, account.id, choices), findProjectsById(db, account.id, chosen)),
    projectCount: countProjects(db, account.id),
    views: memberViews(db, account.id, seesFactors(request)),
    list,
    invitations,
    address: usersAddress(list, invitations),
    now: now(),
  })
}

/** Who decides what an account asks of its users sees what they have: nobody else may know whose password alone is enough. */
const seesFactors = ({ viewer }: FastifyRequest) => can(viewer.standings, 'account.secure')

const factorsIn = ({ member, server }: FastifyRequest) => ({
  accountId: member.account.id,
  host: server.config.passkeyHost,
})

function readMembers(request: FastifyRequest) {
  const { db } = request.server
  if (!seesFactors(request)) return listMembers(db, request.member.account.id, readRemembered(request, memberList))
  const list = (query: ListQuery<FactorFilter>) => listMembersWithFactors(db, factorsIn(request), query)
  const query = readRemembered(request, memberListWithFactors)
  return query.filters.factor ? readInTurns(request, list, query) : list(query)
}

/** The list of users as a file, where it is asked for. */
export function downloadMembers(request: FastifyRequest, reply: FastifyReply) {
  const { db } = request.server
  return seesFactors(request)
    ? listDownload(request, reply, {
        spec: memberListWithFactors,
        list: (query) => listMembersWithFactors(db, factorsIn(request), query),
      })
    : listDownload(request, reply, {
        spec: memberList,
        list: (query) => listMembers(db, request.member.account.id, query),
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
