import type { FastifyInstance } from 'fastify'
import { firstPage } from '../db/list.ts'
import { countInvitationsTo, listInvitationsTo } from '../invitations/data.ts'
import { countPendingRequests } from '../partnership/data.ts'
import { can } from '../policy.ts'
import { listProjects, projectList } from '../projects/data.ts'
import { countOpenRequests, findOpenRequest, listOpenRequests } from '../quota-requests/data.ts'

const shown = 10

export default async function homeRoutes(app: FastifyInstance) {
  app.get('/', { config: { can: 'home.see' } }, async (request, reply) => {
    const { db, now } = app
    const { viewer, signedIn } = request
    const { account } = viewer
    const own = { userId: signedIn.id, seesAll: false }
    const inAccount = account && can(viewer.standings, 'project.list')
    return reply.page('home/index', {
      title: 'Home',
      invitations: listInvitationsTo(db, signedIn.email, now(), shown),
      invitationCount: countInvitationsTo(db, signedIn.email, now()),
      requests: can(viewer.standings, 'support.see') ? countPendingRequests(db) : 0,
      quotaRequests: {
        toDecide: can(viewer.standings, 'customer.limit') && account ? countOpenRequests(db, account.id) : 0,
        ofSupport: can(viewer.standings, 'support.quota') ? listOpenRequests(db, null, shown) : [],
        own: can(viewer.standings, 'quota.request') && account ? (findOpenRequest(db, account.id) ?? null) : null,
      },
      projects: inAccount ? listProjects(db, account.id, own, firstPage(projectList, shown)) : null,
    })
  })
}
