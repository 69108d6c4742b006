import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { hasRoom } from '../../quotas/arithmetic.ts'
import { projectQuota } from '../../quotas/data/limits.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { plural, withUnit } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import {
  deletedProjectList,
  findDeletedProject,
  listDeletedProjects,
  type RestoredProject,
  restoreProject,
} from './data.ts'

const nothing = z.strictObject({})

export default async function deletedProjectRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/customer/projects/deleted', { config: { can: 'project.delete' } }, async (request, reply) => {
    const { id } = request.member.account
    return (
      listDownload(request, reply, {
        spec: deletedProjectList,
        list: (query) => listDeletedProjects(db, id, query, app.now()),
      }) ?? show(request, reply)
    )
  })

  app.post(
    '/customer/projects/deleted/:project/restoration',
    { config: { can: 'project.delete', inAccount: true } },
    async (request, reply) => {
      const { account } = request.member
      const { project } = request.params as { project: string }
      const deleted = orNotFound(findDeletedProject(db, account.id, project, app.now()))
      readForm(nothing, request.body)
      const restored = orNotFound(restoreProject(db, actor(request), account.id, deleted.id))
      if (restored === 'limit')
        return show(
          request,
          reply.code(422),
          apart`There is no room for ${deleted.name}: restoring it needs a free project in the quota. Nothing was changed.`,
        )
      return reply.seeOther(`/projects/${deleted.identifier}`, wordsOf(restored))
    },
  )

  function show(request: FastifyRequest, reply: FastifyReply, problem = '') {
    const { id } = request.member.account
    return reply.page('projects/deletion/index', {
      title: 'Deleted projects',
      problem,
      full: !hasRoom(projectQuota(db, id)),
      list: listDeletedProjects(db, id, readList(request, deletedProjectList), app.now()),
    })
  }
}

function wordsOf({ project, people, reduced }: RestoredProject): string {
  const back =
    people === 0
      ? apart`${project.name} is restored. Nobody has access to it.`
      : apart`${project.name} is restored with ${plural(people, 'person', 'people')}.`
  if (reduced.length === 0) return back
  const less = reduced.map(
    ({ resource, was, now }) =>
      apart`${resource.name} ${withUnit(now, resource)} instead of ${withUnit(was, resource)}`,
  )
  return `${back} The account has less available than it had, so the project got less: ${less.join(', ')}.`
}
