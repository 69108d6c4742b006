import type { FastifyRequest } from 'fastify'
import { countInvitationsTo } from '../accounts/invitations/data/listing.ts'
import { forAMinute } from '../db/minute.ts'
import { countPendingRequests } from '../partners/partnership/data.ts'
import { can } from '../policy.ts'
import { countOpenRequests } from '../quotas/requests/data/reading.ts'
import { newestRecord, newestRecordFrom, newestRecordOf } from '../records/record.ts'
import { countUnread } from './notifications/data/listing.ts'

/** How much waits for somebody, by the page of a menu that shows it; `/` is all of it together. */
export type Waiting = Partial<Record<string, number>>

/** Counted once a minute, and after each act of the viewer's own side. */
export function waitingFor({ server, viewer }: FastifyRequest): Waiting {
  const { db, now } = server
  if (!viewer.user) return {}
  const at = now()
  const newest = () => newestRecord(db)
  const ofViewer = newestRecordOf(db, viewer.user.id)
  const ofPartners = viewer.partnerAccounts
    .filter(({ standings }) => can(standings, 'customer.limit'))
    .map(({ id }) =>
      forAMinute(db, `requests ${id}`, { has: Math.max(ofViewer, newestRecordFrom(db, id)), newest, at }, () => ({
        id,
        n: countOpenRequests(db, id),
      })),
    )
  const ofSupport = can(viewer.standings, 'support.see')
    ? forAMinute(db, 'requests', { has: ofViewer, newest, at }, () => ({
        accounts: countPendingRequests(db),
        quotas: countOpenRequests(db, null),
      }))
    : { accounts: 0, quotas: 0 }
  const all = ofPartners.reduce((sum, { n }) => sum + n, 0) + ofSupport.accounts + ofSupport.quotas
  return {
    '/': all + countInvitationsTo(db, viewer.user, at),
    '/notifications': countUnread(db, viewer.user.id),
    '/partner/quotas': ofPartners.find(({ id }) => id === viewer.account?.id)?.n ?? 0,
    '/support/accounts': ofSupport.accounts,
    '/support/quotas': ofSupport.quotas,
  }
}
