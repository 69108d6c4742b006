import type { FastifyInstance } from 'fastify'
import type { ListQuery } from '../../db/list.ts'
import { canInProject } from '../../policy.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { listAccessOf } from '../access/data/listing.ts'
import { listProjects, projectList } from '../data.ts'
import { looker } from '../scope.ts'

/** How many people of each project Account Settings → Projects shows: the others are on the project's page. */
const peopleShown = 3

/** Account Settings → Projects: all projects of the account, with the people of each. */
export default async function projectSettingsRoutes(app: FastifyInstance) {
  const { db } = app

  app.get('/customer/projects', { config: { can: 'project.list' } }, async (request, reply) => {
    const { account } = request.member
    const read = (query: ListQuery) => listProjects(db, account.id, looker(request), query)
    const file = listDownload(request, reply, { spec: projectList, list: read })
    if (file) return file
    const list = read(readList(request, projectList))
    const ids = list.rows.map((project) => project.id)
    const access = listAccessOf(db, account.id, ids, peopleShown)
    return reply.page('projects/access/index', {
      title: 'Projects',
      list,
      projects: list.rows.map((project) => ({
        ...project,
        mayChange: canInProject(request.viewer.standings, project.role, 'access.change'),
        access: access.filter(({ projectId }) => projectId === project.id),
      })),
    })
  })
}
