import { eq } from 'drizzle-orm'
import t from 'tap'
import { findDeletedMembership, findMembership } from '../../src/accounts/data/membership.ts'
import {
  deletedMembershipList,
  findOwnAccount,
  listDeletedAccounts,
  listOwnAccounts,
  listPartnerAccounts,
  ownAccountList,
  switchAccount,
} from '../../src/accounts/data/switcher.ts'
import * as deletedAccounts from '../../src/accounts/deletion/data/deleting.ts'
import { deletedCustomerList, listDeletedCustomers } from '../../src/accounts/deletion/data/listing.ts'
import { foreseeLosses } from '../../src/accounts/deletion/data/losses.ts'
import * as purge from '../../src/accounts/deletion/purge/data.ts'
import { listProjectsOf } from '../../src/accounts/endings/data/affected.ts'
import { findTies } from '../../src/accounts/endings/data/foreseeing.ts'
import { exportTables } from '../../src/accounts/export/data/tables.ts'
import * as importData from '../../src/accounts/imports/data.ts'
import * as importEnding from '../../src/accounts/imports/ending/data.ts'
import * as pendingData from '../../src/accounts/invitations/data/pending.ts'
import * as invitationData from '../../src/accounts/invitations/data/sending.ts'
import * as members from '../../src/accounts/members/data.ts'
import * as programs from '../../src/accounts/service-users/data.ts'
import * as domains from '../../src/accounts/sso/data/domains.ts'
import { addGroup, removeGroup } from '../../src/accounts/sso/data/groups.ts'
import { type AccountId, asUserId, type UserId } from '../../src/db/ids.ts'
import { firstPage } from '../../src/db/list.ts'
import {
  accounts,
  imports,
  invitations,
  limits,
  memberships,
  partnerRequests,
  projects,
  quotaRequests,
  records,
  sessions,
  users,
} from '../../src/db/schema.ts'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { customerList, listCustomers } from '../../src/partners/customers/data/listing.ts'
import * as details from '../../src/partners/customers/details/data.ts'
import { findCustomer, findCustomerById } from '../../src/partners/data.ts'
import * as partnership from '../../src/partners/partnership/data.ts'
import * as transfer from '../../src/partners/partnership/move/data.ts'
import { endSession } from '../../src/people/data/sessions.ts'
import * as emailChange from '../../src/people/email/data.ts'
import * as passkeyData from '../../src/people/passkeys/data.ts'
import * as twoFactor from '../../src/people/two-factor/data.ts'
import * as access from '../../src/projects/access/data/giving.ts'
import { accessList, listAccess, listAccessOf } from '../../src/projects/access/data/listing.ts'
import * as projectData from '../../src/projects/data.ts'
import * as deletedProjects from '../../src/projects/deletion/data.ts'
import { deleteProject } from '../../src/projects/deletion/data.ts'
import * as quotas from '../../src/quotas/data/limits.ts'
import { poolBoundsProjects, quotaRows } from '../../src/quotas/data/pool.ts'
import { limitsOfProjects, usesOf } from '../../src/quotas/data/uses.ts'
import { applyLimits, findLimitOffer, type LimitSource } from '../../src/quotas/plans/data/applying.ts'
import * as plans from '../../src/quotas/plans/data/plans.ts'
import { askForMore, cancelRequest } from '../../src/quotas/requests/data/asking.ts'
import { approveRequest, declineRequest } from '../../src/quotas/requests/data/deciding.ts'
import * as requests from '../../src/quotas/requests/data/reading.ts'
import * as savedViewData from '../../src/web/lists/saved/data.ts'
import * as deliveries from '../../src/webhooks/data/deliveries.ts'
import * as webhooks from '../../src/webhooks/data/webhooks.ts'
import { accountId, type Client, type Page, type Panel, projectId, startApp, there, userId } from '../harness.ts'
import { addressOf, formFor, lasting, lettersKept, missing, type Objects, prepare } from './objects.ts'

// Every route that the running application has, for every actor, on own, sibling, foreign, mixed and
// missing objects. What is denied must leave every row of every table as it was, and show no byte of
// what is another's. Who may do what is written down here again, by route, so that a slip in
// policy.ts or in a route shows.

t.setTimeout(600_000)

const groups = {
  support: ['olga'],
  partnerAdmins: ['petra', 'riva'],
  partners: ['petra', 'max', 'riva'],
  customerAdmins: ['stella', 'ines', 'uma', 'dora'],
  admins: ['petra', 'riva', 'stella', 'ines', 'uma', 'dora'],
  members: ['petra', 'max', 'riva', 'stella', 'tom', 'ines', 'uma', 'dora'],
  signedIn: ['petra', 'max', 'riva', 'stella', 'tom', 'ines', 'uma', 'dora', 'nils', 'olga'],
} as const satisfies Record<string, readonly CastName[]>

type Group = keyof typeof groups | 'everyone'

const whoMay: Record<Group, string[]> = {
  everyone: [
    'GET /health/live',
    'GET /health/ready',
    'GET /metrics',
    'GET /.well-known/security.txt',
    'GET /api/docs',
    'GET /api/problems/:problem',
    'GET /setup/:token',
    'POST /setup/:token',
    'GET /login',
    'POST /login',
    'POST /session/removal',
    'GET /login/second-factor',
    'POST /login/second-factor',
    'POST /login/passkey',
    'GET /login/sso',
    'GET /login/sso/callback',
    'GET /login/sso/callback/:identifier',
    'GET /login/sso/account',
    'GET /login/way',
    'GET /login/sso/ended',
    'GET /login/sso/waiting',
    'POST /login/second-factor/passkey',
    'GET /password-reset',
    'POST /password-reset',
    'GET /password-reset/:token',
    'POST /password-reset/:token',
    'GET /invitations/:token',
    'POST /invitations/:token/user',
    'POST /invitations/:token/acceptance',
  ],
  signedIn: [
    'GET /',
    'GET /search',
    'GET /notifications',
    'POST /notifications/read',
    'GET /profile/notifications',
    'POST /profile/notifications',
    'POST /saved-views',
    'GET /saved-views/:savedView',
    'GET /saved-views/:savedView/name',
    'POST /saved-views/:savedView/name',
    'POST /saved-views/:savedView/removal',
    'GET /profile',
    'GET /.well-known/change-password',
    'POST /profile/display',
    'POST /profile/name',
    'POST /profile/password',
    'GET /profile/two-factor',
    'POST /profile/two-factor',
    'POST /profile/two-factor/recovery-codes',
    'POST /profile/two-factor/removal',
    'GET /profile/sso',
    'GET /profile/sso/new',
    'POST /profile/sso/new',
    'GET /profile/sso/start',
    'GET /profile/sso/proof',
    'POST /profile/sso/removal',
    'POST /profile/sso/waiting',
    'GET /profile/passkeys',
    'POST /profile/passkeys',
    'GET /profile/passkeys/new',
    'POST /profile/passkeys/new',
    'GET /profile/passkeys/:passkey',
    'POST /profile/passkeys/:passkey/name',
    'POST /profile/passkeys/:passkey/removal',
    'GET /profile/accounts/:identifier/removal',
    'POST /profile/accounts/:identifier/removal',
    'POST /profile/sessions/:session/removal',
    'GET /profile/tokens',
    'GET /profile/tokens/:apiToken/rotation',
    'POST /profile/tokens/:apiToken/rotation',
    'POST /profile/tokens/:apiToken/removal',
    'POST /profile/sessions/removal',
    'POST /profile/email',
    'POST /profile/email/confirmation',
    'GET /profile/email/:token',
    'POST /profile/email/:token',
    'GET /profile/data',
    'POST /profile/data',
    'GET /profile/removal',
    'POST /profile/removal',
    'GET /active-account',
    'GET /unsent-forms',
    'POST /active-account',
    'POST /session/proof',
    'POST /my-invitations/:id/acceptance',
    'GET /partner',
  ],
  members: [
    'POST /profile/tokens',
    'GET /customer',
    'GET /customer/account',
    'GET /customer/users',
    'GET /customer/projects',
    'GET /customer/quotas',
    'GET /projects',
    'GET /projects/:project',
    'POST /projects/:project/name',
    'GET /projects/:project/access',
    'POST /projects/:project/access',
    'GET /projects/:project/access/:user',
    'POST /projects/:project/access/:user',
    'POST /projects/:project/access/:user/removal',
  ],
  admins: [
    'POST /customer/account/name',
    'POST /customer/users',
    'GET /customer/users/:user/role',
    'POST /customer/users/:user/role',
    'POST /customer/users/:user/confirmation',
    'GET /customer/users/:user/removal',
    'POST /customer/users/:user/removal',
    'POST /customer/invitations/:id/resending',
    'POST /customer/invitations/:id/cancellation',
    'GET /customer/invitations/:id/correction',
    'POST /customer/invitations/:id/correction',
    'POST /customer/invitations/:id/link',
    'GET /customer/ticked-invitations/resending',
    'POST /customer/ticked-invitations/resending',
    'GET /customer/ticked-invitations/cancellation',
    'POST /customer/ticked-invitations/cancellation',
    'GET /customer/ticked-invitations/result',
    'GET /customer/log-in',
    'POST /customer/log-in',
    'GET /customer/log-in/removal',
    'POST /customer/log-in/removal',
    'POST /customer/log-in/domains',
    'POST /customer/log-in/domains/:domain/check',
    'POST /customer/log-in/domains/:domain/removal',
    'GET /customer/log-in/people',
    'POST /customer/log-in/people',
    'POST /customer/log-in/people/groups',
    'POST /customer/log-in/people/groups/:groupRule/removal',
    'GET /customer/security',
    'POST /customer/security',
    'GET /customer/service-users',
    'POST /customer/service-users',
    'GET /customer/service-users/:serviceUser',
    'POST /customer/service-users/:serviceUser',
    'GET /customer/service-users/:serviceUser/removal',
    'POST /customer/service-users/:serviceUser/removal',
    'POST /customer/service-users/:serviceUser/tokens',
    'GET /customer/service-users/:serviceUser/tokens/:apiToken/rotation',
    'POST /customer/service-users/:serviceUser/tokens/:apiToken/rotation',
    'POST /customer/service-users/:serviceUser/tokens/:apiToken/removal',
    'POST /projects',
    'POST /projects/:project/quotas',
    'GET /projects/:project/removal',
    'POST /projects/:project/removal',
    'GET /customer/projects/deleted',
    'POST /customer/projects/deleted/:project/restoration',
    'GET /customer/account/export',
    'POST /customer/account/export',
    'GET /customer/history',
    'GET /customer/webhooks',
    'GET /customer/webhooks/new',
    'POST /customer/webhooks',
    'GET /customer/webhooks/:webhook',
    'GET /customer/webhooks/:webhook/change',
    'POST /customer/webhooks/:webhook/change',
    'GET /customer/webhooks/:webhook/rotation',
    'POST /customer/webhooks/:webhook/rotation',
    'GET /customer/webhooks/:webhook/removal',
    'POST /customer/webhooks/:webhook/removal',
    'POST /customer/webhooks/:webhook/test',
    'POST /customer/webhooks/:webhook/retries',
    'POST /customer/webhooks/:webhook/deliveries/:delivery/retry',
    'GET /customer/imports',
    'POST /customer/imports',
    'GET /customer/imports/:import',
    'POST /customer/imports/:import/start',
    'POST /customer/imports/:import/removal',
    'POST /customer/imports/:import/stopping',
    'POST /customer/imports/:import/invitations/cancellation',
  ],
  customerAdmins: [
    'POST /customer/account/partner-request',
    'POST /customer/quotas/requests',
    'POST /customer/quotas/requests/:request/cancellation',
  ],
  partners: [
    'GET /partner/customers',
    'GET /partner/customers/:customer',
    'GET /partner/customers/:customer/users',
    'GET /partner/customers/:customer/projects',
    'GET /partner/customers/:customer/quotas',
    'GET /partner/deleted-customers',
    'GET /partner/quotas',
    'GET /partner/quotas.csv',
    'GET /partner/ticked-customers/file',
    'GET /partner/plans',
  ],
  partnerAdmins: [
    'GET /partner/history',
    'GET /partner/customers/:customer/history',
    'GET /partner/customers/:customer/history/own',
    'GET /partner/imports',
    'POST /partner/imports',
    'GET /partner/imports/:import',
    'POST /partner/imports/:import/start',
    'POST /partner/imports/:import/removal',
    'POST /partner/imports/:import/stopping',
    'POST /partner/imports/:import/invitations/cancellation',
    'POST /partner/customers',
    'GET /partner/customers/:customer/users/:user',
    'POST /partner/customers/:customer/users/:user/password-link',
    'POST /partner/customers/:customer/users/:user/two-factor/removal',
    'POST /partner/customers/:customer/own-membership',
    'POST /partner/customers/:customer/own-membership/removal',
    'POST /partner/customers/:customer/invitations',
    'POST /partner/customers/:customer/invitations/:id/resending',
    'POST /partner/customers/:customer/invitations/:id/cancellation',
    'GET /partner/customers/:customer/invitations/:id/correction',
    'POST /partner/customers/:customer/invitations/:id/correction',
    'POST /partner/customers/:customer/invitations/:id/link',
    'GET /partner/customers/:customer/details',
    'POST /partner/customers/:customer/details',
    'GET /partner/customers/:customer/suspension',
    'POST /partner/customers/:customer/suspension',
    'POST /partner/customers/:customer/suspension/removal',
    'GET /partner/customers/:customer/removal',
    'POST /partner/customers/:customer/removal',
    'POST /partner/deleted-customers/:customer/restoration',
    'POST /partner/customers/:customer/quotas',
    'POST /partner/customers/:customer/quotas/requests/:request/approval',
    'POST /partner/customers/:customer/quotas/requests/:request/refusal',
    'POST /partner/quotas/automatic-approval',
    'GET /partner/ticked-customers/suspension',
    'POST /partner/ticked-customers/suspension',
    'GET /partner/ticked-customers/resumption',
    'POST /partner/ticked-customers/resumption',
    'GET /partner/ticked-customers/plan',
    'POST /partner/ticked-customers/plan',
    'GET /partner/ticked-customers/tag',
    'POST /partner/ticked-customers/tag',
    'GET /partner/ticked-customers/tag-removal',
    'POST /partner/ticked-customers/tag-removal',
    'GET /partner/ticked-customers/result',
    'GET /partner/plans/new',
    'POST /partner/plans',
    'GET /partner/plans/:plan',
    'POST /partner/plans/:plan',
    'GET /partner/plans/:plan/removal',
    'POST /partner/plans/:plan/removal',
    'GET /partner/customers/:customer/quotas/plan',
    'POST /partner/customers/:customer/quotas/plan',
    'GET /partner/customers/:customer/quotas/copy',
    'POST /partner/customers/:customer/quotas/copy',
  ],
  support: [
    'GET /support',
    'GET /support/accounts',
    'POST /support/accounts',
    'GET /support/accounts/:identifier/users',
    'POST /support/accounts/:identifier/invitations',
    'POST /support/accounts/:identifier/invitations/:id/resending',
    'POST /support/accounts/:identifier/invitations/:id/cancellation',
    'GET /support/accounts/:identifier/invitations/:id/correction',
    'POST /support/accounts/:identifier/invitations/:id/correction',
    'GET /support/accounts/:identifier/security',
    'POST /support/accounts/:identifier/security/removal',
    'GET /support/accounts/:identifier/suspension',
    'POST /support/accounts/:identifier/suspension',
    'POST /support/accounts/:identifier/suspension/removal',
    'GET /support/accounts/:identifier/removal',
    'POST /support/accounts/:identifier/removal',
    'POST /support/accounts/:identifier/restoration',
    'GET /support/accounts/:identifier/partner',
    'POST /support/accounts/:identifier/partner',
    'GET /support/quotas',
    'GET /support/accounts/:identifier/quotas',
    'POST /support/accounts/:identifier/quotas',
    'POST /support/accounts/:identifier/pool',
    'POST /support/accounts/:identifier/quotas/requests/:request/approval',
    'POST /support/accounts/:identifier/quotas/requests/:request/refusal',
    'GET /support/resources',
    'POST /support/resources',
    'POST /support/resources/:key',
    'POST /support/resources/:key/removal',
    'POST /support/accounts/:identifier/partnership',
    'POST /support/accounts/:identifier/partnership/removal',
    'POST /support/accounts/:identifier/partner-request/removal',
    'GET /support/users',
    'GET /support/users/:user',
    'POST /support/users/:user/password-link',
    'POST /support/users/:user/disabling',
    'POST /support/users/:user/disabling/removal',
    'POST /support/users/:user/sessions/removal',
    'POST /support/users/:user/tokens/:apiToken/removal',
    'POST /support/users/:user/two-factor/removal',
    'GET /support/users/:user/removal',
    'POST /support/users/:user/removal',
    'GET /support/mail',
    'GET /support/mail/:letter',
    'POST /support/mail/:letter/resending',
    'POST /support/mail/resending',
    'GET /support/webhooks',
    'GET /support/webhooks/new',
    'POST /support/webhooks',
    'GET /support/webhooks/:webhook',
    'GET /support/webhooks/:webhook/change',
    'POST /support/webhooks/:webhook/change',
    'GET /support/webhooks/:webhook/rotation',
    'POST /support/webhooks/:webhook/rotation',
    'GET /support/webhooks/:webhook/removal',
    'POST /support/webhooks/:webhook/removal',
    'POST /support/webhooks/:webhook/test',
    'POST /support/webhooks/:webhook/retries',
    'POST /support/webhooks/:webhook/deliveries/:delivery/retry',
    'GET /profile/tokens/support',
    'POST /profile/tokens/support',
    'GET /support/backups',
    'POST /support/backups',
    'POST /support/clock',
    'GET /support/history',
  ],
}

type Route = { method: string; url: string; group: Group }

function routesOf(panel: Panel): Route[] {
  const routes: Route[] = []
  for (const { method, url } of panel.routes) {
    if (method === 'HEAD' || url.startsWith('/assets/')) continue
    const group = (Object.keys(whoMay) as Group[]).find((one) => whoMay[one].includes(`${method} ${url}`))
    if (!group) throw new Error(`the matrix does not say who may ${method} ${url}`)
    routes.push({ method, url, group })
  }
  return routes
}

function isIn(who: CastName, group: Group): boolean {
  return group === 'everyone' || (groups[group] as readonly CastName[]).includes(who)
}

async function send(client: Client, { method, url }: Route, objects: Objects): Promise<Page> {
  const path = addressOf(url, objects)
  if (method === 'POST') return client.post(path, formFor(url, objects))
  // Reads the notice that an act before may have left.
  await client.open('/active-account')
  return client.get(path)
}

/** Every row of an account and of a user, by table. */
function rowsOf(panel: Panel, accountId: AccountId, userId: UserId) {
  const rows = panel.rows() as Record<string, Record<string, unknown>[]>
  const ids = (table: string) =>
    rows[table]?.filter(({ account_id }) => account_id === accountId).map(({ id }) => id) ?? []
  const keys: [column: string, values: unknown[]][] = [
    ['account_id', [accountId]],
    ['user_id', [userId]],
    ['import_id', ids('imports')],
    ['invitation_id', ids('invitations')],
    ['request_id', ids('quota_requests')],
  ]
  return Object.fromEntries(
    Object.entries(rows).map(([table, all]) => [
      table,
      all.filter(
        (row) =>
          keys.some(([column, values]) => values.includes(row[column])) ||
          (table === 'accounts' && row.id === accountId) ||
          (table === 'users' && row.id === userId),
      ),
    ]),
  )
}

const routeName = ({ method, url }: Route) => `${method} ${url}`

t.test('the matrix knows every route, and no other', async (t) => {
  const panel = await startApp(t)
  const routes = routesOf(panel).map(routeName)
  t.same(Object.values(whoMay).flat().sort(), routes.sort())
})

t.test('what a role lacks answers 403, and changes no row', async (t) => {
  const { panel, acme } = await prepare(t)
  for (const who of groups.signedIn) {
    const client = await panel.signIn(who)
    for (const route of routesOf(panel).filter(({ group }) => !isIn(who, group))) {
      const before = lasting(panel)
      t.equal((await send(client, route, acme)).status, 403, `${who}: ${routeName(route)}`)
      t.strictSame(lasting(panel), before, `${who} changes nothing by ${routeName(route)}`)
    }
  }
})

t.test('what a role has is not refused', async (t) => {
  const { panel, acme } = await prepare(t)
  for (const who of groups.signedIn) {
    const client = await panel.signIn(who)
    // These want a role in the project: see below.
    for (const route of routesOf(panel).filter(({ group, method }) => method === 'GET' && isIn(who, group)))
      if (!route.url.startsWith('/projects/:project/access'))
        t.not((await send(client, route, acme)).status, 403, `${who}: ${routeName(route)}`)
  }
})

t.test('a Project User and a Project Reader change nothing in the project that they see', async (t) => {
  const { panel, acme } = await prepare(t)
  const stella = await panel.signIn('stella')
  const tom = await panel.signIn('tom')
  const changing = routesOf(panel).filter(
    ({ method, url }) =>
      url.startsWith('/projects/:project') && (method === 'POST' || url.startsWith('/projects/:project/access')),
  )
  t.equal(changing.length, 8)
  for (const role of ['user', 'reader']) {
    await stella.submit('/projects/website', 'Save', { role }, cast.tom.email)
    await lettersKept(panel)
    for (const route of changing) {
      const before = lasting(panel)
      t.equal((await send(tom, route, acme)).status, 403, `${role}: ${routeName(route)}`)
      t.strictSame(lasting(panel), before, `${role} changes nothing by ${routeName(route)}`)
    }
  }
})

// Which objects are foreign to each person; Support sees all.
const foreignTo: Partial<Record<CastName, ('acme' | 'umbrella')[]>> = {
  petra: ['umbrella'],
  max: ['umbrella'],
  stella: ['umbrella'],
  tom: ['umbrella'],
  ines: ['acme', 'umbrella'],
  riva: ['acme'],
  uma: ['acme'],
  dora: ['acme', 'umbrella'],
  nils: ['acme', 'umbrella'],
}

const wordsOf = {
  acme: [
    'Acme',
    'acme.example',
    'acme@new.example',
    'Stella',
    'Website',
    'Own Guest',
    'Own remark',
    'Own reason',
    'Own Row',
    'Own plan',
    'Own program',
  ],
  umbrella: [
    'Umbrella',
    'umbrella.example',
    'umbrella@new.example',
    'Uma ',
    'Skunkworks',
    'Secret Guest',
    'Secret remark',
    'Secret Row',
    'Secret plan',
    'Secret program',
    'Secret reason',
  ],
}

t.test('objects of other accounts answer like missing ones, show nothing, and change no row', async (t) => {
  const prepared = await prepare(t)
  const { panel } = prepared
  for (const [who, whose] of Object.entries(foreignTo) as [CastName, ('acme' | 'umbrella')[]][]) {
    const client = await panel.signIn(who)
    const routes = routesOf(panel).filter(
      ({ group, url }) => url.includes(':') && group !== 'everyone' && isIn(who, group),
    )
    for (const foreign of whose) {
      for (const route of routes) {
        const before = lasting(panel)
        const answer = await send(client, route, prepared[foreign])
        const nothing = await send(client, route, missing)
        const label = `${who}: ${routeName(route)} of ${foreign}`
        t.strictSame(lasting(panel), before, `${label} changes nothing`)
        const normal = (page: Page, objects: Objects) => page.withoutTokens.replaceAll(objects.token, '')
        t.equal(normal(answer, prepared[foreign]), normal(nothing, missing), `${label} reads like a missing one`)
        t.equal(answer.status, nothing.status, `${label} answers like a missing one`)
        if (!route.url.startsWith('/my-invitations/')) t.equal(answer.status, 404, label)
        t.same(
          wordsOf[foreign].filter((word) => answer.body.includes(word)),
          [],
          `${label} shows nothing of it`,
        )
      }
    }
  }
})

t.test('no page without an object in its address shows anything of another tenant', async (t) => {
  const { panel } = await prepare(t)
  const routes = routesOf(panel).filter(({ method, url }) => method === 'GET' && !url.includes(':'))
  for (const [who, whose] of Object.entries(foreignTo) as [CastName, ('acme' | 'umbrella')[]][]) {
    // Nils is invited to Acme, and may read who invited him.
    const foreign = who === 'nils' ? ['umbrella' as const] : whose
    const client = await panel.signIn(who)
    for (const route of routes.filter(({ group }) => isIn(who, group))) {
      for (const query of ['', '?q=a', '?person=a']) {
        await client.open('/active-account')
        const page = await client.open(route.url + query)
        const seen = foreign.flatMap((one) => wordsOf[one]).filter((word) => page.body.includes(word))
        t.same(seen, [], `${who}: ${route.url}${query}`)
      }
    }
  }
})

t.test('lists count exactly what they show', async (t) => {
  const { panel } = await prepare(t)
  const counts = {
    petra: {
      '/partner/customers': '2 customers',
      '/partner/customers?q=a': '1 customer found',
      '/customer/users': '2 users',
    },
    stella: {
      '/customer/users?q=a': '2 users found',
      '/customer/users': '2 users',
      '/projects': '2 projects',
      '/customer/projects': '2 projects',
    },
    tom: { '/projects': '1 project', '/customer/projects': '1 project' },
    uma: { '/customer/users': '1 user', '/projects': '1 project' },
    dora: { '/profile': '1 account', '/active-account': '1 account', '/profile?q=a': 'Nothing matches “a”' },
  } as const
  for (const [who, pages] of Object.entries(counts) as [CastName, Record<string, string>][]) {
    const client = await panel.signIn(who)
    for (const [path, words] of Object.entries(pages)) t.match((await client.get(path)).text, words, `${who} ${path}`)
  }
  const stella = await panel.signIn('stella')
  t.match((await stella.get('/customer/users')).text, '2 pending invitations')
  t.match((await stella.get('/customer/users?q=stel')).text, '1 user found')
  t.match((await stella.get('/projects/website')).text, '2 people')
  const mine = panel.rows().sessions?.filter((row) => (row as { user_id: number }).user_id === 4).length
  t.match((await stella.get('/profile')).text, `My sessions ${mine}`)
  const records = (panel.rows().records ?? []) as { account_id: number }[]
  const acmeId = accountId(panel, 'acme')
  const own = records.filter(({ account_id }) => account_id === acmeId).length
  t.match((await stella.get('/customer/history')).text, `${own} records`)
})

t.test('mixed: a foreign object under one’s own account or customer answers 404 and changes no row', async (t) => {
  const { panel, acme, umbrella } = await prepare(t)
  for (const who of ['petra', 'stella'] as const) {
    const client = await panel.signIn(who)
    for (const part of [
      'project',
      'user',
      'id',
      'request',
      'import',
      'plan',
      'serviceUser',
      'apiToken',
      'webhook',
      'delivery',
    ] as const) {
      for (const [own, other] of [
        [acme, umbrella],
        [umbrella, acme],
      ] as const) {
        // Stella's account is never in an address: there her own object stands beside a foreign one.
        const mixed = { ...own, [part]: other[part] }
        const routes = routesOf(panel).filter(
          ({ url, group }) => new RegExp(`:${part}(/|$)`).test(url) && group !== 'everyone' && isIn(who, group),
        )
        for (const route of routes) {
          if (own === umbrella && !/:(customer|project).*:/.test(route.url)) continue
          const before = lasting(panel)
          const answer = await send(client, route, mixed)
          t.strictSame(lasting(panel), before, `${who}: ${routeName(route)} changes nothing`)
          if (!route.url.startsWith('/my-invitations/'))
            t.equal(answer.status, 404, `${who}: ${routeName(route)} with a foreign ${part}`)
          t.same(
            wordsOf.umbrella.filter((word) => answer.body.includes(word)),
            [],
            `${who}: ${route.url}`,
          )
        }
      }
    }
  }
})

t.test('a page of one’s own shows nothing of another tenant', async (t) => {
  const { panel, acme } = await prepare(t)
  const pages = routesOf(panel).filter(({ method, url }) => method === 'GET' && url.includes(':'))
  for (const who of ['petra', 'max', 'stella', 'tom'] as const) {
    const client = await panel.signIn(who)
    for (const route of pages.filter(({ group }) => isIn(who, group))) {
      const page = await send(client, route, acme)
      t.same(
        wordsOf.umbrella.filter((word) => page.body.includes(word)),
        [],
        `${who}: ${routeName(route)}`,
      )
    }
  }
})

t.test('people of another account are given no access, and invitations lead to no foreign project', async (t) => {
  const { panel, umbrella } = await prepare(t)
  const stella = await panel.signIn('stella')
  const foreign = String(projectId(panel, 'skunkworks'))
  const before = lasting(panel)
  const given = await stella.post('/projects/website/access', { people: umbrella.user, role: 'reader' })
  t.ok(given.status < 500)
  const form = { name: 'X', email: 'x@x.example', role: 'member', projects: foreign }
  t.equal((await stella.post('/customer/users', form)).status, 422)
  t.strictSame(lasting(panel), before)
})

t.test('data functions that are given one tenant and another’s object find nothing, and change no row', async (t) => {
  const { panel, acme: acmeObjects, umbrella } = await prepare(t)
  const { db } = panel
  const account = (identifier: string) => accountId(panel, identifier)
  const [acmeId, cloudhausId] = [account('acme'), account('cloudhaus')]
  const umbrellaId = account('umbrella')
  const stella = userId({ db }, 'stella')
  const uma = userId(panel, 'uma')
  const skunkworks = projectId({ db }, 'skunkworks')
  const everything = { userId: stella, seesAll: true }
  const actor = {
    userId: stella,
    accountId: acmeId,
    bySupport: false,
    at: panel.app.now(),
    ip: null,
    requestId: null,
    stillMay: null,
  }
  const sender = { post: panel.app.postLetter, publicUrl: '', inviter: 'Stella' }
  const acme = { id: acmeId, kind: 'customer', name: 'Acme' } as const
  const invitation = Number(umbrella.id)
  // Somebody of Umbrella who could be given access there.
  db.insert(memberships)
    .values({ accountId: umbrellaId, userId: userId(panel, 'nils'), role: 'member', createdAt: 1, lastUsedAt: 1 })
    .run()
  db.insert(partnerRequests).values({ accountId: umbrellaId, requestedBy: uma, createdAt: 1 }).run()
  const rivalId = account('rival')
  // A number in the other's pool bounds nothing here.
  const limit = { amount: 5, remark: '', setAt: 1 }
  db.insert(limits)
    .values({ ...limit, level: 'pool', accountId: rivalId, resourceId: 1 })
    .run()
  db.insert(limits)
    .values({ ...limit, level: 'account', accountId: umbrellaId, resourceId: 2 })
    .run()
  const edit = { amounts: new Map([[5, 9]]), remark: '', version: 2 }
  const foreignRequest = { partnerId: cloudhausId, accountId: umbrellaId, id: Number(umbrella.request) }
  const [siblings] = db
    .insert(quotaRequests)
    .values({ accountId: account('initech'), requestedBy: userId(panel, 'ines'), reason: 'X', createdAt: 1 })
    .returning()
    .all()
  db.insert(quotaRequests)
    .values({ accountId: umbrellaId, requestedBy: uma, reason: 'X', createdAt: 1, state: 'declined', endedAt: 2 })
    .run()
  const ofSibling = { partnerId: cloudhausId, accountId: acmeId, id: siblings?.id ?? 0 }
  const tell = { post: panel.app.postLetter, publicUrl: '', supportEmail: undefined, panelName: '' }
  // Deleted customers of Rival, and a deleted project of Umbrella.
  const gone = { name: 'Gone', identifier: 'gone', search: 'gone', createdAt: 1, deletedAt: panel.app.now() }
  db.insert(projects)
    .values({ ...gone, accountId: umbrellaId })
    .run()
  for (const [userId, identifier] of [
    [uma, 'gone'],
    [stella, 'gone-too'],
  ] as const) {
    db.insert(accounts)
      .values({ ...gone, kind: 'customer', partnerId: rivalId, identifier, deletedAt: null })
      .run()
    const accountId = account(identifier)
    db.insert(memberships).values({ accountId, userId, role: 'member', createdAt: 1, lastUsedAt: 1 }).run()
    db.update(accounts).set({ deletedAt: gone.deletedAt }).where(eq(accounts.id, accountId)).run()
  }
  const goneId = account('gone')
  const goneProject = projectId({ db }, 'gone')
  const riva = { ...actor, accountId: rivalId }
  const secret = {
    contactName: 'S',
    contactEmail: '',
    contactPhone: '',
    contactAddress: '',
    note: 'S',
    tags: ['secret'],
  }
  details.changeDetails(
    db,
    riva,
    { partnerId: rivalId, identifier: 'umbrella' },
    { wanted: { ...secret, reference: 'S-1' }, version: 0 },
  )
  const foreign = { partnerId: cloudhausId, identifier: 'umbrella' }
  const secretPlan = Number(umbrella.plan)
  const wanted = { name: 'X', isDefault: true, amounts: new Map(), version: 1 }
  const [planOfForeign, seen] = [{ partnerId: cloudhausId, id: secretPlan }, { source: 1 }]
  const apply = (accountId: AccountId, source: LimitSource) =>
    applyLimits(db, actor, { partnerId: cloudhausId, accountId, source, seen }, panel.app.mailContext)
  const ofForeign = { accountId: acmeId, userId: asUserId(Number(umbrella.serviceUser)) }
  const renamed = { name: 'X', role: 'admin', version: 1 } as const
  const before = lasting(panel)

  const foreignHook = { owner: acmeId, id: Number(umbrella.webhook) }
  const foreignDelivery = { ...foreignHook, delivery: Number(umbrella.delivery) }
  const ofOwnHook = { owner: acmeId, id: Number(acmeObjects.webhook), delivery: Number(umbrella.delivery) }
  const foreignDomain = { accountId: acmeId, id: Number(umbrella.domain) }
  const tokenOfDomain = domains.listDomains(db, umbrellaId)[0]?.token ?? ''
  const hookEdit = { url: 'https://x.example/', events: '*', on: false }
  const found: Record<string, unknown> = {
    findServiceUser: programs.findServiceUser(db, acmeId, ofForeign.userId),
    listServiceUsers: programs
      .listServiceUsers(db, acmeId, firstPage(programs.serviceUserList))
      .rows.filter(({ userId }) => userId === ofForeign.userId),
    changeServiceUser: programs.changeServiceUser(db, actor, ofForeign, renamed),
    removeServiceUser: programs.removeServiceUser(db, actor, ofForeign),
    findDomain: domains.findDomain(db, foreignDomain),
    listDomains: domains.listDomains(db, acmeId).filter(({ id }) => id === foreignDomain.id),
    removeDomain: domains.removeDomain(db, actor, foreignDomain),
    noteCheck: domains.noteCheck(db, actor, { ...foreignDomain, token: tokenOfDomain }, true),
    addGroupToForeignProject: addGroup(db, actor, acmeId, {
      value: 'x',
      role: 'admin',
      projectId: skunkworks,
      projectRole: 'admin',
    }),
    removeGroup: removeGroup(db, actor, { accountId: acmeId, id: Number(umbrella.groupRule) }),
    findWebhook: webhooks.findWebhook(db, foreignHook),
    findWebhookOfSupport: webhooks.findWebhook(db, { ...foreignHook, owner: null }),
    listWebhooks: webhooks.allWebhooks(db, acmeId).filter(({ id }) => id === foreignHook.id),
    changeWebhook: webhooks.changeWebhook(db, actor, foreignHook, hookEdit),
    rotateWebhookSecret: webhooks.rotateWebhookSecret(db, actor, foreignHook, panel.app.secrets),
    removeWebhook: webhooks.removeWebhook(db, actor, foreignHook),
    testWebhook: webhooks.testWebhook(db, actor, foreignHook),
    retrySince: webhooks.retrySince(db, actor, foreignHook, 0),
    findDelivery: deliveries.findDelivery(db, foreignDelivery),
    findDeliveryOfOther: deliveries.findDelivery(db, ofOwnHook),
    retryDelivery: deliveries.retryDelivery(db, actor, foreignDelivery),
    retryDeliveryOfOther: deliveries.retryDelivery(db, actor, ofOwnHook),
    findPlan: plans.findPlan(db, cloudhausId, secretPlan),
    findPlanByName: plans.findPlanByName(db, cloudhausId, 'Secret plan'),
    listPlans: plans.listPlans(db, cloudhausId).filter(({ id }) => id === secretPlan),
    changePlan: plans.changePlan(db, actor, planOfForeign, wanted),
    removePlan: plans.removePlan(db, actor, planOfForeign),
    findLimitOffer: findLimitOffer(db, cloudhausId, { planId: secretPlan }, { quotas: [], version: 1 }),
    findOfferOfForeignCustomer: findLimitOffer(db, cloudhausId, { fromId: umbrellaId }, { quotas: [], version: 1 }),
    applyForeignPlan: apply(acmeId, { planId: secretPlan }),
    applyToForeign: apply(umbrellaId, { planId: plans.listPlans(db, cloudhausId)[0]?.id ?? 0 }),
    copyOfForeign: apply(acmeId, { fromId: umbrellaId }),
    copyToForeign: apply(umbrellaId, { fromId: acmeId }),
    findCustomerById: findCustomerById(db, cloudhausId, umbrellaId),
    findDetails: details.findDetails(db, cloudhausId, umbrellaId).version,
    findByReference: details.findByReference(db, cloudhausId, acmeId, 'S-1'),
    listTags: details.listTags(db, cloudhausId, 5),
    changeDetails: details.changeDetails(db, actor, foreign, { wanted: { ...secret, reference: 'X' }, version: 0 }),
    listAccess: listAccess(db, acmeId, skunkworks, firstPage(accessList)).rows,
    listAccessOf: listAccessOf(db, acmeId, [skunkworks], 25),
    giveAccess: access.giveAccess(
      db,
      actor,
      { accountId: acmeId, projectId: skunkworks },
      { userIds: [uma], role: 'reader' },
    ),
    findAccess: access.findAccess(db, { accountId: acmeId, projectId: skunkworks, userId: uma }),
    changeAccess: access.changeAccess(
      db,
      actor,
      { accountId: acmeId, projectId: skunkworks, userId: uma },
      { role: 'reader', version: 1 },
    ),
    removeAccess: access.removeAccess(db, actor, { accountId: acmeId, projectId: skunkworks, userId: uma }),
    findMembership: findMembership(db, stella, umbrellaId),
    findOwnAccount: findOwnAccount(db, stella, 'umbrella'),
    switchAccount: switchAccount(db, actor, { sessionHash: '', userId: stella }, { identifier: 'umbrella', at: 1 }),
    listPartnerAccounts: listPartnerAccounts(db, stella, 10).length > 0,
    whyNotInvited: invitationData.whyNotInvited(db, acmeId, 'new@acme.example', actor.at),
    whyNotInvitedWhoIsElsewhere: invitationData.whyNotInvited(db, acmeId, 'secret@umbrella.example', actor.at),
    findCustomer: findCustomer(db, cloudhausId, 'umbrella'),
    findQuotas: quotas.findQuotas(db, { level: 'project', accountId: acmeId, projectId: skunkworks }),
    setLimits:
      quotas.setLimits(db, actor, { level: 'project', accountId: acmeId, projectId: skunkworks }, edit) === 'saved',
    limitsOfProjects: limitsOfProjects(db, acmeId, [skunkworks]).get(skunkworks),
    poolBoundsProjects: poolBoundsProjects(db, cloudhausId),
    quotaRows: [...quotaRows(db, cloudhausId)].filter((row) => row.includes('umbrella')),
    askForMore: askForMore(
      db,
      actor,
      { accountId: acmeId, projectId: skunkworks, amounts: edit.amounts as Map<number, number>, reason: 'X' },
      tell,
    ),
    listRequestsOf: requests
      .listRequestsOf(db, acmeId, firstPage(requests.ownRequestList))
      .rows.filter(({ identifier }) => identifier !== 'acme'),
    listOpenRequestsOfSupport: requests.listOpenRequests(db, null, firstPage(requests.openRequestList)).rows,
    approveRequest: approveRequest(db, actor, { ...foreignRequest, amounts: new Map(), comment: '' }, tell) !== 'ended',
    approveRequestOfAcme:
      approveRequest(db, actor, { ...foreignRequest, accountId: acmeId, amounts: new Map(), comment: '' }, tell) !==
      'ended',
    declineRequest: declineRequest(db, actor, { ...foreignRequest, comment: 'No' }, tell),
    declineRequestAsSupport: declineRequest(db, actor, { ...foreignRequest, partnerId: null, comment: 'No' }, tell),
    declineRequestOfAcme: declineRequest(db, actor, { ...foreignRequest, accountId: acmeId, comment: 'No' }, tell),
    declineRequestOfSibling: declineRequest(db, actor, { ...ofSibling, comment: 'No' }, tell),
    dropProjectLimits: quotas.dropProjectLimits(db, acmeId, skunkworks),
    findRequest: requests.findRequest(db, acmeId, foreignRequest.id),
    findImport: importData.findImport(db, acmeId, 'users', Number(umbrella.import)),
    startImport: importData.startImport(db, actor, {
      id: Number(umbrella.import),
      accountId: acmeId,
    } as importData.Import),
    discardImport: importEnding.discardImport(db, actor, { id: Number(umbrella.import), accountId: acmeId }),
    stopImport: importEnding.stopImport(db, actor, { id: Number(umbrella.import), accountId: acmeId }),
    cancelSomeInvitations: importEnding.cancelSomeInvitations(db, actor, {
      id: Number(umbrella.import),
      accountId: acmeId,
      kind: 'users',
    }),
    cancelRequest: cancelRequest(db, actor, acmeId, foreignRequest.id),
    deleteAccount: deletedAccounts.deleteAccount(
      db,
      actor,
      { partnerId: cloudhausId, accountId: umbrellaId },
      panel.app.mailContext,
    ),
    deleteAccountAsSupport: deletedAccounts.deleteAccount(
      db,
      actor,
      { partnerId: null, accountId: umbrellaId },
      panel.app.mailContext,
    ),
    deletePartner: deletedAccounts.deleteAccount(
      db,
      actor,
      { partnerId: null, accountId: cloudhausId },
      panel.app.mailContext,
    ),
    findRestorable: deletedAccounts.findRestorable(db, cloudhausId, 'gone', actor.at),
    findRestorableAsSupport: deletedAccounts.findRestorable(db, null, 'gone', actor.at),
    restoreAccount: deletedAccounts.restoreAccount(db, actor, cloudhausId, goneId),
    restoreAccountAsSupport: deletedAccounts.restoreAccount(db, actor, null, goneId),
    restoreLiving: deletedAccounts.restoreAccount(db, actor, rivalId, umbrellaId),
    listDeletedCustomers: listDeletedCustomers(db, cloudhausId, firstPage(deletedCustomerList), actor.at).rows,
    findDeletedMembership: findDeletedMembership(db, stella, goneId),
    findDeletedProject: deletedProjects.findDeletedProject(db, acmeId, 'gone', actor.at),
    restoreProject: deletedProjects.restoreProject(db, actor, acmeId, goneProject),
    restoreLivingProject: deletedProjects.restoreProject(db, actor, umbrellaId, skunkworks),
    listDeletedProjects: deletedProjects.listDeletedProjects(
      db,
      acmeId,
      firstPage(deletedProjects.deletedProjectList),
      actor.at,
    ).rows,
    exportTables: exportTables(db, goneId),
    moveAccount: transfer.moveAccount(db, actor, { accountId: goneId, to: 'cloudhaus' }, tell),
    movePartner: transfer.moveAccount(db, actor, { accountId: cloudhausId, to: 'rival' }, tell),
    tiesOfAnother: findTies(db, { id: acmeId, partnerId: rivalId }).people.first,
    invitationsOfAnother: findTies(db, { id: acmeId, partnerId: rivalId }).invitations.first,
    findMember: members.findMember(db, acmeId, uma),
    changeRole: members.changeRole(db, actor, { accountId: acmeId, userId: uma }, { role: 'member', version: 1 }),
    removeMember: members.removeMember(db, actor, { accountId: acmeId, userId: uma }, { exit: 'member.removed' }),
    listProjectsOf: listProjectsOf(db, acmeId, uma),
    listProjectsOfForeign: listProjectsOf(db, umbrellaId, stella),
    resend: pendingData.resend(db, actor, sender, { account: acme, id: invitation, handler: 'own' }),
    correctInvitation: pendingData.correctInvitation(db, actor, sender, {
      account: acme,
      id: invitation,
      handler: 'own',
      person: {
        name: 'Changed',
        email: 'changed@acme.example',
      },
    }),
    cancelInvitation: pendingData.cancelInvitation(db, actor, { accountId: acmeId, id: invitation, handler: 'own' }),
    copyLink: pendingData.copyLink(db, actor, { accountId: acmeId, id: invitation, handler: 'own' }),
    findProject: projectData.findProject(db, acmeId, everything, 'skunkworks'),
    findProjectsById: projectData.findProjectsById(db, acmeId, [skunkworks]),
    renameProject: projectData.renameProject(
      db,
      actor,
      { accountId: acmeId, projectId: skunkworks },
      { name: 'Changed', version: 1 },
    ),
    deleteProject: deleteProject(db, actor, acmeId, skunkworks),
    findPendingRequest: partnership.findPendingRequest(db, acmeId),
    endSession: endSession(db, actor, Number(umbrella.session)),
    findPasskey: passkeyData.findPasskey(db, stella, Number(umbrella.passkey)),
    renamePasskey: passkeyData.renamePasskey(db, actor, Number(umbrella.passkey), 'Changed'),
    removePasskey: passkeyData.removePasskey(db, actor, { id: Number(umbrella.passkey), sso: undefined }, () => {}),
    findSavedView: savedViewData.findSavedView(db, stella, Number(umbrella.savedView)),
    listSavedViews: savedViewData.listSavedViews(db, { userId: stella, accountId: umbrellaId, list: 'users' }),
    saveView: savedViewData.saveView(
      db,
      actor,
      { accountId: umbrellaId, list: 'users' },
      { name: 'Changed', search: 'a', query: '' },
    ),
    saveViewOfSupport: savedViewData.saveView(
      db,
      actor,
      { accountId: null, list: 'all-users' },
      { name: 'Changed', search: 'a', query: '' },
    ),
    renameSavedView: savedViewData.renameSavedView(db, actor, Number(umbrella.savedView), 'Changed'),
    removeSavedView: savedViewData.removeSavedView(db, actor, Number(umbrella.savedView)),
    findEmailChange: emailChange.findEmailChange(db, { id: stella, email: '', emailProved: false }, umbrella.token, 1),
  }
  for (const [name, result] of Object.entries(found))
    t.ok(!result || (Array.isArray(result) && result.length === 0), `${name} finds nothing`)
  t.same(
    members.listAdmins(db, acmeId, 25).map(({ email }) => email),
    [cast.stella.email],
  )
  t.equal(members.listMembers(db, acmeId, { ...firstPage(members.memberList), q: 'example' }).total, 2)
  t.equal(members.countAdmins(db, acmeId), 1)
  t.equal(members.countMembers(db, acmeId), 2)
  t.equal(projectData.countProjects(db, acmeId), 2)
  t.same(
    listDeletedAccounts(db, stella, firstPage(deletedMembershipList)).rows.map(({ identifier }) => identifier),
    ['gone-too'],
  )
  t.equal(listOwnAccounts(db, stella, firstPage(ownAccountList)).total, 1)
  t.equal(listOwnAccounts(db, stella, { ...firstPage(ownAccountList), q: 'c' }).total, 1)
  t.equal(listCustomers(db, cloudhausId, firstPage(customerList), 1).total, 2)
  t.match(quotas.projectQuota(db, acmeId), { own: { allocated: 2, limit: null }, available: null })
  t.match(quotas.projectQuota(db, umbrellaId), { available: 4 })
  const own = quotas.findQuotas(db, { level: 'account', accountId: acmeId })?.quotas ?? []
  t.ok(own.length > 1 && own.every(({ own }) => own.limit === null), 'what another may have bounds nothing here')
  const volumes = quotas.findQuotas(db, { level: 'account', accountId: acmeId }, 'volumes')?.quotas[0]
  t.equal(volumes?.own.allocated, 2, 'what another has given is not counted here')
  const pool = quotas.findQuotas(db, { level: 'pool', accountId: rivalId }, 'volumes')?.quotas[0]
  t.equal(pool?.own.allocated, 3)
  t.same(
    usesOf(db, [acmeId])
      .get(acmeId)
      ?.map(({ allocated }) => allocated),
    [2, 0, 0, 0, 2, 0, 0, 0],
  )
  t.same(
    requests
      .listOpenRequests(db, cloudhausId, firstPage(requests.openRequestList))
      .rows.map(({ identifier }) => identifier),
    ['acme', 'initech'],
  )
  t.equal(importData.listImports(db, acmeId, 'users', firstPage(importData.importList)).total, 1)
  t.equal(requests.countOpenRequests(db, cloudhausId), 2)
  t.equal(requests.countOpenRequests(db, null), 0)
  t.equal(requests.findOpenRequest(db, acmeId)?.identifier, 'acme')
  t.strictSame(lasting(panel), before)
  const values = { accountId: umbrellaId, name: 'S', identifier: 'skunkworks-2', search: 's', createdAt: 1 }
  db.insert(projects).values(values).run()
  t.equal(projectData.proposeProjectIdentifier(db, acmeId, 'skunkworks'), 'skunkworks-2', 'free in Acme')
})

t.test('an export shows nothing of another tenant', async (t) => {
  const { panel } = await prepare(t)
  const acmeId = accountId(panel, 'acme')
  const tables = exportTables(panel.db, acmeId) ?? []
  t.ok(tables.length > 5)
  for (const { name, rows } of tables) {
    const text = JSON.stringify([...rows()])
    t.same(
      wordsOf.umbrella.filter((word) => text.includes(word)),
      [],
      name,
    )
  }
})

t.test('what the end of an account counts, ends, gives back and forgets is its own', async (t) => {
  const { panel } = await prepare(t)
  const { db } = panel
  const account = (identifier: string) => accountId(panel, identifier)
  const [acmeId, umbrellaId, cloudhausId] = [account('acme'), account('umbrella'), account('cloudhaus')]
  const uma = userId(panel, 'uma')
  const actor = {
    userId: uma,
    accountId: null,
    bySupport: true,
    at: panel.app.now(),
    ip: null,
    requestId: null,
    stillMay: null,
  }
  // Nils is a user of a deleted account alone.
  db.insert(accounts).values({ name: 'Gone', identifier: 'gone', search: 'gone', kind: 'customer', createdAt: 1 }).run()
  const goneId = account('gone')
  db.insert(memberships)
    .values({ accountId: goneId, userId: userId(panel, 'nils'), role: 'member', createdAt: 1, lastUsedAt: 1 })
    .run()
  db.update(accounts).set({ deletedAt: actor.at }).where(eq(accounts.id, goneId)).run()
  // All that an account can have, Umbrella has.
  db.insert(partnerRequests).values({ accountId: umbrellaId, requestedBy: uma, createdAt: 1 }).run()
  const gone = {
    name: 'Gone',
    identifier: 'gone',
    search: 'gone',
    createdAt: 1,
    deletedAt: actor.at,
    accountId: umbrellaId,
  }
  db.insert(projects).values(gone).run()
  const limit = { level: 'account', resourceId: 2, amount: 5, remark: '', setAt: 1 } as const
  db.insert(limits)
    .values({ ...limit, accountId: umbrellaId })
    .run()
  db.update(imports).set({ state: 'running' }).where(eq(imports.accountId, umbrellaId)).run()
  /** Uma does it all here, so that e-mails to Acme’s admins name her, and words beside its records are hers. */
  const ofUmbrella = () => ({ ...rowsOf(panel, umbrellaId, uma), letter_people: [], personal_changes: [] })
  const before = ofUmbrella()

  t.strictSame(foreseeLosses(db, acmeId), {
    users: 2,
    stranded: { names: [`Stella (${cast.stella.email})`, `Tom (${cast.tom.email})`], total: 2, more: false },
    projects: { names: ['Shop (shop)', 'Website (website)'], total: 2, more: false },
    projectsMark: '2-2',
    deletedProjects: 0,
    invitations: { names: [`Nils (${cast.nils.email})`, 'Own Guest (guest@acme.example)'], total: 2, more: false },
    limits: [],
    requester: 'Stella',
    asksToBePartner: false,
    imports: 0,
  })
  for (const { id } of db.select().from(projects).where(eq(projects.accountId, acmeId)).all())
    deleteProject(db, actor, acmeId, id)
  const recorded = (kind: string) =>
    db
      .select()
      .from(records)
      .where(eq(records.kind, kind))
      .all()
      .map(({ accountId, change }) => [accountId, JSON.parse(change).users])
  t.equal(
    deletedAccounts.deleteAccount(db, actor, { partnerId: cloudhausId, accountId: acmeId }, panel.app.mailContext),
    'deleted',
  )
  t.strictSame(recorded('account.deleted'), [[acmeId, [2, 0]]])
  t.equal(deletedAccounts.restoreAccount(db, actor, cloudhausId, acmeId), 'restored')
  t.strictSame(recorded('account.restored'), [[acmeId, [0, 2]]])
  t.equal(
    deletedAccounts.deleteAccount(db, actor, { partnerId: cloudhausId, accountId: acmeId }, panel.app.mailContext),
    'deleted',
  )
  t.strictSame(ofUmbrella(), before)

  // Umbrella's own deleted project, which is due as well, is none of the account's.
  const later = actor.at + 31 * 24 * 3_600_000
  const due = () => purge.nextDueAccount(db, later)
  for (let id = due(); id !== undefined; id = due()) purge.purgeAccount(db, later, id, { removeFiles: () => {} })
  t.strictSame(Object.fromEntries(recorded('account.purged')), { [acmeId]: [2, 0], [goneId]: [1, 0] })
  t.strictSame(ofUmbrella(), before)
  t.ok(purge.purgeDeletedProject(db, later, there(purge.nextDueProject(db, later))))
  t.strictSame({ ...ofUmbrella(), projects: [], records: [] }, { ...before, projects: [], records: [] })
})

t.test('a partner account without customers becomes a customer account, whatever customers others have', async (t) => {
  const { panel } = await prepare(t)
  const olga = await panel.signIn('olga')
  const account = { name: 'W', identifier: 'wayne', kind: 'partner', adminName: 'G', adminEmail: 'g@wayne.example' }
  await olga.submit('/support/accounts', 'Create account', account)
  await olga.submit('/support/accounts', 'Make customer', {}, 'wayne')
  t.equal(panel.db.select().from(accounts).where(eq(accounts.identifier, 'wayne')).get()?.kind, 'customer')
})

t.test('changing the account touches one’s own session and membership alone', async (t) => {
  const { panel, acme } = await prepare(t)
  const { db } = panel
  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const others = () => {
    const rows = panel.rows()
    const petraId = userId({ db }, 'petra')
    const notPetras = (row: unknown) => (row as { user_id: number }).user_id !== petraId
    return [lasting(panel).sessions?.filter(notPetras), rows.memberships?.filter(notPetras)]
  }
  const before = others()
  panel.pass(60_000)
  await petra.switchTo('acme')
  t.equal((await petra.open('/')).activeAccount, 'Acme')
  await petra.switchTo('cloudhaus')
  t.equal((await petra.open('/')).activeAccount, 'Cloudhaus', 'of several accounts the chosen one is active')
  t.strictSame(others(), before)

  const tomsSession = db
    .select()
    .from(sessions)
    .where(eq(sessions.id, Number(acme.session)))
    .get()
  const stellaId = userId({ db }, 'stella')
  const umbrellaId = accountId(panel, 'umbrella')
  db.update(sessions)
    .set({ activeAccountId: umbrellaId })
    .where(eq(sessions.id, Number(acme.session)))
    .run()
  switchAccount(
    db,
    { stillMay: null },
    { sessionHash: tomsSession?.hash ?? '', userId: stellaId },
    { identifier: 'acme', at: panel.app.now() },
  )
  const after = db
    .select()
    .from(sessions)
    .where(eq(sessions.id, Number(acme.session)))
    .get()
  t.equal(after?.activeAccountId, umbrellaId, 'another’s session stays where it is')
  t.equal((await stella.open('/')).activeAccount, 'Acme')

  const person = {
    userId: stellaId,
    accountId: null,
    bySupport: false,
    at: 1,
    ip: null,
    requestId: null,
    stillMay: null,
  }
  twoFactor.switchOn(
    db,
    person,
    { sealedSecret: 'sealed', step: 1, codes: [], sessionHash: tomsSession?.hash ?? '' },
    () => {},
  )
  const proved = db.select().from(sessions).where(eq(sessions.secondFactor, true)).all()
  t.same(proved, [], 'nor is it proved by another’s second factor')
})

t.test('only members of a partner account find the Partner Area', async (t) => {
  const { panel } = await prepare(t)
  for (const who of groups.signedIn) {
    const menu = (await (await panel.signIn(who)).open('/')).settingsMenu
    t.equal(menu.includes('Partner Area'), isIn(who, 'partners'), who)
    t.equal(menu.includes('Support Area'), isIn(who, 'support'), who)
  }
})

t.test('who is a user of another account can be invited', async (t) => {
  const { panel } = await prepare(t)
  const stella = await panel.signIn('stella')
  const invited = await stella.submit('/customer/users', 'Invite', { name: 'Uma', email: cast.uma.email })
  t.equal(invited.status, 303, invited.error('email'))
  const guest = { name: 'Secret Guest', email: 'secret@umbrella.example' }
  t.equal((await stella.submit('/customer/users', 'Invite', guest)).status, 303, 'so can who is invited elsewhere')
})

t.test('an expired invitation gives way to a new one of the same account and address alone', async (t) => {
  const { panel } = await prepare(t)
  const { db } = panel
  const acme = db.select().from(accounts).where(eq(accounts.identifier, 'acme')).get()
  const stellaId = userId({ db }, 'stella')
  const at = panel.app.now() + 8 * 24 * 3_600_000
  const actor = {
    userId: stellaId,
    accountId: accountId(panel, 'acme'),
    bySupport: false,
    at,
    ip: null,
    requestId: null,
    stillMay: null,
  }
  const sender = { post: panel.app.postLetter, publicUrl: '', inviter: 'Stella' }
  const invite = (email: string) =>
    acme &&
    invitationData.invite(db, actor, sender, {
      account: acme,
      input: { name: 'Guest', email, role: 'member' as const, projects: [] },
    })
  t.type(invite('secret@umbrella.example'), 'object')
  t.type(invite('new@acme.example'), 'object')
  t.notOk(
    db
      .select()
      .from(invitations)
      .all()
      .some(({ state }) => state === 'expired'),
  )
  t.type(invite('guest@acme.example'), 'object')
  t.equal(
    db
      .select()
      .from(invitations)
      .all()
      .filter(({ state }) => state === 'expired').length,
    1,
  )
})

t.test(
  'a role, access or membership that changes in one account stays in all others, and for all others',
  async (t) => {
    const { panel } = await prepare(t)
    const [petra, stella, ines] = [
      await panel.signIn('petra'),
      await panel.signIn('stella'),
      await panel.signIn('ines'),
    ]
    const petraId = String(userId(panel, 'petra'))
    const acmeId = accountId(panel, 'acme')
    for (const customer of ['acme', 'initech']) await petra.submit(`/partner/customers/${customer}/users`, 'Add Myself')
    await ines.submit('/projects', 'Create project', { name: 'Intranet', identifier: 'intranet' })
    await ines.submit('/projects/intranet', 'Give access', { people: petraId, role: 'user' })
    await stella.submit('/projects/website', 'Give access', { people: petraId, role: 'user' })
    type Row = { account_id: number; user_id: number }
    /** Everything but what Petra is and has in Acme. */
    const rest = () => {
      const { memberships, project_access } = panel.rows()
      return [memberships, project_access].map((rows) =>
        (rows as Row[]).filter((row) => row.account_id !== acmeId || row.user_id !== Number(petraId)),
      )
    }
    const before = rest()
    const act = async (what: Promise<Page>) => {
      t.equal((await what).status, 303)
      t.strictSame(rest(), before)
    }
    await act(stella.submit('/customer/users', 'Save', { role: 'member' }, cast.petra.email))
    await act(stella.submit('/projects/website', 'Save', { role: 'reader' }, cast.petra.email))
    await act(stella.submit('/projects/website', 'Remove', {}, cast.petra.email))
    await stella.submit('/projects/website', 'Give access', { people: petraId, role: 'user' })
    await act(stella.submit(`/customer/users/${petraId}/removal`, 'Remove Petra'))
    const last = await stella.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)
    t.equal(last.status, 422, 'admins of other accounts do not stand in for the last one')
  },
)

t.test('what one tenant does leaves all others’ rows as they were', async (t) => {
  const { panel, acme } = await prepare(t)
  const { db } = panel
  const [stella, tom, olga] = [await panel.signIn('stella'), await panel.signIn('tom'), await panel.signIn('olga')]
  const petra = await panel.signIn('petra')
  await panel.signIn('uma')
  const ofUmbrella = () => rowsOf(panel, accountId(panel, 'umbrella'), userId(panel, 'uma'))
  const uma = await panel.signIn('uma')
  await uma.submit('/customer/account', 'Ask to become a partner')
  const asked = db.select().from(partnerRequests).all()
  // Umbrella has a quota of its own, has asked as often today as one may, and got some by its partner's rule.
  const riva = await panel.signIn('riva')
  await riva.submit('/partner/customers/umbrella/quotas', 'Save quotas', { volumes: '9' })
  const [at, umbrellaId] = [panel.app.now(), there(asked[0]?.accountId)]
  const more = { accountId: umbrellaId, requestedBy: userId(panel, 'uma'), reason: 'X', createdAt: at, endedAt: at }
  for (let n = 0; n < 30; n++)
    db.insert(quotaRequests)
      .values({ ...more, state: 'approved', automatic: true })
      .run()
  await lettersKept(panel)
  const afterUma = ofUmbrella()

  const words = 'correct horse battery staple'
  t.equal((await tom.post(`/profile/email/${acme.token}`)).status, 303)
  await tom.submit('/profile', 'Save name', { name: 'Thomas' })
  await tom.submit('/profile', 'Change e-mail', { email: 'thomas@new.example' })
  await tom.submit('/profile', 'Change password', { current: demoPassword, password: words, repeated: words })
  await panel.signIn('stella')
  await stella.submit('/profile', 'End all other sessions')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, 'Thomas')
  await stella.submit('/customer/account', 'Save name', { name: 'Acme Two' })
  await stella.submit('/projects/website', 'Save quotas', { volumes: '1' })
  await stella.submit('/customer/quotas', 'Cancel request')
  await stella.submit('/customer/quotas?project=website', 'Send request', { volumes: '2', reason: 'X' })
  await petra.submit('/partner/quotas', 'Save', { share: '50' })
  await petra.submit('/partner/customers/acme/quotas', 'Save quotas', { volumes: '4' })
  await petra.submit('/partner/customers/acme/quotas', 'Approve')
  await stella.submit('/customer/quotas', 'Send request', { volumes: '5', reason: 'By the rule' })
  t.match(db.select().from(quotaRequests).where(eq(quotaRequests.reason, 'By the rule')).get(), {
    state: 'approved',
    automatic: true,
  })
  await stella.submit('/customer/quotas?project=website', 'Send request', { volumes: '9', reason: 'X' })
  await stella.submit('/customer/account', 'Ask to become a partner')
  await olga.submit('/support/accounts', 'Decline', {}, 'acme')
  await olga.submit(`/support/users/${userId(panel, 'acme@new.example')}`, 'End sessions')
  await panel.visit().logIn('acme@new.example', words)
  db.update(users)
    .set({ totpSecret: 'sealed' })
    .where(eq(users.id, userId(panel, 'acme@new.example')))
    .run()
  await olga.submit('/support/users', 'Reset two-factor', {}, 'Thomas')
  await olga.submit('/support/users', 'Disable', {}, 'Thomas')
  await stella.submit('/customer/users', 'Save', { role: 'member' }, 'Thomas')
  await stella.submit('/projects/shop/removal', 'Delete project', { identifier: 'shop' })
  await stella.submit((await stella.get('/customer/users')).link('Remove', 'Thomas') ?? '', 'Remove Thomas')
  t.strictSame(ofUmbrella(), afterUma)
  const umbrellas = asked.find(({ requestedBy }) => requestedBy)
  t.match(
    db
      .select()
      .from(partnerRequests)
      .all()
      .find(({ id }) => id === umbrellas?.id),
    { state: 'pending' },
    'another’s request is not decided with one’s own',
  )
})

t.test('a visitor is sent to log in, and changes no row', async (t) => {
  const { panel, acme } = await prepare(t)
  const visitor = panel.visit()
  for (const route of routesOf(panel).filter(({ group }) => group !== 'everyone')) {
    const before = panel.rows()
    const path = addressOf(route.url, acme)
    const answer = route.method === 'GET' ? await visitor.get(path) : await visitor.postRaw(path, '')
    t.equal(answer.status, 303, routeName(route))
    t.match(answer.location, /^\/login\?next=/)
    t.strictSame(panel.rows(), before)
  }
})

t.test('an invitee may accept what is for the own address, and nothing else', async (t) => {
  const { panel, acme } = await prepare(t)
  const nils = await panel.signIn('nils')
  const before = lasting(panel)
  await nils.post(`/my-invitations/${acme.id}/acceptance`)
  t.strictSame(lasting(panel), before, 'another’s invitation')
  t.equal((await nils.get('/projects?account=acme')).status, 404, 'not in yet')
  const own = panel.db.select().from(invitations).where(eq(invitations.email, cast.nils.email)).get()?.id
  const accepted = await nils.post(`/my-invitations/${own}/acceptance`)
  t.equal((await nils.open(accepted.location ?? '')).activeAccount, 'Acme')
})

t.test('a removed member, a demoted admin and a disabled user do nothing more with a live session', async (t) => {
  const { panel, acme } = await prepare(t)
  const [tom, dora, max] = [await panel.signIn('tom'), await panel.signIn('dora'), await panel.signIn('max')]
  const [stella, petra, olga] = [await panel.signIn('stella'), await panel.signIn('petra'), await panel.signIn('olga')]
  await petra.submit('/customer/users', 'Save', { role: 'admin' }, cast.max.email)
  t.equal((await max.get('/partner/history')).status, 200)
  await petra.submit('/customer/users', 'Save', { role: 'member' }, cast.max.email)
  await stella.submit(`/customer/users/${acme.user}/removal`, 'Remove Tom')
  await olga.submit('/support/users', 'Disable', {}, cast.dora.email)
  await lettersKept(panel)

  for (const route of routesOf(panel)) {
    const before = lasting(panel)
    const name = routeName(route)
    if (isIn('petra', route.group) && !isIn('max', route.group))
      t.equal((await send(max, route, acme)).status, 403, `demoted: ${name}`)
    if (!isIn('nils', route.group)) t.equal((await send(tom, route, acme)).status, 403, `removed: ${name}`)
    if (route.group !== 'everyone') {
      const path = addressOf(route.url, acme)
      const disabled = route.method === 'GET' ? await dora.get(path) : await dora.postRaw(path, '')
      t.match(disabled.location, /^\/login/, `disabled: ${name}`)
    }
    t.strictSame(lasting(panel), before, name)
  }
  const ofTom = eq(memberships.userId, userId(panel, 'tom'))
  t.equal(panel.db.select().from(memberships).where(ofTom).all().length, 0)
  t.same(panel.db.select().from(partnerRequests).all(), [])
  t.equal(panel.db.select().from(projects).all().length, 3)
})

t.test('a form of another account answers 409 and changes no row, whatever it is', async (t) => {
  const { panel, acme } = await prepare(t)
  const petra = await panel.signIn('petra')
  const stella = await panel.signIn('stella')
  const inAccount = routesOf(panel).filter(
    ({ method, url }) =>
      method === 'POST' && /^\/(customer|projects|partner\/customers)/.test(url) && !url.startsWith('/profile'),
  )
  t.ok(inAccount.length > 20)
  for (const [client, other] of [
    [stella, 'cloudhaus'],
    [petra, 'acme'],
  ] as const) {
    for (const route of inAccount) {
      const before = lasting(panel)
      const fields = { ...formFor(route.url, acme), _account: other }
      t.equal((await client.post(addressOf(route.url, acme), fields)).status, 409, routeName(route))
      t.strictSame(lasting(panel), before, routeName(route))
    }
  }
})
