import type { FastifyReply, FastifyRequest } from 'fastify'
import { apart } from '../db/apart.ts'
import { asUserId } from '../db/ids.ts'
import { canInProject, type ProjectAction } from '../policy.ts'
import { limitForm } from '../quotas/fields.ts'
import { quotasOf } from '../quotas/page.ts'
import { readId } from '../web/fields.ts'
import { readList } from '../web/lists/list.ts'
import { type Form, newForm } from '../web/request/forms.ts'
import { accessList, type Candidate, listAccess, listCandidates } from './access/data/listing.ts'
import type { SeenProject } from './data.ts'
import { projectOf } from './scope.ts'

/** How many people a choice offers at once; the others are found by search. */
const choices = 50

export type ProjectForms = { rename?: Form; give?: Form; limits?: Form; problem?: string }

/** A project’s page: its quota, its people, and for those who may the ways to change them. */
export function showProject(request: FastifyRequest, reply: FastifyReply, forms: ProjectForms = {}) {
  const { db } = request.server
  const { account } = request.member
  const project = projectOf(request)
  const may = (action: ProjectAction) => canInProject(request.viewer.standings, project.role, action)
  const limits = quotasOf(request, { level: 'project', accountId: account.id, projectId: project.id })
  return reply.page('projects/show', {
    title: project.name,
    project,
    quotas: limits.quotas,
    limitForm: forms.limits ?? limitForm(limits),
    mayRename: may('project.rename'),
    mayChangeAccess: may('access.change'),
    ...(may('access.change') ? candidatesOf(request, project, forms.give) : noCandidates),
    list: listAccess(db, account.id, project.id, readList(request, accessList)),
    renameForm: forms.rename ?? newForm({ name: project.name, version: String(project.version) }),
    giveForm: forms.give ?? newForm({ role: 'user' }),
    problem: forms.problem ?? '',
  })
}

const noCandidates = { find: '', candidates: [] as Candidate[], moreCandidates: false }

/** The users who can be given access, as `?find=` narrows them down. People already chosen stay among them. */
function candidatesOf(request: FastifyRequest, project: SeenProject, form?: Form): typeof noCandidates {
  const { db } = request.server
  const find = String((request.query as Record<string, unknown>).find ?? '').slice(0, 200)
  const chosen = [form?.values.people ?? []]
    .flat()
    .flatMap((id) => readId(id) ?? [])
    .map(asUserId)
  const seat = { accountId: request.member.account.id, projectId: project.id }
  const candidates = listCandidates(db, seat, { q: find, limit: choices + 1, chosen })
  return { find, candidates: candidates.slice(0, choices), moreCandidates: candidates.length > choices }
}

/** The page that gives access, for who comes from Account Settings → Projects. */
export function showGiving(request: FastifyRequest, reply: FastifyReply, form = newForm({ role: 'user' })) {
  const project = projectOf(request, 'access.change')
  return reply.page('projects/access/giving', {
    title: apart`Give access to ${project.name}`,
    project,
    form,
    from: 'settings',
    ...candidatesOf(request, project, form),
  })
}
