import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, invitations, letters, memberships, projects, users } from '../src/db/schema.ts'
import { type CastName, cast } from '../src/demo.ts'
import { type Action, policy, type Standing } from '../src/policy.ts'
import { type Client, type Fields, type Panel, startApp } from './harness.ts'
import { until } from './smtp.ts'

// Every route that the running application has, for every actor, on own, foreign and missing objects.
// What is denied must leave every row of every table as it was, and show no byte of what is another's.

type Route = { method: string; url: string; action: Action }

/** What identifies objects in addresses: one's own, and another's. */
type Objects = { customer: string; account: string; project: string; user: string; id: string; letter: string }

const missing: Objects = {
  customer: 'nobody',
  account: 'nobody',
  project: 'nothing',
  user: '99999',
  id: '99999',
  letter: '99999',
}

/** Words that only Umbrella’s and Rival’s people may read. */
const foreignWords = [
  'Umbrella',
  'uma@umbrella.example',
  'Uma',
  'Skunkworks',
  'secret@umbrella.example',
  'riva@rival.example',
]

function routesOf(panel: Panel): Route[] {
  const routes: Route[] = []
  for (const line of panel.routes) {
    const { method, url, config } = line
    if (method === 'HEAD' || url.startsWith('/assets/')) continue
    if (config?.can) routes.push({ method, url, action: config.can as Action })
  }
  return routes
}

/** Umbrella gets what only its own may see: a project, an invitation and its letter. */
async function prepare(panel: Panel): Promise<{ own: Objects; foreign: Objects }> {
  const uma = await panel.signIn('uma')
  await uma.submit('/projects', 'Create project', { name: 'Skunkworks', identifier: 'skunkworks' })
  await uma.submit('/customer/users', 'Invite', { name: 'Secret Guest', email: 'secret@umbrella.example' })
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Own Guest', email: 'guest@acme.example' })
  // The worker has done with them, so that whatever changes from now on was changed by a request.
  await until('the letters are kept', () =>
    panel.db
      .select()
      .from(letters)
      .all()
      .every(({ state }) => state === 'kept'),
  )
  const invitation = (email: string) =>
    String(panel.db.select().from(invitations).where(eq(invitations.email, email)).get()?.id)
  const letter = (email: string) => String(panel.db.select().from(letters).where(eq(letters.email, email)).get()?.id)
  const user = (who: CastName) =>
    String(panel.db.select().from(users).where(eq(users.email, cast[who].email)).get()?.id)
  return {
    own: {
      customer: 'acme',
      account: 'acme',
      project: 'website',
      user: user('tom'),
      id: invitation('guest@acme.example'),
      letter: letter('guest@acme.example'),
    },
    foreign: {
      customer: 'umbrella',
      account: 'umbrella',
      project: 'skunkworks',
      user: user('uma'),
      id: invitation('secret@umbrella.example'),
      letter: letter('secret@umbrella.example'),
    },
  }
}

function addressOf(url: string, objects: Objects): string {
  return url
    .replace(':customer', objects.customer)
    .replace(':identifier', objects.account)
    .replace(':project', objects.project)
    .replace(':user', objects.user)
    .replace(':id', objects.id)
    .replace(':letter', objects.letter)
    .replace(':session', objects.id)
    .replace(':token', 'A'.repeat(43))
}

/** A form that would do something, if it were let. */
const plausible: Fields = {
  name: 'Changed',
  identifier: 'changed',
  email: 'changed@x.example',
  role: 'admin',
  version: '1',
  projects: '1',
  people: '1',
  reason: 'Changed',
  account: 'umbrella',
}

const fieldsOf: Record<string, string[]> = {
  '/partner/customers': ['name', 'identifier'],
  '/partner/customers/:customer/invitations': ['name', 'email'],
  '/partner/customers/:customer/quotas': ['projects', 'version'],
  '/partner/customers/:customer/suspension': ['reason'],
  '/projects': ['name', 'identifier'],
  '/projects/:project/name': ['name', 'version'],
  '/projects/:project/removal': ['identifier'],
  '/projects/:project/access': ['people', 'role'],
  '/projects/:project/access/:user': ['role', 'version'],
  '/customer/users': ['name', 'email', 'role'],
  '/customer/users/:user/role': ['role', 'version'],
  '/customer/account/name': ['name', 'version'],
  '/support/accounts/:identifier/suspension': ['reason'],
  '/active-account': ['account'],
}

function formFor(url: string, objects: Objects): Fields {
  const fields = Object.fromEntries((fieldsOf[url] ?? []).map((name) => [name, plausible[name] ?? '']))
  if (url === '/projects/:project/removal') fields.identifier = objects.project
  if (url === '/active-account') fields.account = objects.account
  if (fields.people) fields.people = objects.user
  return fields
}

const standings: Partial<Record<CastName, Standing[]>> = {
  petra: ['partner admin'],
  max: ['partner member'],
  stella: ['customer admin'],
  tom: ['customer member'],
  ines: ['customer admin'],
  riva: ['partner admin'],
  dora: ['customer admin'],
  nils: ['unattached'],
  olga: ['unattached', 'support'],
}

/** What a session may change by itself: its own last use. */
function withoutSessions(rows: Record<string, unknown[]>) {
  const { sessions, ...rest } = rows
  return rest
}

function allowed(who: CastName, action: Action): boolean {
  return (standings[who] ?? []).some((standing) => (policy[action] as readonly Standing[]).includes(standing))
}

async function send(client: Client, { method, url }: Route, objects: Objects) {
  const path = addressOf(url, objects)
  if (method === 'POST') return client.post(path, formFor(url, objects))
  // Reads the notice that an act before may have left.
  await client.open('/')
  return client.get(path)
}

t.test('what a role lacks answers 403, and changes no row', async (t) => {
  const panel = await startApp(t)
  const { own } = await prepare(panel)
  const routes = routesOf(panel)
  t.ok(routes.length > 60, 'the routes come from the application itself')

  for (const who of Object.keys(standings) as CastName[]) {
    const client = await panel.signIn(who)
    for (const route of routes.filter(({ action }) => !allowed(who, action))) {
      const before = withoutSessions(panel.rows())
      const answer = await send(client, route, own)
      t.equal(answer.status, 403, `${who}: ${route.method} ${route.url}`)
      t.strictSame(withoutSessions(panel.rows()), before, `${who} changes nothing by ${route.method} ${route.url}`)
    }
  }
})

t.test('what is another’s answers as what does not exist, shows none of it, and changes no row', async (t) => {
  const panel = await startApp(t)
  const { foreign } = await prepare(panel)
  const withObject = routesOf(panel).filter(({ url }) => /:(customer|project|user|id|letter|identifier)/.test(url))

  // Support sees everything; Umbrella’s own people and its partner see Umbrella.
  for (const who of ['petra', 'max', 'stella', 'tom', 'ines', 'dora', 'nils'] as const) {
    const client = await panel.signIn(who)
    for (const route of withObject.filter(({ action }) => allowed(who, action))) {
      const before = withoutSessions(panel.rows())
      const answer = await send(client, route, foreign)
      const nothing = await send(client, route, missing)
      const label = `${who}: ${route.method} ${route.url}`
      t.strictSame(withoutSessions(panel.rows()), before, `${label} changes nothing`)
      t.equal(answer.withoutTokens, nothing.withoutTokens, `${label} reads like a missing one`)
      t.equal(answer.status, nothing.status, `${label} answers like a missing one`)
      if (!route.url.startsWith('/my-invitations/')) t.equal(answer.status, 404, label)
      for (const word of foreignWords) t.notOk(answer.body.includes(word), `${label} shows no “${word}”`)
    }
  }
})

t.test(
  'mixed: a foreign project, user or invitation under one’s own account or customer answers 404 and changes no row',
  async (t) => {
    const panel = await startApp(t)
    const { own, foreign } = await prepare(panel)
    const routes = routesOf(panel)
    for (const who of ['petra', 'stella'] as const) {
      const client = await panel.signIn(who)
      for (const part of ['project', 'user', 'id'] as const) {
        const mixed = { ...own, [part]: foreign[part] }
        for (const route of routes.filter(
          ({ url, action }) => new RegExp(`:${part}(/|$)`).test(url) && allowed(who, action),
        )) {
          const before = withoutSessions(panel.rows())
          const answer = await send(client, route, mixed)
          t.strictSame(withoutSessions(panel.rows()), before, `${who}: ${route.method} ${route.url} changes nothing`)
          if (!route.url.startsWith('/my-invitations/'))
            t.equal(answer.status, 404, `${who}: ${route.method} ${route.url} with a foreign ${part}`)
          for (const word of foreignWords)
            t.notOk(answer.body.includes(word), `${who}: ${route.url} shows no “${word}”`)
        }
      }
    }
  },
)

t.test('a visitor is sent to log in, and changes no row', async (t) => {
  const panel = await startApp(t)
  const { own } = await prepare(panel)
  const visitor = panel.visit()
  for (const route of routesOf(panel).filter(
    ({ action }) => !(policy[action] as readonly Standing[]).includes('visitor'),
  )) {
    const before = panel.rows()
    const answer =
      route.method === 'GET'
        ? await visitor.get(addressOf(route.url, own))
        : await visitor.postRaw(addressOf(route.url, own), '')
    t.equal(answer.status, 303, `${route.method} ${route.url}`)
    t.match(answer.location, /^\/login\?next=/)
    t.strictSame(panel.rows(), before)
  }
})

t.test('a removed member and a disabled user do nothing more with a live session', async (t) => {
  const panel = await startApp(t)
  const { own } = await prepare(panel)
  const tom = await panel.signIn('tom')
  const dora = await panel.signIn('dora')
  const stella = await panel.signIn('stella')
  const olga = await panel.signIn('olga')
  await stella.submit(`/customer/users/${own.user}/removal`, 'Remove Tom')
  await olga.submit('/support/users', 'Disable', {}, 'dora@direct.example')

  const inAccount = routesOf(panel).filter(
    ({ action }) => !(policy[action] as readonly Standing[]).includes('unattached'),
  )
  for (const route of inAccount) {
    const before = withoutSessions(panel.rows())
    t.equal((await send(tom, route, own)).status, 403, `removed: ${route.method} ${route.url}`)
    const disabled =
      route.method === 'GET'
        ? await dora.get(addressOf(route.url, own))
        : await dora.postRaw(addressOf(route.url, own), '')
    t.match(disabled.location, /^\/login/, `disabled: ${route.method} ${route.url}`)
    t.strictSame(withoutSessions(panel.rows()), before)
  }
  t.equal(
    panel.db
      .select()
      .from(memberships)
      .where(eq(memberships.userId, Number(own.user)))
      .all().length,
    0,
  )
  t.ok(panel.db.select().from(accounts).all().length > 0 && panel.db.select().from(projects).all().length > 0)
})
