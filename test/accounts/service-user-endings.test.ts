import { and, eq, isNull } from 'drizzle-orm'
import t from 'tap'
import { apiTokens, invitations, memberships, quotaRequests, serviceUsers } from '../../src/db/schema.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { program, tokenOf } from '../api/program.ts'
import { accountId, type Client, type Page, type Panel, publicUrl, startApp, there, userId } from '../harness.ts'
import { linkIn, type MailServer, startMailServer } from '../smtp.ts'

// Every exit of a person, a tie or an account, against the tokens of service users.

const shownToken = (page: Page) => page.root.querySelector('#token')?.getAttribute('value') ?? ''

/** Somebody creates a service user and its token on the pages of the account that they work in. */
async function makeProgram(panel: Panel, client: Client, name = 'Shop') {
  const page = await client.submitAndFollow('/customer/service-users', 'Create service user', { name, role: 'admin' })
  const scopes = ['account:read', 'members:write', 'quotas:write']
  const token = shownToken(await client.press(page, 'Create token', { name: 'Till', scopes }))
  t.match(token, /^mps_/)
  const row = there(panel.db.select().from(serviceUsers).orderBy(serviceUsers.userId).all().at(-1))
  return { page: `/customer/service-users/${row.userId}`, id: row.userId, ask: program(panel.app, token) }
}

const works = async ({ ask }: { ask: ReturnType<typeof program> }, account = 'acme') =>
  (await ask('GET', `/accounts/${account}/members`)).status

const stateOf = ({ db }: Panel, email: string) =>
  db.select().from(invitations).where(eq(invitations.email, email)).get()?.state

const invite = (email: string) => ({ name: 'Guest', email, role: 'member', projects: [] })

/** Petra works in Acme and has a program there; Stella of Acme has one too. */
async function bothSides(panel: Panel) {
  const [petra, stella, olga] = (await Promise.all(
    (['petra', 'stella', 'olga'] as CastName[]).map((one) => panel.signIn(one)),
  )) as [Client, Client, Client]
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  await petra.switchTo('acme')
  const theirs = await makeProgram(panel, petra, 'Helper')
  const own = await makeProgram(panel, stella, 'Shop')
  return { petra, stella, olga, theirs, own }
}

const partings: Record<
  string,
  (of: { petra: Client; stella: Client; olga: Client }, panel: Panel) => Promise<unknown>
> = {
  'a move to none': ({ olga }) => olga.submit('/support/accounts/acme/partner', 'Move', { to: 'none' }),
  'becoming a partner': async ({ olga }) => {
    const page = await olga.submit('/support/accounts', 'Make partner', {}, 'acme')
    t.match(page.text, 'Service users that people of Cloudhaus created are removed: Helper')
    t.match(page.text, '1 API token that people of Cloudhaus created for other service users ends')
    await olga.press(page, 'Make partner')
  },
  'Remove Myself': async ({ petra }) => {
    await petra.switchTo('cloudhaus')
    const page = await petra.get('/partner/customers/acme/users')
    t.match(page.text, '1 service user that you created in customers ends: Helper')
    t.match(page.text, /2 API tokens that you created stop working: Helper …\w{4}, Shop …\w{4}\./)
    await petra.press(page, 'Remove Myself')
  },
  'her removal': async ({ stella }, panel) => {
    const page = await stella.get(`/customer/users/${userId(panel, 'petra')}/removal`)
    t.match(page.text, '1 service user that they created in customers ends: Helper')
    t.match(page.text, /2 API tokens that they created stop working: Helper …\w{4}, Shop …\w{4}\./)
    await stella.press(page, 'Remove Petra')
  },
}

for (const [exit, part] of Object.entries(partings))
  t.test(`with ${exit} end the programs of the partner’s people, and the customer’s own work on`, async (t) => {
    const panel = await startApp(t)
    const { theirs, own, ...clients } = await bothSides(panel)
    const { petra } = clients
    const scopes = ['account:read', 'members:write']
    const lent = program(panel.app, shownToken(await petra.submit(own.page, 'Create token', { name: 'Lent', scopes })))
    for (const [ask, email] of [
      [theirs.ask, 'helper@acme.example'],
      [lent, 'lent@acme.example'],
      [own.ask, 'own@acme.example'],
    ] as const)
      t.equal((await ask('POST', '/accounts/acme/invitations', invite(email))).status, 201)
    await part(clients, panel)
    t.equal(await works(theirs), 401)
    t.equal(await works({ ask: lent }), 401, 'nor a token that she made for the customer’s service user')
    t.equal(await works(own), 200)
    t.same(
      ['helper', 'lent', 'own'].map((name) => stateOf(panel, `${name}@acme.example`)),
      ['cancelled', 'cancelled', 'pending'],
    )
    t.ok(panel.db.select().from(serviceUsers).where(eq(serviceUsers.userId, theirs.id)).get()?.removedAt)
    t.equal(panel.db.select().from(serviceUsers).where(eq(serviceUsers.userId, own.id)).get()?.removedAt, null)
  })

t.test('what a program of the partner’s people makes is the partner’s too', async (t) => {
  const panel = await startApp(t)
  const { theirs, olga, stella } = await bothSides(panel)
  const made = await theirs.ask('POST', '/accounts/acme/service-users', { name: 'Child', role: 'admin' })
  t.equal(made.status, 201, made.text)
  const page = `/customer/service-users/${made.body.id}`
  const token = shownToken(await stella.submit(page, 'Create token', { name: 'Till', scopes: 'members:read' }))
  t.equal(await works({ ask: program(panel.app, token) }), 200)
  await theirs.ask('POST', '/accounts/acme/invitations', invite(cast.max.email))
  const max = await panel.signIn('max')
  await max.submit('/', 'Accept', {}, 'Acme')
  const seat = and(eq(memberships.accountId, accountId(panel, 'acme')), eq(memberships.userId, userId(panel, 'max')))
  t.equal(panel.db.select().from(memberships).where(seat).get()?.fromPartner, true)
  await olga.submit('/support/accounts/acme/partner', 'Move', { to: 'none' })
  t.equal(await works({ ask: program(panel.app, token) }), 401)
  t.equal(panel.db.select().from(memberships).where(seat).get(), undefined)
})

t.test('a program of the partner’s people sleeps with the partner, and its invitations too', async (t) => {
  const panel = await startApp(t)
  const { theirs, own, olga } = await bothSides(panel)
  for (const [{ ask }, email] of [
    [theirs, cast.nils.email],
    [own, cast.dora.email],
  ] as const)
    t.equal((await ask('POST', '/accounts/acme/invitations', invite(email))).status, 201)
  await olga.submit('/support/accounts/cloudhaus/suspension', 'Suspend', { reason: 'Unpaid' })
  t.equal(await works(theirs), 403)
  t.equal(await works(own), 200)
  const accepts = async (who: CastName) => (await (await panel.signIn(who)).get('/')).hasButton('Accept')
  t.notOk(await accepts('nils'))
  t.ok(await accepts('dora'))
  await olga.submit('/support/accounts', 'Resume', {}, 'cloudhaus')
  t.equal(await works(theirs), 200)
})

t.test('with the last admin end the programs that nobody could end any more', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  await petra.submit('/partner/customers', 'Create customer', { name: 'Empty', identifier: 'empty' })
  await petra.submit('/partner/customers/empty/users', 'Add Myself')
  await petra.switchTo('empty')
  const { id } = await makeProgram(panel, petra)
  panel.db.update(serviceUsers).set({ fromPartner: false }).where(eq(serviceUsers.userId, id)).run()
  await petra.switchTo('cloudhaus')
  await petra.submit('/partner/customers/empty/users', 'Remove Myself')
  t.ok(panel.db.select().from(serviceUsers).where(eq(serviceUsers.userId, id)).get()?.removedAt)
  t.equal(
    panel.db
      .select()
      .from(apiTokens)
      .where(and(eq(apiTokens.userId, id), isNull(apiTokens.endedAt)))
      .all().length,
    0,
  )
})

const words = 'another horse battery'
const recoveries: Record<string, (panel: Panel, olga: Client, mail: MailServer) => Promise<unknown>> = {
  'a password by e-mail': async (panel, _olga, mail) => {
    const visitor = panel.visit()
    await visitor.submit('/password-reset', 'Send link', { email: cast.stella.email })
    const { text } = (await mail.letterTo(cast.stella.email, 2)).mail
    const link = linkIn(text, publicUrl, '/password-reset/')
    await visitor.submit(link, 'Change password', { password: words, repeated: words })
  },
  'disabling her': async (_panel, olga) =>
    olga.press(await olga.submit('/support/users', 'Disable', {}, cast.stella.email), 'Disable Stella'),
}

for (const [recovery, recover] of Object.entries(recoveries))
  t.test(`${recovery} ends the tokens that her login made for service users`, async (t) => {
    const mail = await startMailServer(t)
    const panel = await startApp(t, { settings: { SMTP_URL: mail.url } })
    const [stella, olga] = await Promise.all([panel.signIn('stella'), panel.signIn('olga')])
    const made = await makeProgram(panel, stella)
    await recover(panel, olga, mail)
    t.equal(await works(made), 401)
    t.equal(panel.db.select().from(serviceUsers).where(eq(serviceUsers.userId, made.id)).get()?.removedAt, null)
  })

t.test('whoever’s login makes a token for a service user is told, and pages name it before an exit', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Save', { role: 'admin' }, cast.tom.email)
  await makeProgram(panel, stella)
  t.match(
    (await stella.get('/notifications')).text,
    'An API token of the service user Shop in Acme was created in your name',
  )
  const tom = await panel.signIn('tom')
  const page = await tom.get(`/customer/users/${userId(panel, 'stella')}/removal`)
  t.match(page.text, /They created API tokens of service users, which keep working: Shop …\w{4}/)
  const asked = await tom.submit('/customer/users', 'Save', { role: 'member' }, cast.stella.email)
  t.match(asked.text, /They created API tokens of service users, which keep working: Shop …\w{4}/)
})

t.test('pages name the tokens of a user that end with a membership, and those alone', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const [ofTom, ofPetra] = [userId(panel, 'tom'), userId(panel, 'petra')]
  const expired = tokenOf(panel, 'tom', 'acme', { days: 30 })
  panel.pass(31 * 24 * 3_600_000)
  const [tom, stella, petra] = await Promise.all([panel.signIn('tom'), panel.signIn('stella'), panel.signIn('petra')])
  const token = tokenOf(panel, 'tom', 'acme')
  const ended = there(tokenOf(panel, 'tom', 'acme'))
  db.update(apiTokens)
    .set({ endedAt: app.now() })
    .where(eq(apiTokens.lastFour, ended.slice(-4)))
    .run()
  const named = `tom here …${token.slice(-4)}.`
  for (const earlier of [expired, ended]) t.not(earlier.slice(-4), token.slice(-4))
  for (const [client, address, who] of [
    [stella, `/customer/users/${ofTom}/removal`, 'they'],
    [tom, '/profile/accounts/acme/removal', 'you'],
  ] as const)
    t.match((await client.get(address)).text, `1 API token that ${who} created stops working: ${named}`)
  t.notMatch((await stella.get(`/customer/users/${userId(panel, 'stella')}/removal`)).text, 'API token')
  await stella.submit(`/customer/users/${ofTom}/removal`, 'Remove Tom')
  t.equal((await program(app, token)('GET', '/accounts/acme')).status, 401)

  // Who leaves the partner leaves its customers: tokens for these end too, and those for other accounts do not.
  await petra.submit('/partner/customers/acme/users', 'Add Myself')
  const [own, inCustomer] = [tokenOf(panel, 'petra', 'cloudhaus'), tokenOf(panel, 'petra', 'acme')]
  const both = [own, inCustomer].map((one) => `petra here …${one.slice(-4)}`).join(', ')
  const fromPartner = (await petra.get('/profile/accounts/cloudhaus/removal')).text
  t.match(fromPartner, `2 API tokens that you created stop working: ${both}.`)
  const fromCustomer = (await stella.get(`/customer/users/${ofPetra}/removal`)).text
  t.match(fromCustomer, `1 API token that they created stops working: petra here …${inCustomer.slice(-4)}.`)
})

t.test('an account’s deletion stops its programs, and its purge forgets them', async (t) => {
  const panel = await startApp(t)
  const [petra, stella] = await Promise.all([panel.signIn('petra'), panel.signIn('stella')])
  const made = await makeProgram(panel, stella)
  for (const project of ['website', 'shop'])
    await stella.submit(`/projects/${project}/removal`, 'Delete project', { identifier: project })
  await petra.submit('/partner/customers/acme/removal', 'Delete customer', { identifier: 'acme' })
  t.equal(await works(made), 401)
})

t.test('the request of a removed program says what became of it', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const { ask, page } = await makeProgram(panel, stella)
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const limits = { limits: { projects: 3 }, remark: '' }
  t.equal((await petra('PUT', '/accounts/cloudhaus/customers/acme/quotas', limits)).status, 200)
  const asked = await ask('POST', '/accounts/acme/quota-requests', { amounts: { projects: 5 }, reason: 'Sale' })
  t.equal(asked.status, 201, asked.text)
  await stella.submit(`${page}/removal`, 'Remove Shop')
  t.equal(
    panel.db.select().from(quotaRequests).orderBy(quotaRequests.id).all().at(-1)?.comment,
    'The service user that sent it was removed.',
  )
})
