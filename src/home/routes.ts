import type { FastifyInstance } from 'fastify'
import { listDeletedAccounts } from '../accounts/data.ts'
import { overdue } from '../backups/folder.ts'
import { countCustomersAt, listAttention } from '../customers/data.ts'
import { firstPage } from '../db/list.ts'
import type { Db } from '../db/open.ts'
import { countInvitationsTo, listInvitationsTo } from '../invitations/data.ts'
import { caretakerOf } from '../partner-ties/caretaker.ts'
import { countPendingRequests, findPendingRequest } from '../partnership/data.ts'
import { can } from '../policy.ts'
import { listProjects, projectList } from '../projects/data.ts'
import { countOpenRequests, findOpenRequest, listOpenRequests, openRequestList } from '../quota-requests/data.ts'

const shown = 10

/** The customers at the end of each of the last twelve months, this one as it is now. */
function growthOf(db: Db, partnerId: number, at: number): { at: number; n: number }[] {
  const { year, month } = { year: new Date(at).getUTCFullYear(), month: new Date(at).getUTCMonth() }
  const ends = Array.from({ length: 11 }, (_, n) => Date.UTC(year, month - 10 + n, 1) - 1)
  const times = [...ends, at]
  const counts = countCustomersAt(db, partnerId, times)
  return times.map((at, n) => ({ at, n: counts[n] ?? 0 }))
}

export default async function homeRoutes(app: FastifyInstance) {
  app.get('/', { config: { can: 'home.see' } }, async (request, reply) => {
    const { db, config, now } = app
    const { viewer, signedIn } = request
    const { account } = viewer
    const own = { userId: signedIn.id, seesAll: false }
    const partnerId = account && can(viewer.standings, 'customer.see') ? account.id : undefined
    const inAccount = account && can(viewer.standings, 'project.list')
    return reply.page('home/index', {
      title: 'Home',
      // People of a partner have many accounts, and delete customers themselves.
      deleted: viewer.partnerAccount ? [] : listDeletedAccounts(db, signedIn.id, shown),
      invitations: listInvitationsTo(db, signedIn.email, now(), shown),
      invitationCount: countInvitationsTo(db, signedIn.email, now()),
      requests: can(viewer.standings, 'support.see') ? countPendingRequests(db) : 0,
      backup: can(viewer.standings, 'support.backup')
        ? (overdue(config.dataDir, config.backupEveryHours, now()) ?? null)
        : null,
      attention: partnerId === undefined ? [] : listAttention(db, partnerId, now()),
      growth: partnerId === undefined ? [] : growthOf(db, partnerId, now()),
      quotaRequests: {
        toDecide: can(viewer.standings, 'customer.limit') && account ? countOpenRequests(db, account.id) : 0,
        ofSupport: can(viewer.standings, 'support.quota')
          ? listOpenRequests(db, null, firstPage(openRequestList, shown))
          : null,
        own: can(viewer.standings, 'quota.request') && account ? (findOpenRequest(db, account.id) ?? null) : null,
      },
      caretaker: account && can(viewer.standings, 'quota.request') ? caretakerOf(db, account) : null,
      partnerRequest:
        account && can(viewer.standings, 'partner.request') ? (findPendingRequest(db, account.id) ?? null) : null,
      projects: inAccount ? listProjects(db, account.id, own, firstPage(projectList, shown)) : null,
    })
  })
}
