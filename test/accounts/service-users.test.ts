import { eq } from 'drizzle-orm'
import t from 'tap'
import { createServiceUser, type ServiceUser } from '../../src/accounts/service-users/data.ts'
import type { Db } from '../../src/db/open.ts'
import { apiTokens, letters, memberships, users } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { startNotificationWorker } from '../../src/home/notifications/worker.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import type { Role, TokenScope } from '../../src/policy.ts'
import { byItself } from '../../src/records/record.ts'
import { everyScope, program } from '../api/program.ts'
import { accountId, type Client, type Page, type Panel, startApp, there, userId } from '../harness.ts'

// A service user is a program's: it has a role and tokens, and is in no count of people.

const day = 24 * 3_600_000

const made = (one: ServiceUser | 'full'): ServiceUser => {
  if (one === 'full') throw new Error('no room')
  return one
}

/** A service user of an account, made by its admin, and what asks with its token. */
function serviceIn(
  panel: Panel,
  {
    account = 'acme',
    by = 'stella' as 'stella' | 'petra',
    role = 'admin' as Role,
    scopes = everyScope,
    days = 90,
  } = {},
) {
  const id = accountId(panel, account)
  const actor = { ...byItself(panel.app.now()), userId: userId(panel, by), accountId: id }
  const service = made(createServiceUser(panel.db, actor, id, { name: 'Shop', role }))
  const choice = { name: 'Till', scopes, networks: [], days, serviceUser: service.userId }
  const { token } = there(createApiToken(panel.db, actor, id, choice))
  return { service, token, ask: program(panel.app, token) }
}

const shownToken = (page: Page) => page.root.querySelector('#token')?.getAttribute('value') ?? ''

/** The panel’s people: everything that pages count or list. */
async function people({ stella, petra, olga }: Record<'stella' | 'petra' | 'olga', Client>): Promise<string[]> {
  return [
    (await stella.get('/customer/users')).text,
    (await stella.get('/projects/website')).text,
    (await petra.get('/partner/customers')).text,
    (await petra.get('/partner/customers/acme/users')).text,
    (await olga.get('/support/users')).text,
    (await olga.get('/support/accounts')).text,
  ].map((text) => text.replaceAll(/\d+ (second|minute)s? ago|just now/g, ''))
}

t.test('an admin creates one and its token on pages, and a program works with it', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const created = await stella.submitAndFollow('/customer/service-users', 'Create service user', {
    name: 'Shop',
    role: 'admin',
  })
  t.equal(created.notice, 'The service user Shop was created. Create its first token now.')
  t.match(created.text, 'No tokens.')
  const page = await stella.press(created, 'Create token', { name: 'Till', scopes: 'projects:write' })
  const token = shownToken(page)
  t.match(token, /^mps_[0-9A-Za-z]{38}$/)
  t.equal(
    panel.db
      .select()
      .from(apiTokens)
      .all()
      .filter(({ hash }) => hash.includes(token)).length,
    0,
  )

  const ask = program(panel.app, token)
  const project = await ask('POST', '/accounts/acme/projects', { name: 'Till', identifier: 'till' })
  t.equal(project.status, 201, project.text)
  t.equal((await ask('GET', '/accounts/acme/projects/till')).status, 200, 'it sees every project as an admin')
  t.match((await ask('GET', '/accounts/acme/members')).body.type, /scope-missing$/)
  t.equal((await ask('GET', '/accounts/umbrella/projects')).status, 404)

  const row = (await stella.get('/customer/history')).row('created the project Till')
  t.match(row, /Shop service created the project Till .* with the API token …\w{4}/)
  t.match((await stella.get('/customer/service-users')).row('Shop'), /Shop service Customer Admin 1/)
})

t.test('it is in no count and no list of people, and nobody finds it by searching', async (t) => {
  const panel = await startApp(t)
  const clients = {
    stella: await panel.signIn('stella'),
    petra: await panel.signIn('petra'),
    olga: await panel.signIn('olga'),
  }
  const before = await people(clients)
  const { service } = serviceIn(panel)
  t.same(await people(clients), before)
  const { stella, olga } = clients
  t.equal((await olga.get(`/support/users/${service.userId}`)).status, 404)
  t.equal((await olga.post(`/support/users/${service.userId}/disabling`, { confirmed: 'yes' })).status, 404)
  t.notMatch((await olga.get('/search?q=Shop')).text, 'service')
  const { db } = panel
  t.throws(
    () =>
      db
        .insert(memberships)
        .values({
          accountId: accountId(panel, 'acme'),
          userId: service.userId,
          role: 'admin',
          createdAt: 1,
          lastUsedAt: 1,
        })
        .run(),
    /a service user is no member/,
  )
  t.equal((await stella.get(`/customer/users/${service.userId}/removal`)).status, 404)
})

t.test('it counts as no admin: the last person who is one cannot go', async (t) => {
  const panel = await startApp(t)
  const { ask } = serviceIn(panel)
  const stella = await panel.signIn('stella')
  const own = userId(panel, 'stella')
  const left = await stella.submit(`/customer/users/${own}/removal`, 'Remove Stella')
  t.equal(left.status, 422)
  const demoted = await ask('PATCH', `/accounts/acme/members/${own}`, { role: 'member' })
  t.equal(demoted.status, 409, 'nor does the program get rid of her')
})

t.test('a program of a partner works in its customers, and joins none of them', async (t) => {
  const panel = await startApp(t)
  const { ask } = serviceIn(panel, { account: 'cloudhaus', by: 'petra' })
  t.equal((await ask('POST', '/accounts/cloudhaus/customers', { name: 'Wayne' })).status, 201)
  t.equal(
    (await ask('PUT', '/accounts/cloudhaus/customers/wayne/quotas', { limits: { cores: 4 }, remark: '' })).status,
    200,
  )
  const guest = { name: 'Bruce', email: 'bruce@wayne.example' }
  t.equal((await ask('POST', '/accounts/cloudhaus/customers/wayne/invitations', guest)).status, 200)
  t.equal((await ask('PUT', '/accounts/cloudhaus/customers/wayne/own-membership')).status, 403)
  t.match((await (await panel.signIn('petra')).get('/partner/history')).text, /Shop service created/)
})

t.test('as a user it reads the account and changes nothing', async (t) => {
  const panel = await startApp(t)
  const { ask } = serviceIn(panel, { role: 'member' })
  t.equal((await ask('GET', '/accounts/acme/members')).status, 200)
  t.equal((await ask('GET', '/accounts/acme/quotas')).status, 200)
  t.same((await ask('GET', '/accounts/acme/projects')).body.data, [])
  t.equal((await ask('POST', '/accounts/acme/projects', { name: 'X' })).status, 403)
})

t.test('its role, its removal and its account decide at every request', async (t) => {
  const panel = await startApp(t)
  const { service, ask } = serviceIn(panel)
  const stella = await panel.signIn('stella')
  const page = `/customer/service-users/${service.userId}`
  t.equal((await ask('POST', '/accounts/acme/projects', { name: 'One' })).status, 201)
  await stella.submit(page, 'Save changes', { role: 'member' })
  t.equal((await ask('POST', '/accounts/acme/projects', { name: 'Two' })).status, 403)
  await stella.submit(page, 'Save changes', { role: 'admin' })
  const guest = { name: 'Guest', email: 'guest@acme.example', role: 'member', projects: [] }
  const invited = await ask('POST', '/accounts/acme/invitations', guest)
  t.equal(invited.status, 201, invited.text)

  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers/acme/suspension', 'Suspend', { reason: 'Unpaid' })
  t.match((await ask('GET', '/accounts/acme')).body.type, /suspended$/)
  await petra.submit('/partner/customers', 'Resume', {}, 'Acme')
  t.equal((await ask('GET', '/accounts/acme')).status, 200)

  const removed = await stella.submitAndFollow(`${page}/removal`, 'Remove Shop')
  t.equal(removed.notice, 'The service user Shop was removed. Its tokens no longer work.')
  t.equal((await ask('GET', '/accounts/acme')).status, 401)
  t.equal((await stella.get(page)).status, 404)
  t.notMatch((await stella.get('/customer/users')).text, 'guest@acme.example', 'what it had sent ended with it')
  const history = (await stella.get('/customer/history')).text
  t.match(history, 'removed the service user Shop')
  t.match(history, /Shop service created the project One/, 'the history keeps its name')
})

t.test('its token is replaced and ended on its page, and no other service user’s', async (t) => {
  const panel = await startApp(t)
  const { service, ask } = serviceIn(panel)
  const stella = await panel.signIn('stella')
  const page = `/customer/service-users/${service.userId}`
  const replaced = await stella.submit((await stella.get(page)).link('Replace') ?? '', 'Replace token', {
    earlier: 'day',
  })
  const next = program(panel.app, shownToken(replaced))
  t.equal((await ask('GET', '/accounts/acme')).status, 200, 'the earlier one works for a day')
  panel.pass(day + 1)
  t.equal((await ask('GET', '/accounts/acme')).status, 401)
  t.equal((await next('GET', '/accounts/acme')).status, 200)
  const again = await panel.signIn('stella')
  const ended = await again.submitAndFollow(page, 'End', {}, 'Till')
  t.match(ended.notice, 'was ended')

  const other = serviceIn(panel)
  const [row] = panel.db.select().from(apiTokens).where(eq(apiTokens.userId, other.service.userId)).all()
  t.equal((await again.post(`${page}/tokens/${row?.id}/removal`)).status, 404)
  t.equal((await other.ask('GET', '/accounts/acme')).status, 200)
})

t.test('creating or replacing a token asks for proof, also when the session is ten minutes old', async (t) => {
  const panel = await startApp(t)
  const { service } = serviceIn(panel)
  const stella = await panel.signIn('stella')
  panel.pass(11 * 60_000)
  const before = panel.db.select().from(apiTokens).all().length
  const answer = await stella.submit(`/customer/service-users/${service.userId}`, 'Create token', {
    name: 'Till',
    scopes: 'projects:read',
  })
  t.match(answer.text, /Confirm your password/)
  t.equal(panel.db.select().from(apiTokens).all().length, before)
})

const told = ({ db }: { db: Db }, email: string) =>
  db
    .select({ subject: letters.subject })
    .from(letters)
    .where(eq(letters.email, email))
    .all()
    .map(({ subject }) => subject)

async function work({ app }: Panel): Promise<void> {
  const worker = startNotificationWorker(app, app.mailContext)
  worker.wake()
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve))
  await worker.stop()
}

t.test('nobody writes to it: the admins are told 14 and 2 days before its token expires', async (t) => {
  const panel = await startApp(t)
  const { token } = serviceIn(panel)
  await work(panel)
  panel.pass(76 * day)
  await work(panel)
  panel.pass(12 * day)
  await work(panel)
  const said = (days: number) =>
    `The API token …${token.slice(-4)} of the service user Shop in Acme expires in ${days} days`
  t.same(
    told(panel, cast.stella.email).filter((subject) => subject.includes('expires in')),
    [said(14), said(2)],
  )
  t.same(panel.db.select().from(letters).where(eq(letters.email, '')).all(), [])
})

t.test('another admin is told that somebody created a token, and whoever’s login did it', async (t) => {
  const panel = await startApp(t)
  await (await panel.signIn('stella')).submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  serviceIn(panel)
  await work(panel)
  const words = 'Stella created an API token of the service user Shop in Acme'
  t.ok(told(panel, cast.tom.email).includes(words))
  t.ok(
    told(panel, cast.stella.email).includes('An API token of the service user Shop in Acme was created in your name'),
  )
})

t.test('the API lists, creates, changes and removes them, and gives out no token', async (t) => {
  const panel = await startApp(t)
  const { service, ask } = serviceIn(panel, { scopes: ['members:write'] satisfies TokenScope[] })
  const path = '/accounts/acme/service-users'
  const created = await ask('POST', path, { name: 'Monitor', role: 'member' })
  t.equal(created.status, 201)
  t.equal(created.body.tokens, 0)
  t.same((await ask('GET', `${path}?q=moni`)).body.data, [created.body])
  const changed = await ask(
    'PATCH',
    `${path}/${created.body.id}`,
    { role: 'admin' },
    { 'if-match': String(created.headers.etag) },
  )
  t.same([changed.status, changed.body.role, changed.body.name], [200, 'admin', 'Monitor'])
  const stale = await ask(
    'PATCH',
    `${path}/${created.body.id}`,
    { name: 'X' },
    { 'if-match': String(created.headers.etag) },
  )
  t.equal(stale.status, 412)
  t.equal((await ask('DELETE', `${path}/${created.body.id}`)).status, 204)
  t.equal((await ask('GET', `${path}/${created.body.id}`)).status, 404)
  t.equal((await ask('GET', `/accounts/umbrella/service-users/${service.userId}`)).status, 404)
})

t.test('nobody logs in as one', async (t) => {
  const panel = await startApp(t)
  const { service } = serviceIn(panel)
  const row = there(panel.db.select().from(users).where(eq(users.id, service.userId)).get())
  for (const email of [row.emailKey, row.email, 'service']) {
    const answer = await panel.visit().submit('/login', 'Log in', { email, password: 'correct horse battery' })
    t.equal(answer.status, 422)
  }
  await panel.visit().submit('/password-reset', 'Send link', { email: row.emailKey })
  t.same(panel.rows().password_resets, [])
})
