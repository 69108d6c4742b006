import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { caretakerOf } from '../accounts/data/caretaker.ts'
import { apart } from '../db/apart.ts'
import type { ListQuery } from '../db/list.ts'
import { hasRoom } from '../quotas/arithmetic.ts'
import { projectQuota } from '../quotas/data/limits.ts'
import { orNotFound } from '../web/answer/errors.ts'
import { identifier, projectName, version, withIdentifier } from '../web/fields.ts'
import { listDownload } from '../web/lists/csv.ts'
import { readRemembered } from '../web/lists/remembered.ts'
import { type Form, newForm, readForm } from '../web/request/forms.ts'
import { actor } from '../web/request/viewer.ts'
import { freeWords, inThisAccount, takenWords } from '../web/taken.ts'
import { accessList, listAccess } from './access/data/listing.ts'
import { createProject, listProjects, projectList, proposeProjectIdentifier, renameProject } from './data.ts'
import { showProject } from './page.ts'
import { looker, projectOf } from './scope.ts'

const newProject = z.strictObject({ name: projectName(), identifier: identifier() }).transform(withIdentifier)
const rename = z.strictObject({ name: projectName(), version: version() })

export default async function projectRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/projects', { config: { can: 'project.list' } }, async (request, reply) => {
    const { id } = request.member.account
    const list = (query: ListQuery) => listProjects(db, id, looker(request), query)
    return listDownload(request, reply, { spec: projectList, list }) ?? showDashboard(request, reply)
  })

  app.post('/projects', { config: { can: 'project.create', inAccount: true } }, async (request, reply) => {
    const { account, user } = request.member
    const form = readForm(newProject, request.body)
    if (form.input) {
      const created = createProject(db, actor(request), { accountId: account.id, userId: user.id }, form.input)
      if (created === 'limit') return showDashboard(request, reply.code(422), form)
      if (created !== 'taken')
        return reply.seeOther(
          `/projects/${created.identifier}`,
          apart`${created.name} was created. You are its Project Admin.`,
        )
      const free = proposeProjectIdentifier(db, account.id, form.input.identifier)
      form.values.identifier ||= form.input.identifier
      form.errors.identifier = `${takenWords(form.input.identifier, inThisAccount)} ${freeWords(free)}`
    }
    return showDashboard(request, reply.code(422), form)
  })

  app.get('/projects/:project', { config: { can: 'project.see' } }, async (request, reply) => {
    projectOf(request)
    const list = (query: ListQuery) => listAccess(db, request.member.account.id, projectOf(request).id, query)
    return listDownload(request, reply, { spec: accessList, list }) ?? showProject(request, reply)
  })

  app.post(
    '/projects/:project/name',
    { config: { can: 'project.rename', inAccount: true } },
    async (request, reply) => {
      const project = projectOf(request, 'project.rename')
      const form = readForm(rename, request.body)
      if (!form.input) return showProject(request, reply.code(422), { rename: form })
      const { name, version } = form.input
      const renamed = orNotFound(
        renameProject(
          db,
          actor(request),
          { accountId: request.member.account.id, projectId: project.id },
          { name, version },
        ),
      )
      if (renamed !== 'stale') {
        return reply.seeOther(
          `/projects/${project.identifier}`,
          renamed === 'saved'
            ? apart`The project is called ${name} now.`
            : apart`The project is already called ${name}. Nothing was changed.`,
        )
      }
      form.errors.name = apart`Somebody has renamed the project to “${project.name}”. Save again to call it “${name}”.`
      form.values.version = String(project.version)
      return showProject(request, reply.code(409), { rename: form })
    },
  )

  function showDashboard(request: FastifyRequest, reply: FastifyReply, form?: Form) {
    const { account } = request.member
    const quota = projectQuota(db, account.id)
    return reply.page('projects/index', {
      title: 'Projects',
      quota,
      full: !hasRoom(quota),
      caretaker: hasRoom(quota) ? null : caretakerOf(db, account),
      form: form ?? newForm(),
      list: listProjects(db, account.id, looker(request), readRemembered(request, projectList)),
    })
  }
}
