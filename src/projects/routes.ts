import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { countAccess, listAccess, listCandidates } from '../access/data.ts'
import { can, canInProject, type ProjectAction } from '../policy.ts'
import { forbidden, found } from '../web/errors.ts'
import { identifier, line, version, withIdentifier } from '../web/fields.ts'
import { type Form, newForm, readForm } from '../web/forms.ts'
import { paged, readList } from '../web/list.ts'
import { actor } from '../web/viewer.ts'
import {
  countProjects,
  createProject,
  deleteProject,
  findProject,
  type Looker,
  limitReached,
  listProjects,
  projectUse,
  proposeProjectIdentifier,
  renameProject,
  type SeenProject,
} from './data.ts'

const projectName = () => line('Enter the project’s name.', 100)
const newProject = z.strictObject({ name: projectName(), identifier: identifier() }).transform(withIdentifier)
const rename = z.strictObject({ name: projectName(), version: version() })
const removal = z.strictObject({ identifier: z.string().trim().default('') })

/** How many people a choice offers at once; the others are found by search. */
const choices = 50

export function looker(request: FastifyRequest): Looker {
  return { userId: request.signedIn.id, seesAll: can(request.viewer.standings, 'project.see-all') }
}

/** The project that the address names, if the viewer sees it: 404 otherwise, 403 when the project role lacks the right. */
export function projectOf(request: FastifyRequest, action?: ProjectAction): SeenProject {
  const { project } = request.params as { project: string }
  const seen = found(findProject(request.server.db, request.member.account.id, looker(request), project))
  if (action && !canInProject(request.viewer.standings, seen.role, action)) throw forbidden()
  return seen
}

export type ProjectForms = { rename?: Form; give?: Form; problem?: string }

/** A project’s page: its quota, its people, and for those who may the ways to change them. */
export function showProject(request: FastifyRequest, reply: FastifyReply, forms: ProjectForms = {}) {
  const { db } = request.server
  const { account } = request.member
  const project = projectOf(request)
  const query = readList(request.query)
  const find = String((request.query as Record<string, unknown>).find ?? '').slice(0, 200)
  const may = (action: ProjectAction) => canInProject(request.viewer.standings, project.role, action)
  const candidates = may('access.change') ? listCandidates(db, account.id, project.id, find, choices + 1) : []
  return reply.page('projects/show', {
    title: project.name,
    project,
    use: projectUse(db, account.id),
    mayRename: may('project.rename'),
    mayChangeAccess: may('access.change'),
    find,
    candidates: candidates.slice(0, choices),
    moreCandidates: candidates.length > choices,
    list: paged(query, countAccess(db, account.id, project.id, query.q), (limit, offset) =>
      listAccess(db, account.id, project.id, query.q, limit, offset),
    ),
    renameForm: forms.rename ?? newForm({ name: project.name, version: String(project.version) }),
    giveForm: forms.give ?? newForm({ role: 'user' }),
    problem: forms.problem ?? '',
  })
}

export default async function projectRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/projects', { config: { can: 'project.list' } }, async (request, reply) => showDashboard(request, reply))

  app.post('/projects', { config: { can: 'project.create', inAccount: true } }, async (request, reply) => {
    const { account, user } = request.member
    const form = readForm(newProject, request.body)
    if (form.input) {
      const created = createProject(db, actor(request), account.id, user.id, form.input)
      if (created === 'limit') return showDashboard(request, reply.code(422), form)
      if (created !== 'taken')
        return reply.seeOther(
          `/projects/${created.identifier}`,
          `${created.name} was created. You are its Project Admin.`,
        )
      const free = proposeProjectIdentifier(db, account.id, form.input.identifier)
      form.values.identifier ||= form.input.identifier
      form.errors.identifier = `“${form.input.identifier}” is taken in this account, or was once. “${free}” is free.`
    }
    return showDashboard(request, reply.code(422), form)
  })

  app.get('/projects/:project', { config: { can: 'project.see' } }, async (request, reply) =>
    showProject(request, reply),
  )

  app.post(
    '/projects/:project/name',
    { config: { can: 'project.rename', inAccount: true } },
    async (request, reply) => {
      const project = projectOf(request, 'project.rename')
      const form = readForm(rename, request.body)
      if (!form.input) return showProject(request, reply.code(422), { rename: form })
      const { name, version } = form.input
      if (renameProject(db, actor(request), request.member.account.id, project.id, name, version)) {
        return reply.seeOther(`/projects/${project.identifier}`, `The project is called ${name} now.`)
      }
      form.errors.name = `Somebody has renamed the project to “${project.name}” meanwhile. Save again to call it “${name}”.`
      form.values.version = String(project.version)
      return showProject(request, reply.code(409), { rename: form })
    },
  )

  app.get('/projects/:project/removal', { config: { can: 'project.delete' } }, async (request, reply) =>
    showRemoval(request, reply, newForm()),
  )

  app.post(
    '/projects/:project/removal',
    { config: { can: 'project.delete', inAccount: true } },
    async (request, reply) => {
      const project = projectOf(request)
      const form = readForm(removal, request.body)
      if (form.input?.identifier === project.identifier) {
        deleteProject(db, actor(request), request.member.account.id, project.id)
        return reply.seeOther('/projects', `${project.name} was deleted.`)
      }
      form.errors.identifier = `Type ${project.identifier} to delete the project.`
      return showRemoval(request, reply.code(422), form)
    },
  )

  function showRemoval(request: FastifyRequest, reply: FastifyReply, form: Form) {
    const project = projectOf(request)
    return reply.page('projects/removal', { title: `Delete ${project.name}`, project, form })
  }

  function showDashboard(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    const { account } = request.member
    const query = readList(request.query)
    const who = looker(request)
    const use = projectUse(db, account.id)
    return reply.page('projects/index', {
      title: 'Projects',
      use,
      full: limitReached(use),
      form: form ?? newForm(),
      list: paged(query, countProjects(db, account.id, who, query.q), (limit, offset) =>
        listProjects(db, account.id, who, query.q, limit, offset),
      ),
    })
  }
}
