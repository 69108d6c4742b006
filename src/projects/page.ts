import type { FastifyReply, FastifyRequest } from 'fastify'
import { asUserId } from '../db/ids.ts'
import { canInProject, type ProjectAction } from '../policy.ts'
import { limitForm, quotasOf } from '../quotas/page.ts'
import { readId } from '../web/fields.ts'
import { readList } from '../web/lists/list.ts'
import { type Form, newForm } from '../web/request/forms.ts'
import { accessList, listAccess, listCandidates } from './access/data/listing.ts'
import { projectOf } from './scope.ts'

/** How many people a choice offers at once; the others are found by search. */
const choices = 50

export type ProjectForms = { rename?: Form; give?: Form; limits?: Form; problem?: string }

/** A project’s page: its quota, its people, and for those who may the ways to change them. */
export function showProject(request: FastifyRequest, reply: FastifyReply, forms: ProjectForms = {}) {
  const { db } = request.server
  const { account } = request.member
  const project = projectOf(request)
  const find = String((request.query as Record<string, unknown>).find ?? '').slice(0, 200)
  const may = (action: ProjectAction) => canInProject(request.viewer.standings, project.role, action)
  // People already chosen stay among the choices when the form is shown again.
  const chosen = [forms.give?.values.people ?? []]
    .flat()
    .flatMap((id) => readId(id) ?? [])
    .map(asUserId)
  const candidates = may('access.change')
    ? listCandidates(db, { accountId: account.id, projectId: project.id }, { q: find, limit: choices + 1, chosen })
    : []
  const limits = quotasOf(request, { level: 'project', accountId: account.id, projectId: project.id })
  return reply.page('projects/show', {
    title: project.name,
    project,
    quotas: limits.quotas,
    limitForm: forms.limits ?? limitForm(limits),
    mayRename: may('project.rename'),
    mayChangeAccess: may('access.change'),
    find,
    candidates: candidates.slice(0, choices),
    moreCandidates: candidates.length > choices,
    list: listAccess(db, account.id, project.id, readList(request, accessList)),
    renameForm: forms.rename ?? newForm({ name: project.name, version: String(project.version) }),
    giveForm: forms.give ?? newForm({ role: 'user' }),
    problem: forms.problem ?? '',
  })
}
