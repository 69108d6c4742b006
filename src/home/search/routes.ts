import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { listOwnAccounts, ownAccountList } from '../../accounts/data/switcher.ts'
import { listMembers, memberList } from '../../accounts/members/data.ts'
import { apart } from '../../db/apart.ts'
import { firstPage, type List, type ListSpec } from '../../db/list.ts'
import { beginsWords } from '../../db/search.ts'
import type { FoundBy } from '../../db/search-people.ts'
import { findPeopleOfCustomers, findProjectsOfCustomers } from '../../partners/customers/data/finding.ts'
import { customerList, listCustomers } from '../../partners/customers/data/listing.ts'
import { type Action, can, isOfPartnerArea } from '../../policy.ts'
import { listProjects, projectList } from '../../projects/data.ts'
import { roleName } from '../../roles.ts'
import { accountList, listAccounts } from '../../support/accounts/data.ts'
import { listUsers, userList } from '../../support/users/data.ts'
import { areas, otherPages } from '../../web/answer/areas.ts'
import { address } from '../../web/format.ts'
import { readInTurns } from '../../web/lists/turns.ts'
import { type PartnerAccount, whichPartner } from '../../web/request/viewer.ts'

/** So many results are shown of each kind; a link leads to the list with all of them. */
const shown = 5
/** A longer search is cut: no name or address is longer. */
const longest = 200

/** A search result: where its name leads, what is shown next to it, and what can be done with it. */
type Result = {
  name: string
  href: string
  /** An identifier or an e-mail address. */
  code?: string
  about?: string
  /** What it was found by, where that was not its own name. */
  by?: FoundBy
  acts?: { label: string; href: string }[]
  /** The identifier of an account to work in, with a button. */
  workIn?: string
  icon?: string
}

type Group = { title: string; results: Result[]; all?: string }

export default async function searchRoutes(app: FastifyInstance) {
  app.get('/search', { config: { can: 'home.see' } }, async (request, reply) => {
    const { q: typed } = request.query as { q?: unknown }
    const q = typeof typed === 'string' ? typed.trim().slice(0, longest) : ''
    return reply.page('home/search', {
      title: q ? `“${q}” – Search` : 'Search',
      q,
      groups: q ? await groupsOf(request, q) : [],
    })
  })
}

/** Each kind is looked for in a turn of its own: many searches in large indexes would hold others up. */
async function othersFirst(request: FastifyRequest): Promise<void> {
  await setImmediate()
  request.mustStillMay(request.server.db)
}

/** What the viewer may see of what matches, the customers first. Groups without a result are left out. */
async function groupsOf(request: FastifyRequest, q: string): Promise<Group[]> {
  const support = await ofSupport(request, q)
  const ofPartners: Group[] = []
  for (const partner of request.viewer.partnerAccounts) ofPartners.push(...(await ofPartner(request, q, partner)))
  await othersFirst(request)
  return [
    ...support,
    ...ofPartners,
    ...ofAccount(request, q),
    { title: 'Your accounts', results: ownAccounts(request, q) },
    { title: 'Pages', results: menuPages(request, q) },
  ].filter(({ results }) => results.length > 0)
}

/** What a list is asked for: the first rows that match. */
const first = <Filters extends string>(spec: ListSpec<never, Filters>, q: string) => ({ ...firstPage(spec, shown), q })

/** The results of a list, and the address of the whole list where there are more. */
function resultsOf<Row>(
  list: List<Row>,
  addressOf: (typed: { q: string }) => string,
  result: (row: Row) => Result,
): Pick<Group, 'results' | 'all'> {
  const { rows, total, q } = list
  return { results: rows.map(result), ...(total > rows.length && { all: addressOf({ q }) }) }
}

/** The address of a list, with a search. */
const searched = (path: string) => (typed: { q: string }) => address(path, typed)

const query = (q: string) => `?${new URLSearchParams({ q })}`

async function ofSupport(request: FastifyRequest, q: string): Promise<Group[]> {
  const {
    server: { db },
    viewer,
  } = request
  const groups: Group[] = []
  if (can(viewer.standings, 'support.account')) {
    const list = await readInTurns(request, (query) => listAccounts(db, query), first(accountList, q))
    groups.push({
      title: 'Accounts',
      ...resultsOf(list, searched('/support/accounts'), (account) => ({
        name: account.name,
        code: account.identifier,
        href: `/support/accounts${query(account.identifier)}`,
        about: account.kind === 'partner' ? 'Partner' : (account.partnerName ?? 'No partner'),
        acts: [{ label: 'Quotas', href: `/support/accounts/${account.identifier}/quotas` }],
      })),
    })
  }
  if (can(viewer.standings, 'support.user')) {
    await othersFirst(request)
    const list = await readInTurns(request, (query) => listUsers(db, query), first(userList, q))
    groups.push({
      title: 'Users',
      ...resultsOf(list, searched('/support/users'), (user) => ({
        name: user.name,
        code: user.email,
        href: `/support/users${query(user.email)}`,
      })),
    })
  }
  return groups
}

/** The customers of a partner account, whatever account is active, with their people and projects. */
async function ofPartner(request: FastifyRequest, q: string, partner: PartnerAccount) {
  const {
    server: { db, now },
    viewer,
  } = request
  if (!can(partner.standings, 'customer.see')) return []
  const whose = viewer.partnerAccounts.length > 1 ? apart` of ${partner.name}` : ''
  const which = whichPartner(viewer, partner)
  const at = (path: string, query: Record<string, string> = {}) =>
    address(`/partner/customers${path}`, { ...query, ...which })
  const customers = resultsOf(
    await readInTurns(request, (query) => listCustomers(db, partner.id, query, now()), first(customerList, q)),
    (typed) => at('', typed),
    (customer) => ({
      name: customer.name,
      code: customer.identifier,
      href: at(`/${customer.identifier}`),
      ...(customer.foundBy && { by: customer.foundBy }),
      acts: [
        { label: 'Customer Users', href: at(`/${customer.identifier}/users`) },
        { label: 'Customer Projects', href: at(`/${customer.identifier}/projects`) },
        { label: 'Project Quotas', href: at(`/${customer.identifier}/quotas`) },
      ],
    }),
  )
  await othersFirst(request)
  const people = findPeopleOfCustomers(db, partner.id, q, shown).map((person) => ({
    name: person.name,
    code: person.email,
    about: person.customer,
    href: at(`/${person.identifier}/users`, { q: person.email }),
  }))
  await othersFirst(request)
  const projects = findProjectsOfCustomers(db, partner.id, q, shown).map((project) => ({
    name: project.name,
    code: project.project,
    about: project.customer,
    href: at(`/${project.identifier}/projects`, { q: project.project }),
  }))
  return [
    { title: `Customers${whose}`, ...customers },
    { title: `People of customers${whose}`, results: people },
    { title: `Projects of customers${whose}`, results: projects },
  ]
}

function ofAccount({ server: { db }, viewer, signedIn }: FastifyRequest, q: string): Group[] {
  const { account, standings } = viewer
  if (!account) return []
  const groups: Group[] = []
  const seesAll = can(standings, 'project.see-all')
  const looker = { userId: signedIn.id, seesAll }
  if (can(standings, 'project.list'))
    groups.push({
      title: 'Projects',
      ...resultsOf(listProjects(db, account.id, looker, first(projectList, q)), searched('/projects'), (project) => ({
        name: project.name,
        code: project.identifier,
        href: `/projects/${project.identifier}`,
      })),
    })
  if (can(standings, 'people.see'))
    groups.push({
      title: 'People',
      ...resultsOf(listMembers(db, account.id, first(memberList, q)), searched('/customer/users'), (member) => ({
        name: member.name,
        code: member.email,
        about: roleName(account.kind, member.role),
        href: `/customer/users${query(member.email)}`,
      })),
    })
  return groups
}

function ownAccounts({ server: { db }, viewer, signedIn }: FastifyRequest, q: string): Result[] {
  const { rows } = listOwnAccounts(db, signedIn.id, first(ownAccountList, q))
  return rows.map(({ name, identifier }) => ({
    name,
    code: identifier,
    href: `/active-account${query(identifier)}`,
    ...(viewer.activeAccount?.identifier === identifier ? { about: 'You are working in it' } : { workIn: identifier }),
  }))
}

function menuPages({ viewer }: FastifyRequest, q: string): Result[] {
  // The Partner Area opens from every account.
  const standings = [viewer, ...viewer.partnerAccounts].flatMap((side) => side.standings)
  const may = (action: Action) => can(isOfPartnerArea(action) ? standings : viewer.standings, action)
  const inAreas = Object.values(areas).flatMap(({ name, pages }) =>
    pages.map((page) => ({ ...page, about: name, also: name })),
  )
  return [...inAreas, ...otherPages.map((page) => ({ ...page, about: undefined }))]
    .filter((page) => may(page.can) && beginsWords(`${page.label} ${page.also}`, q))
    .slice(0, shown)
    .map(({ label, href, icon, about }) => ({ name: label, href, icon, ...(about && { about }) }))
}
