import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { deleteProject } from '../deletion/data.ts'
import { projectOf } from '../scope.ts'

const removal = z.strictObject({ identifier: z.string().trim().default('') })

export default async function projectRemovalRoutes(app: FastifyInstance) {
  const { db } = app

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
        const deleted = orNotFound(deleteProject(db, actor(request), request.member.account.id, project.id))
        return reply.seeOther('/projects', apart`${deleted.name} was deleted.`)
      }
      form.errors.identifier = `Type ${project.identifier} to delete the project.`
      return showRemoval(request, reply.code(422), form)
    },
  )

  function showRemoval(request: FastifyRequest, reply: FastifyReply, form: Form) {
    const project = projectOf(request)
    return reply.page('projects/removal', { title: apart`Delete ${project.name}`, project, form })
  }
}
