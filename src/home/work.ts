import type { FastifyRequest } from 'fastify'
import { apart, isolated } from '../db/apart.ts'
import { firstPage } from '../db/list.ts'
import { overdue } from '../operations/backups/folder.ts'
import {
  allNeeds,
  isNamed,
  listNeedy,
  type Needs,
  type NeedyCustomer,
  needs,
} from '../partners/customers/data/attention.ts'
import type { Overview } from '../partners/customers/data/overview.ts'
import { listPendingRequests, partnerRequestList } from '../partners/partnership/data.ts'
import { type Action, can } from '../policy.ts'
import { fullLimit, nearLimit, partInUse } from '../quotas/arithmetic.ts'
import { usesOf } from '../quotas/data/uses.ts'
import {
  findOpenRequest,
  listOpenRequests,
  openRequestList,
  type QuotaRequest,
} from '../quotas/requests/data/reading.ts'
import { address, date, duration, plural, useInWords, withUnit } from '../web/format.ts'
import type { PartnerAccount } from '../web/request/viewer.ts'

/** So many requests are named; a line leads to the others. */
const shown = 5
const quotaWords = ['request for more quota', 'requests for more quota'] as const

/** Something that needs the viewer, and where it is settled. */
export type Line = {
  title: string
  detail?: string
  /** Whose initials are shown before it. */
  account?: { name: string; identifier: string }
  /** Since when it waits. */
  at?: number
  /** What settles it: a page, or a form. */
  act?: { label: string; href: string } | { label: string; action: string }
}

/** The accounts, of those last used, that are closed to somebody without a second factor, or will be from a day on. */
export function workOfLogIn({ viewer, server }: FastifyRequest): Line[] {
  if (!viewer.user || viewer.user.twoFactor || viewer.user.passkey || viewer.secondFactor) return []
  return viewer.recentAccounts.flatMap(({ name, identifier, rules }) => {
    const from = rules?.secondFactorFrom ?? null
    if (from === null) return []
    return [
      {
        title:
          from > server.now()
            ? apart`${name} asks for two-factor login from ${date(from)} on`
            : apart`${name} is closed to you until you set up two-factor login`,
        account: { name, identifier },
        act: { label: 'Set it up', href: '/profile/two-factor' },
      },
    ]
  })
}

/** What needs Support now, the newest first. */
export function workOfSupport({ server, viewer }: FastifyRequest): Line[] {
  const { db, config, now, clock } = server
  const may = (action: Action) => can(viewer.standings, action)
  const lines: Line[] = []
  if (may('support.clock') && clock.trouble !== undefined)
    lines.push({
      title: 'The clock of this server may be wrong',
      act: { label: 'The clock is right', action: '/support/clock' },
    })
  const backup = may('support.backup') ? overdue(config.dataDir, config.backupEveryHours, now()) : undefined
  if (backup)
    lines.push({
      title: backup.last ? `The last good backup is ${duration(backup.age)} old` : 'There is no good backup',
      act: { label: 'Look at the backups', href: '/support/backups' },
    })
  if (may('support.transform')) {
    const { rows, total } = listPendingRequests(db, firstPage(partnerRequestList, shown))
    lines.push(
      ...rows.map(({ account, identifier, requester, at }) => ({
        title: apart`${account} asks to become a partner`,
        detail: isolated(requester),
        account: { name: account, identifier },
        at,
        act: { label: 'Review', href: '/support/accounts' },
      })),
      ...othersOf(
        total - rows.length,
        ['request to become a partner', 'requests to become a partner'],
        '/support/accounts',
      ),
    )
  }
  if (may('support.quota')) {
    const { rows, total } = listOpenRequests(db, null, firstPage(openRequestList, shown))
    lines.push(
      ...rows.map((request) => lineOfRequest(request, `/support/accounts/${request.identifier}/quotas`)),
      ...othersOf(total - rows.length, quotaWords, '/support/quotas'),
    )
  }
  return lines.sort(newestFirst)
}

/** The limits of the active account that are nearly or fully in use, for its admins: nothing while they have asked for more. */
export function workOfCustomer({ server, viewer }: FastifyRequest): Line[] {
  const { account } = viewer
  if (!account || account.suspension || !can(viewer.standings, 'quota.request')) return []
  if (findOpenRequest(server.db, account.id)) return []
  return (usesOf(server.db, [account.id]).get(account.id) ?? []).flatMap(({ resource, limit, allocated }) => {
    const part = limit === null ? 0 : partInUse(limit, allocated)
    if (limit === null || part < nearLimit) return []
    const state = part > fullLimit ? 'exceeded' : part === fullLimit ? 'used up' : 'nearly used up'
    return [
      {
        title: apart`${resource.name}: limit ${state}`,
        detail: apart`${withUnit(allocated, resource)} of ${withUnit(limit, resource)} in ${account.name}`,
        account: { name: account.name, identifier: account.identifier },
        act: { label: 'Quotas', href: '/customer/quotas' },
      },
    ]
  })
}

/** What needs one of the people of a partner, the newest first; then how many customers need somebody, with links to them. */
export function workOfPartner(
  { server }: FastifyRequest,
  partner: PartnerAccount,
  overview: Overview | undefined,
  query: Record<string, string>,
): Line[] {
  const { db, now } = server
  const admin = can(partner.standings, 'customer.limit')
  const at = (identifier: string, page: string) => address(`/partner/customers/${identifier}/${page}`, query)
  const lines: Line[] = []
  if (admin) {
    const { rows, total } = listOpenRequests(db, partner.id, firstPage(openRequestList, shown))
    lines.push(
      ...rows.map((request) => lineOfRequest(request, at(request.identifier, 'quotas'))),
      ...othersOf(total - rows.length, quotaWords, address('/partner/quotas', query)),
    )
  }
  if (!overview) return lines.sort(newestFirst)
  const needy = listNeedy(db, partner.id, overview.needs, now())
  lines.push(...needy.map((customer) => lineOfCustomer(customer, admin, now(), at)))
  return [...lines.sort(newestFirst), ...othersByNeed(overview.needs, query)]
}

function lineOfRequest(request: QuotaRequest, href: string): Line {
  const asked = request.amounts
    .map(({ resource, asked }) => apart`${resource.name}: ${withUnit(asked, resource)}`)
    .join(', ')
  return {
    title: apart`${request.account} asks for more quota`,
    detail: [
      request.project && isolated(request.project),
      asked,
      request.reason && apart`“${request.reason}”`,
      request.byProgram && apart`by the service user ${request.requester}`,
    ]
      .filter(Boolean)
      .join(' · '),
    account: { name: request.account, identifier: request.identifier },
    at: request.createdAt,
    act: { label: 'Review', href },
  }
}

function lineOfCustomer(
  { need, name, identifier, use, invitation }: NeedyCustomer,
  admin: boolean,
  at: number,
  addressOf: (identifier: string, page: string) => string,
): Line {
  const ofLimit = use && apart`${use.resource.name}: ${useInWords(use.allocated, use.limit ?? 0, use.resource, 'of')}`
  const isUsedUp = use && use.limit !== null && partInUse(use.limit, use.allocated) >= fullLimit
  const whom = invitation ? apart`to ${invitation.name}` : 'of a user'
  const [title, detail, label, page] = {
    failed: [apart`The e-mail ${whom} was not delivered`, apart`Invitation to ${name}`, 'Correct', 'users'],
    expired: [apart`The invitation ${whom} has expired`, apart`Nobody accepted it in ${name}`, 'Resend', 'users'],
    ending: [
      invitation
        ? apart`The invitation ${whom} expires in ${duration(Math.max(0, invitation.expiresAt - at))}`
        : 'An invitation expires within 48 hours',
      apart`Not yet accepted in ${name}`,
      'Resend',
      'users',
    ],
    over: [apart`${name} is over a limit`, ofLimit, 'Quotas', 'quotas'],
    near: [isUsedUp ? apart`${name} has used up a limit` : apart`${name} is near a limit`, ofLimit, 'Quotas', 'quotas'],
    missing: [apart`${name} has no admin`, 'No pending invitation for an admin', 'Invite', 'users'],
  }[need] as [string, string | undefined, string, string]
  return {
    title,
    ...(detail && { detail }),
    account: { name, identifier },
    ...(invitation && need === 'expired' && { at: invitation.expiresAt }),
    act: { label: admin ? label : 'Open', href: addressOf(identifier, page) },
  }
}

/** How many more customers need what a line says of some, and how many need what no line says. */
function othersByNeed(counted: Needs, query: Record<string, string>): Line[] {
  return allNeeds.flatMap((need) => {
    const { words, filter } = needs[need]
    const { n, newest } = counted[need]
    const named = isNamed(need) ? newest.length : 0
    return othersOf(n - named, words, address('/partner/customers', { ...filter, ...query }), named > 0)
  })
}

/** A line for the rest, or none. */
function othersOf(n: number, [one, many]: readonly [string, string], href: string, more = true): Line[] {
  const title = plural(n, more ? `more ${one}` : one, more ? `more ${many}` : many)
  return n > 0 ? [{ title, act: { label: 'Show', href } }] : []
}

function newestFirst(one: Line, other: Line): number {
  return (other.at ?? 0) - (one.at ?? 0)
}
