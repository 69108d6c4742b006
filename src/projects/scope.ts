import type { FastifyRequest } from 'fastify'
import { can, canInProject, type ProjectAction } from '../policy.ts'
import { forbidden, orNotFound } from '../web/answer/errors.ts'
import { findProject, type Looker, type SeenProject } from './data.ts'

export function looker(request: FastifyRequest): Looker {
  return { userId: request.signedIn.id, seesAll: can(request.viewer.standings, 'project.see-all') }
}

/** The project that the address names, if the viewer sees it: 404 otherwise, 403 when the project role lacks the right. */
export function projectOf(request: FastifyRequest, action?: ProjectAction): SeenProject {
  const { project } = request.params as { project: string }
  const current = orNotFound(findProject(request.server.db, request.member.account.id, looker(request), project))
  if (action && !canInProject(request.viewer.standings, current.role, action)) throw forbidden()
  return current
}
