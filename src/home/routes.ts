import type { FastifyInstance } from 'fastify'
import { caretakerOf } from '../accounts/data/caretaker.ts'
import { deletedMembershipList, listDeletedAccounts } from '../accounts/data/switcher.ts'
import { invitationToList, listInvitationsTo } from '../accounts/invitations/data/listing.ts'
import type { AccountId } from '../db/ids.ts'
import { firstPage, type ListQuery } from '../db/list.ts'
import type { Db } from '../db/open.ts'
import { overdue } from '../operations/backups/folder.ts'
import { countCustomersAt } from '../partners/customers/data/customers.ts'
import { listAttention } from '../partners/customers/data/listing.ts'
import { countPendingRequests, findPendingRequest } from '../partners/partnership/data.ts'
import { can } from '../policy.ts'
import { listProjects, projectList } from '../projects/data.ts'
import {
  countOpenRequests,
  findOpenRequest,
  listOpenRequests,
  openRequestList,
} from '../quotas/requests/data/reading.ts'
import { listDownload } from '../web/lists/csv.ts'
import { readList } from '../web/lists/list.ts'

/** So many of what has a page of its own are shown. */
const shown = 10
/** What the other lists are called in the address of Home. */
const invitationPrefix = 'invitations-'
const deletedPrefix = 'deleted-'

/** The customers at the end of each of the last twelve months, this one as it is now. */
function growthOf(db: Db, partnerId: AccountId, at: number): { at: number; n: number }[] {
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
    const deleted = (query: ListQuery) => listDeletedAccounts(db, signedIn.id, query)
    const invitations = (query: ListQuery) => listInvitationsTo(db, signedIn, now(), query)
    const file =
      listDownload(request, reply, invitationToList, invitations, invitationPrefix) ??
      listDownload(request, reply, deletedMembershipList, deleted, deletedPrefix)
    if (file) return file
    return reply.page('home/index', {
      title: 'Home',
      // People of a partner have many accounts, and delete customers themselves.
      deleted:
        viewer.partnerAccounts.length > 0 ? null : deleted(readList(request, deletedMembershipList, deletedPrefix)),
      invitations: invitations(readList(request, invitationToList, invitationPrefix)),
      deletedPrefix,
      invitationPrefix,
      requests: can(viewer.standings, 'support.see') ? countPendingRequests(db) : 0,
      backup: can(viewer.standings, 'support.backup')
        ? (overdue(config.dataDir, config.backupEveryHours, now()) ?? null)
        : null,
      clockInDoubt: can(viewer.standings, 'support.clock') && app.clock.trouble !== undefined,
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
