import { eq } from 'drizzle-orm'
import { createServiceUser, type ServiceUser } from '../../src/accounts/service-users/data.ts'
import { addDomain } from '../../src/accounts/sso/data/domains.ts'
import { addGroup } from '../../src/accounts/sso/data/groups.ts'
import { saveAccountProvider } from '../../src/accounts/sso/data/provider.ts'
import {
  accounts,
  apiTokens,
  emailChanges,
  imports,
  invitations,
  letters,
  notifications,
  passkeys,
  plans,
  quotaRequests,
  sessions,
} from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { byItself } from '../../src/records/record.ts'
import { allTopics, ruleOf, wayField } from '../../src/records/topics.ts'
import { hashToken, seal } from '../../src/secrets.ts'
import { saveView } from '../../src/web/lists/saved/data.ts'
import { tokenOf } from '../api/program.ts'
import { passkeyOf } from '../authenticator.ts'
import { accountId, type Fields, type Panel, startApp, userId } from '../harness.ts'
import { startNameServer } from '../name-server.ts'
import { until } from '../smtp.ts'
import { addFailedDelivery, addWebhook } from '../webhooks/receiver.ts'

// Two accounts of different partners with one of everything, and a form for each route.

/** What identifies objects in addresses and forms. */
export type Objects = Record<
  | 'apiToken'
  | 'serviceUser'
  | 'passkey'
  | 'savedView'
  | 'customer'
  | 'identifier'
  | 'project'
  | 'user'
  | 'id'
  | 'letter'
  | 'session'
  | 'token'
  | 'request'
  | 'key'
  | 'import'
  | 'plan'
  | 'webhook'
  | 'delivery'
  | 'domain'
  | 'groupRule',
  string
>

export const missing: Objects = {
  webhook: '99999',
  delivery: '99999',
  domain: '99999',
  groupRule: '99999',
  customer: 'nobody',
  identifier: 'nobody',
  project: 'nothing',
  user: '99999',
  id: '99999',
  letter: '99999',
  session: '99999',
  apiToken: '99999',
  serviceUser: '99999',
  passkey: '99999',
  savedView: '99999',
  request: '99999',
  key: 'nothing',
  import: '99999',
  plan: '99999',
  token: 'N'.repeat(43),
}

/** The workers have done with what they write, so that whatever changes from now on was changed by a request. */
export function lettersKept({ db }: Panel) {
  return until(
    'the letters are kept',
    () =>
      db
        .select()
        .from(notifications)
        .all()
        .every(({ mail }) => mail !== 'now') &&
      db
        .select()
        .from(letters)
        .all()
        .every(({ state }) => state !== 'waiting'),
  )
}

export type Prepared = { panel: Panel; acme: Objects; umbrella: Objects }

/** Acme and Umbrella each have a project, a plan of their partner's, an invitation and its letter, an open change of e-mail, a request for more quota, and somebody logged in. */
export async function prepare(t: Parameters<typeof startApp>[0]): Promise<Prepared> {
  const names = await startNameServer(t)
  const panel = await startApp(t, { settings: names.settings })
  const { db } = panel
  const uma = await panel.signIn('uma')
  await uma.submit('/projects', 'Create project', { name: 'Skunkworks', identifier: 'skunkworks' })
  await uma.submit('/customer/users', 'Invite', { name: 'Secret Guest', email: 'secret@umbrella.example' })
  await uma.submit('/projects/skunkworks', 'Save quotas', { volumes: '3', remark: 'Secret remark' })
  await uma.submit('/customer/imports', 'Check the file', { text: 'name,e-mail\nSecret Row,row@umbrella.example' })
  await uma.submit('/customer/quotas?project=skunkworks', 'Send request', { volumes: '7', reason: 'Secret reason' })
  const stella = await panel.signIn('stella')
  await stella.submit('/projects/website', 'Save quotas', { volumes: '2', remark: 'Own remark' })
  await stella.submit('/customer/imports', 'Check the file', { text: 'name,e-mail\nOwn Row,row@acme.example' })
  await stella.submit('/customer/quotas?project=website', 'Send request', { volumes: '5', reason: 'Own reason' })
  await stella.submit('/customer/users', 'Invite', { name: 'Own Guest', email: 'guest@acme.example' })
  await stella.submit('/customer/users', 'Invite', { name: 'Nils', email: cast.nils.email })
  await panel.signIn('tom')
  for (const [who, planName] of [
    ['petra', 'Own plan'],
    ['riva', 'Secret plan'],
  ] as const)
    await (await panel.signIn(who)).submit('/partner/plans/new', 'Create plan', { planName, cores: '7' })
  await lettersKept(panel)
  const objects = (
    { customer, project, guest, token }: { customer: string; project: string; guest: string; token: string },
    who: CastName,
  ): Objects => {
    db.insert(emailChanges)
      .values({
        hash: hashToken(token),
        userId: userId(panel, who),
        email: `${customer}@new.example`,
        expiresAt: panel.app.now() + 3_600_000,
      })
      .run()
    const webhook = addWebhook(panel, accountId(panel, customer), `https://${customer}.example/hook`, 'import.stopped')
    return {
      webhook: String(webhook.id),
      delivery: String(addFailedDelivery(panel, webhook.id)),
      domain: String(domainOf(panel, customer)),
      groupRule: String(groupRuleOf(panel, customer)),
      customer,
      identifier: customer,
      project,
      user: String(userId(panel, who)),
      id: String(db.select().from(invitations).where(eq(invitations.email, guest)).get()?.id),
      letter: String(db.select().from(letters).where(eq(letters.email, guest)).get()?.id),
      session: String(
        db
          .select()
          .from(sessions)
          .where(eq(sessions.userId, userId(panel, who)))
          .get()?.id,
      ),
      token,
      ...makeTokens(panel, who, customer),
      passkey: String(
        db
          .insert(passkeys)
          .values(passkeyOf(userId(panel, who)))
          .returning()
          .get().id,
      ),
      savedView: String(savedViewOf(panel, who, customer)),
      request: String(
        db
          .select({ id: quotaRequests.id })
          .from(quotaRequests)
          .innerJoin(accounts, eq(accounts.id, quotaRequests.accountId))
          .where(eq(accounts.identifier, customer))
          .get()?.id,
      ),
      key: 'snapshots',
      plan: String(
        db
          .select()
          .from(plans)
          .where(eq(plans.name, customer === 'acme' ? 'Own plan' : 'Secret plan'))
          .get()?.id,
      ),
      import: String(
        db
          .select({ id: imports.id })
          .from(imports)
          .innerJoin(accounts, eq(accounts.id, imports.accountId))
          .where(eq(accounts.identifier, customer))
          .get()?.id,
      ),
    }
  }
  const prepared = {
    panel,
    acme: objects({ customer: 'acme', project: 'website', guest: 'guest@acme.example', token: 'A'.repeat(43) }, 'tom'),
    umbrella: objects(
      { customer: 'umbrella', project: 'skunkworks', guest: 'secret@umbrella.example', token: 'U'.repeat(43) },
      'uma',
    ),
  }
  await lettersKept(panel)
  return prepared
}

/** A domain, not proved, and a provider. */
export function domainOf({ app, db }: Panel, customer: string): number {
  const [by, id] = [byItself(app.now()), accountId({ db }, customer)]
  provide(app, db, customer)
  const added = addDomain(db, by, id, `${customer}.example`)
  return typeof added === 'object' ? added.id : 0
}

/** A provider of single sign-on, and a rule for a group of it. */
export function groupRuleOf({ app, db }: Panel, customer: string): number {
  const [by, id] = [byItself(app.now()), accountId({ db }, customer)]
  provide(app, db, customer)
  const added = addGroup(db, by, id, { value: 'staff', role: 'member', projectId: null, projectRole: null })
  return typeof added === 'object' ? added.id : 0
}

function provide(app: Panel['app'], db: Panel['db'], customer: string): void {
  const provider = {
    issuer: `https://id.${customer}.example/`,
    clientId: 'panel',
    clientSecret: seal(app.secrets, 'x'),
  }
  const wanted = { ...provider, emailTrusted: false, version: 0 }
  saveAccountProvider(db, byItself(app.now()), accountId({ db }, customer), wanted)
}

/** A token of somebody, and a service user. */
function makeTokens(panel: Panel, who: CastName, account: string) {
  tokenOf(panel, who, account)
  const own = eq(apiTokens.userId, userId(panel, who))
  return {
    apiToken: String(panel.db.select().from(apiTokens).where(own).get()?.id),
    serviceUser: String(serviceUserOf(panel, account, account === 'acme' ? 'Own program' : 'Secret program').userId),
  }
}

/** A service user of an account, as an admin would create it. */
export function serviceUserOf({ db, app }: Panel, account: string, name: string): ServiceUser {
  const made = createServiceUser(db, byItself(app.now()), accountId({ db }, account), { name, role: 'admin' })
  if (made === 'full') throw new Error(`${account} has too many service users`)
  return made
}

/** A view of an account's users that somebody saved. */
export function savedViewOf({ db, app }: Panel, who: CastName, account: string): number {
  const [userId_, of] = [userId({ db }, who), { accountId: accountId({ db }, account), list: 'users' }]
  const name = account === 'acme' ? 'Own view' : 'Secret view'
  const view = saveView(db, { ...byItself(app.now()), userId: userId_ }, of, { name, search: 'a', query: '' })
  if (typeof view !== 'object') throw new Error(`${who} could not save a view of ${account}: ${view}`)
  return view.id
}

export function addressOf(url: string, objects: Objects): string {
  return url.replaceAll(/:(\w+)/g, (_, name: keyof Objects) => objects[name])
}

const allDaily: Fields = Object.fromEntries(
  allTopics.filter((topic) => !ruleOf(topic).fixed).map((topic) => [wayField(topic), 'daily']),
)

/** Forms that would do something, if they were let. */
const plausible: Record<string, Fields> = {
  '/notifications/read': { until: '99999' },
  '/profile/notifications': { ...allDaily },
  '/saved-views': { viewName: 'Changed', of: 'users', list: 'role=admin', page: '/customer/users' },
  '/saved-views/:savedView/name': { viewName: 'Changed' },
  '/partner/customers': { name: 'Changed', identifier: 'changed' },
  '/partner/customers/:customer/invitations': { name: 'Changed', email: 'changed@x.example' },
  '/partner/customers/:customer/quotas': { projects: '1', version: '1' },
  '/partner/customers/:customer/quotas/requests/:request/refusal': { comment: 'Changed' },
  '/partner/quotas/automatic-approval': { share: '50' },
  '/partner/plans': { planName: 'Changed' },
  '/partner/plans/:plan': { planName: 'Changed', version: '1' },
  '/customer/quotas/requests': { volumes: '9', reason: 'Changed' },
  '/projects/:project/quotas': { volumes: '9', version: '2' },
  '/support/accounts/:identifier/quotas': { projects: '1', version: '1' },
  '/support/accounts/:identifier/pool': { projects: '1', version: '1' },
  '/support/accounts/:identifier/quotas/requests/:request/refusal': { comment: 'Changed' },
  '/partner/imports': { text: 'name\nChanged' },
  '/customer/imports': { text: 'name,e-mail\nChanged,changed@x.example' },
  '/support/resources': { key: 'changed', name: 'Changed', unit: '' },
  '/support/resources/:key': { name: 'Changed', unit: '', version: '1' },
  '/partner/customers/:customer/suspension': { reason: 'Changed' },
  '/partner/ticked-customers/suspension': { reason: 'Changed' },
  '/partner/ticked-customers/tag': { tag: 'Changed' },
  '/partner/ticked-customers/tag-removal': { tag: 'Changed' },
  '/partner/customers/:customer/details': { reference: 'Changed', version: '0' },
  '/profile/tokens/support': { name: 'Changed', scopes: 'support:read', days: '30' },
  '/customer/log-in/people': { newPeople: 'user', version: '1' },
  '/customer/log-in/people/groups': { group: 'changed', role: 'member' },
  '/customer/security': { sessionHours: '9', version: '0' },
  '/customer/log-in': { issuer: 'https://id.acme.example/', clientId: 'changed', version: '1' },
  '/customer/log-in/domains': { domain: 'changed.example' },
  '/customer/service-users': { name: 'Changed', role: 'admin' },
  '/customer/service-users/:serviceUser': { serviceName: 'Changed', role: 'member', version: '1' },
  '/customer/service-users/:serviceUser/tokens': { name: 'Changed', scopes: 'projects:read', days: '30' },
  '/customer/webhooks': { url: 'https://changed.example', events: '*' },
  '/customer/webhooks/:webhook/change': { url: 'https://changed.example', events: '*', active: 'yes', version: '1' },
  '/customer/webhooks/:webhook/retries': { span: 'month' },
  '/support/webhooks': { url: 'https://changed.example', events: '*' },
  '/support/webhooks/:webhook/change': { url: 'https://changed.example', events: '*', active: 'yes', version: '1' },
  '/support/webhooks/:webhook/retries': { span: 'month' },
  '/projects': { name: 'Changed', identifier: 'changed' },
  '/projects/:project/name': { name: 'Changed', version: '1' },
  '/projects/:project/access': { role: 'reader' },
  '/projects/:project/access/:user': { role: 'reader', version: '1' },
  '/customer/users': { name: 'Changed', email: 'changed@x.example', role: 'admin' },
  '/customer/users/:user/role': { role: 'admin', version: '1' },
  '/customer/account/name': { name: 'Changed', version: '1' },
  '/support/accounts/:identifier/suspension': { reason: 'Changed' },
  '/support/accounts/:identifier/invitations': { name: 'Changed', email: 'changed@x.example' },
  '/customer/invitations/:id/correction': { name: 'Changed', email: 'changed@x.example' },
  '/partner/customers/:customer/invitations/:id/correction': { name: 'Changed', email: 'changed@x.example' },
  '/support/accounts/:identifier/invitations/:id/correction': { name: 'Changed', email: 'changed@x.example' },
  '/support/accounts/:identifier/partner': { to: 'partner', partner: 'rival' },
  '/support/accounts': {
    name: 'Changed',
    identifier: 'changed',
    kind: 'partner',
    adminName: 'Changed',
    adminEmail: 'changed@x.example',
  },
}

export function formFor(url: string, objects: Objects): Fields {
  const fields = { ...plausible[url] }
  if (url === '/projects/:project/removal') fields.identifier = objects.project
  if (url === '/partner/customers/:customer/removal') fields.identifier = objects.customer
  if (url === '/support/accounts/:identifier/removal') fields.identifier = objects.identifier
  if (url.startsWith('/partner/ticked-customers/')) fields.customers = objects.customer
  if (url.startsWith('/customer/ticked-invitations/')) fields.invitations = objects.id
  if (url === '/projects/:project/access') fields.people = objects.user
  if (url === '/customer/quotas/requests') fields.project = objects.project
  if (url === '/partner/ticked-customers/plan') Object.assign(fields, { plan: objects.plan, version: '1' })
  const versions = { version: '1', limitsVersion: '1' }
  if (url === '/partner/customers/:customer/quotas/plan') Object.assign(fields, { plan: objects.plan, ...versions })
  if (url === '/partner/customers/:customer/quotas/copy') Object.assign(fields, { from: 'initech', ...versions })
  if (url === '/active-account') fields.account = objects.identifier
  return fields
}

/** What the worker notes by itself. */
const untried = {
  next_at: 0,
  held_until: 0,
  failures: 0,
  failing_since: 0,
  retry_from: 0,
  attempts: 0,
  error: '',
  duration: 0,
  due_at: 0,
  tried_at: 0,
  state: '',
}

/** Every row, except what a request may touch without a change: the use of a session, and the count of tries; nor what became of tries of webhooks. */
export function lasting(panel: Panel) {
  const { sessions, throttles, webhooks, deliveries, ...rest } = panel.rows()
  return {
    ...rest,
    webhooks: webhooks?.map((row) => ({ ...(row as object), ...untried })),
    deliveries: deliveries?.map((row) => ({ ...(row as object), ...untried })),
    sessions: sessions?.map((row) => ({ ...(row as object), last_seen_at: 0, longest_idle: 0 })),
  }
}
