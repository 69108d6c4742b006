import type { FastifyInstance, FastifyRequest } from 'fastify'
import { caretakerOf } from '../accounts/data/caretaker.ts'
import { deletedMembershipList, listDeletedAccounts } from '../accounts/data/switcher.ts'
import { invitationToList, listInvitationsTo } from '../accounts/invitations/data/listing.ts'
import { firstPage, type ListQuery } from '../db/list.ts'
import { listRecords, recordList } from '../history/data/records.ts'
import { customerList, listCustomers } from '../partners/customers/data/listing.ts'
import { overviewOf } from '../partners/customers/data/overview.ts'
import { findPendingRequest } from '../partners/partnership/data.ts'
import { can } from '../policy.ts'
import { listProjects, projectList } from '../projects/data.ts'
import { projectPool } from '../quotas/data/pool.ts'
import { findOpenRequest } from '../quotas/requests/data/reading.ts'
import { listDownload } from '../web/lists/csv.ts'
import { readList } from '../web/lists/list.ts'
import { type PartnerAccount, type Viewer, whichPartner } from '../web/request/viewer.ts'
import { checklistsOf } from './checklists.ts'
import { workOfCustomer, workOfLogIn, workOfPartner, workOfSupport } from './work.ts'

/** So many of what has a page of its own are shown. */
const shown = 10
const fewest = 4
/** What the other lists are called in the address of Home. */
const invitationPrefix = 'invitations-'
const deletedPrefix = 'deleted-'

export default async function homeRoutes(app: FastifyInstance) {
  const { db, now } = app

  app.get('/', { config: { can: 'home.see' } }, async (request, reply) => {
    const { viewer, signedIn } = request
    const { account } = viewer
    const looker = { userId: signedIn.id, seesAll: false }
    const inAccount = account && can(viewer.standings, 'project.list')
    const deleted = (query: ListQuery) => listDeletedAccounts(db, signedIn.id, query)
    const invitations = (query: ListQuery) => listInvitationsTo(db, signedIn, now(), query)
    const file =
      listDownload(request, reply, { spec: invitationToList, list: invitations, prefix: invitationPrefix }) ??
      listDownload(request, reply, { spec: deletedMembershipList, list: deleted, prefix: deletedPrefix })
    if (file) return file
    const partners = partnersOf(viewer).map((partner) => partnerSide(request, partner))
    const support = can(viewer.standings, 'support.see')
    return reply.page('home/index', {
      title: 'Home',
      now: now(),
      // People of a partner have many accounts, and delete customers themselves.
      deleted:
        viewer.partnerAccounts.length > 0 ? null : deleted(readList(request, deletedMembershipList, deletedPrefix)),
      invitations: invitations(readList(request, invitationToList, invitationPrefix)),
      deletedPrefix,
      invitationPrefix,
      support,
      work: [
        ...workOfLogIn(request),
        ...(support ? workOfSupport(request) : []),
        ...partners.flatMap(({ work }) => work),
        ...workOfCustomer(request),
      ],
      partners,
      checklists: checklistsOf(request),
      own: can(viewer.standings, 'quota.request') && account ? (findOpenRequest(db, account.id) ?? null) : null,
      caretaker: account && can(viewer.standings, 'quota.request') ? caretakerOf(db, account) : null,
      partnerRequest:
        account && can(viewer.standings, 'partner.request') ? (findPendingRequest(db, account.id) ?? null) : null,
      projects: inAccount ? listProjects(db, account.id, looker, firstPage(projectList, shown)) : null,
    })
  })
}

/** The partner accounts whose customers somebody may see now, the active one first. */
function partnersOf({ account, partnerAccounts }: Viewer): PartnerAccount[] {
  const open = partnerAccounts.filter(({ standings }) => can(standings, 'customer.see'))
  return [...open.filter(({ id }) => id === account?.id), ...open.filter(({ id }) => id !== account?.id)]
}

/** What Home says of a partner account: what needs the viewer, its figures, its newest customers and changes. */
function partnerSide(request: FastifyRequest, partner: PartnerAccount) {
  const { db, now } = request.server
  const overview = overviewOf(db, { partnerId: partner.id, userId: request.signedIn.id }, now(), request.log)
  const query = whichPartner(request.viewer, partner)
  return {
    ...partner,
    query,
    work: workOfPartner(request, partner, overview, query),
    // None while many customers are counted for the first time.
    overview: overview ?? null,
    pool: projectPool(db, partner.id),
    newest: listCustomers(db, partner.id, firstPage(customerList, fewest), now()).rows,
    changes: can(partner.standings, 'partner-history.see')
      ? listRecords(db, { fromAccountId: partner.id }, firstPage(recordList, fewest)).rows
      : [],
  }
}
