import { eq, inArray } from 'drizzle-orm'
import t from 'tap'
import { apiTokens, letters, memberships, records, users } from '../../src/db/schema.ts'
import { cast, demoPassword } from '../../src/demo.ts'
import { accountId, startApp, there, userId } from '../harness.ts'
import { until } from '../smtp.ts'
import { program, tokenOf } from './program.ts'

// What Support’s programs do.

const shownToken = (page: {
  root: { querySelector: (selector: string) => { getAttribute: (name: string) => string | undefined } | null }
}) => page.root.querySelector('#token')?.getAttribute('value') ?? ''

t.test('a token of Support is made on a page of its own, listed and replaced, and told of', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  t.match((await olga.get('/profile/tokens')).text, 'New token for Support')
  const made = await olga.submit('/profile/tokens/support', 'Create token', { name: 'Desk', scopes: 'support:write' })
  const ask = program(panel.app, shownToken(made))
  t.equal((await ask('GET', '/support/accounts')).status, 200)
  t.equal((await ask('GET', '/accounts/acme')).status, 404, 'it is in no account')
  t.match((await olga.get('/profile/tokens')).row('Desk'), /Support … ?\w{4} Support Area \(change\)/)
  t.match((await olga.get('/notifications')).text, 'An API token for Support was created in your name')
  const rotation = there((await olga.open('/profile/tokens')).link('Replace'))
  const replaced = await olga.submit(rotation, 'Replace token', { earlier: 'now' })
  t.equal((await ask('GET', '/support/accounts')).status, 401)
  const again = program(panel.app, shownToken(replaced))
  t.equal((await again('GET', '/support/accounts')).status, 200)
  await olga.submit('/profile/tokens', 'End', {}, 'Desk')
  t.equal((await again('GET', '/support/accounts')).status, 401)
})

t.test('the form of an account’s token offers no right of Support, and such a token has none', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  t.equal((await petra.get('/profile/tokens/support')).status, 403)
  const page = await petra.submit('/profile/tokens', 'Create token', { name: 'Sly', scopes: 'support:write' })
  const ask = program(panel.app, shownToken(page))
  t.match((await ask('GET', '/support/accounts')).body, { status: 403, type: /forbidden$/ })
})

t.test(
  'a program opens an account, sets limits and a pool, suspends and resumes it, and the history says who',
  async (t) => {
    const panel = await startApp(t)
    const ask = program(panel.app, tokenOf(panel, 'olga', null))
    const admin = { name: 'Karla Fischer', email: 'karla@wayne.example' }
    const made = await ask('POST', '/support/accounts', { name: 'Wayne', kind: 'partner', admin })
    t.match(made.body, { identifier: 'wayne', kind: 'partner', partner: null, deleted_at: null }, made.text)
    t.equal(made.headers.location, 'http://localhost:3000/api/v1/support/accounts/wayne')
    t.match((await ask('GET', '/support/accounts/wayne/invitations')).body.data, [{ ...admin, role: 'admin' }])
    const [{ id }] = (await ask('GET', '/support/accounts/wayne/invitations')).body.data
    t.equal((await ask('DELETE', `/support/accounts/wayne/invitations/${id}`)).status, 204)
    panel.pass(10 * 60_000)
    t.match((await ask('POST', '/support/accounts/wayne/invitations', admin)).body, { message: /Invitation sent/ })
    t.match((await ask('POST', '/support/accounts', { name: 'Wayne', kind: 'customer', admin })).body, {
      status: 409,
      errors: [{ pointer: '#/identifier' }],
    })

    const pool = await ask('PUT', '/support/accounts/wayne/pool', { limits: { cores: 64 }, remark: 'Contract' })
    t.match(
      pool.body.quotas.find(({ resource }: { resource: string }) => resource === 'cores'),
      { limit: 64 },
      pool.text,
    )
    t.equal(
      (await ask('PUT', '/support/accounts/acme/pool', { limits: { cores: 1 } })).status,
      404,
      'a customer has none',
    )
    t.equal(
      (await ask('PUT', '/support/accounts/acme/quotas', { limits: { cores: 1 } })).status,
      403,
      'its partner does',
    )

    t.match((await ask('POST', '/support/accounts/acme/suspend', { reason: 'Abuse' })).body, {
      suspension: { by: 'support', reason: 'Abuse' },
    })
    const stella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
    t.match((await stella('GET', '/accounts/acme')).body, { status: 403, type: /suspended$/ })
    t.match((await ask('POST', '/support/accounts/acme/resume')).body, { suspension: null })

    const events = (await ask('GET', '/support/events')).body.data as { type: string }[]
    t.match(events.filter(({ type }) => type.startsWith('account.')).slice(-2), [
      { type: 'account.suspended', account: 'acme', actor: { user: userId(panel, 'olga'), support: true } },
      { type: 'account.resumed', account: 'acme' },
    ])
    const olga = await panel.signIn('olga')
    t.match((await olga.get('/support/history')).row('suspended Acme'), /Olga.*with the API token/)
  },
)

t.test('a program deletes and restores only accounts that no partner looks after', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'olga', null))
  t.equal((await ask('DELETE', '/support/accounts/acme')).status, 404)
  t.equal((await ask('DELETE', '/support/accounts/cloudhaus')).status, 404)
  t.equal((await ask('DELETE', '/support/accounts/direct')).status, 204)
  t.equal((await ask('GET', '/support/accounts/direct')).status, 404)
  t.match((await ask('GET', '/support/accounts?status=deleted')).body.data, [{ identifier: 'direct' }])
  t.match((await ask('POST', '/support/accounts/direct/restore')).body, { identifier: 'direct', deleted_at: null })
})

t.test('a program disables and enables users, but never its own and never the last of Support', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'olga', null))
  const tom = `/support/users/${userId(panel, 'tom')}`
  const session = await panel.signIn('tom')
  t.match((await ask('POST', `${tom}/disable`)).body, { name: 'Tom', is_disabled: true })
  t.match((await session.get('/')).location, /^\/login/)
  t.match((await ask('POST', `${tom}/enable`)).body, { is_disabled: false })
  const own = await ask('POST', `/support/users/${userId(panel, 'olga')}/disable`)
  t.match(own.body, { status: 409, detail: /cannot disable yourself/ })
  t.equal((await ask('GET', '/support/users?q=tom')).body.data[0].id, userId(panel, 'tom'))
})

t.test('a program decides requests of accounts that Support looks after, and of no others', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'olga', null))
  const [dora, stella] = [
    program(panel.app, tokenOf(panel, 'dora', 'direct')),
    program(panel.app, tokenOf(panel, 'stella', 'acme')),
  ]
  await ask('PUT', '/support/accounts/direct/quotas', { limits: { projects: 2 } })
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  await petra('PUT', '/accounts/cloudhaus/customers/acme/quotas', { limits: { projects: 2 } })
  const wish = { amounts: { projects: 9 }, reason: 'Growth' }
  const [own, foreign] = [
    await dora('POST', '/accounts/direct/quota-requests', wish),
    await stella('POST', '/accounts/acme/quota-requests', wish),
  ]
  t.same(
    (await ask('GET', '/support/quota-requests')).body.data.map(({ id }: { id: number }) => id),
    [own.body.id],
  )
  t.equal((await ask('POST', `/support/quota-requests/${foreign.body.id}/approve`, {})).status, 404)
  t.match((await ask('POST', `/support/quota-requests/${own.body.id}/approve`, { comment: 'Fine' })).body, {
    state: 'approved',
    account: 'direct',
  })
})

t.test('a deleted user of Support leaves no token that works or is told of', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const max = userId(panel, 'max')
  db.update(users).set({ operator: true }).where(eq(users.id, max)).run()
  const ask = program(panel.app, tokenOf(panel, 'max', null))
  t.equal((await ask('GET', '/support/accounts')).status, 200)
  const client = await panel.signIn('max')
  await client.submit('/profile/removal', 'Delete my user', { email: cast.max.email })
  t.equal((await ask('GET', '/support/accounts')).status, 401)
  t.match(db.select().from(apiTokens).where(eq(apiTokens.userId, max)).all(), [
    { endedAt: Number, remindAt: null, name: '' },
  ])
})

t.test('a program keeps the catalogue of resources', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'olga', null))
  const path = '/support/resources'
  t.equal((await ask('POST', path, { key: 'version', name: 'V' })).status, 422, 'a name of a field')
  const made = await ask('POST', path, { key: 'gateways', name: 'Gateways' })
  t.match(made.body, { key: 'gateways', name: 'Gateways', unit: '' }, made.text)
  t.equal((await ask('POST', path, { key: 'gateways', name: 'Gateways' })).status, 409)
  t.match((await ask('PATCH', `${path}/gateways`, { unit: 'pcs' })).body, { name: 'Gateways', unit: 'pcs' })
  t.equal((await ask('DELETE', `${path}/projects`)).status, 409)
  t.equal((await ask('DELETE', `${path}/gateways`)).status, 204)
  t.equal((await ask('GET', `${path}/gateways`)).status, 404)
})

t.test('a program of Support cannot write to people without end', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'olga', null))
  const admin = { name: 'Karla Fischer', email: 'karla@wayne.example' }
  await ask('POST', '/support/accounts', { name: 'Wayne', kind: 'customer', admin })
  const [{ id }] = (await ask('GET', '/support/accounts/wayne/invitations')).body.data
  const statuses = new Set<number>()
  for (let n = 0; n < 40 && !statuses.has(429); n++) {
    const email = n % 2 ? admin.email : 'carla@wayne.example'
    statuses.add((await ask('PATCH', `/support/accounts/wayne/invitations/${id}`, { ...admin, email })).status)
  }
  t.ok(statuses.has(429), [...statuses].join())
})

t.test('another password ends the tokens of Support that a session may have made', async (t) => {
  const panel = await startApp(t)
  const olga = await panel.signIn('olga')
  const ask = program(panel.app, tokenOf(panel, 'olga', null))
  t.equal((await ask('GET', '/support/accounts')).status, 200)
  const password = 'a whole new pass phrase 7'
  const changed = await olga.submit('/profile', 'Change password', {
    current: demoPassword,
    password,
    repeated: password,
  })
  t.equal(changed.status, 303)
  t.equal((await ask('GET', '/support/accounts')).status, 401)
})

t.test('a token of Support is replaced and ended as Support, and not from an account', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const olga = userId(panel, 'olga')
  db.insert(memberships)
    .values({ accountId: accountId(panel, 'acme'), userId: olga, role: 'member', createdAt: 0, lastUsedAt: 0 })
    .run()
  tokenOf(panel, 'olga', null)
  const client = await panel.signIn('olga')
  await client.submit(there((await client.open('/profile/tokens')).link('Replace')), 'Replace token', {
    earlier: 'now',
  })
  await client.submit('/profile/tokens', 'End')
  t.match(
    db
      .select()
      .from(records)
      .where(inArray(records.kind, ['token.rotated', 'token.ended']))
      .all(),
    [
      { kind: 'token.rotated', actorAccountId: null, bySupport: true },
      { kind: 'token.ended', actorAccountId: null, bySupport: true },
    ],
  )
})

t.test('Support sees the tokens of a user, also those for Support, and ends them; the user learns it', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const max = userId(panel, 'max')
  db.update(users).set({ operator: true }).where(eq(users.id, max)).run()
  const [forSupport, forAccount, foreign] = [
    program(panel.app, tokenOf(panel, 'max', null)),
    program(panel.app, tokenOf(panel, 'max', 'cloudhaus', { scopes: ['customers:read'] })),
    program(panel.app, tokenOf(panel, 'tom', 'acme')),
  ]
  const olga = await panel.signIn('olga')
  const page = `/support/users/${max}`
  const shown = await olga.get(page)
  t.match(shown.row('Cloudhaus …'), /max here.*Customers \(read\).*never/)
  t.match(shown.row('Support …'), /max here.*Support Area \(change\)/)
  t.notMatch(shown.text, 'tom here')
  t.notOk(shown.link('Replace'), 'only its user gets another one')
  const [toms] = db
    .select()
    .from(apiTokens)
    .where(eq(apiTokens.userId, userId(panel, 'tom')))
    .all()
  t.equal((await olga.post(`${page}/tokens/${there(toms).id}/removal`, {})).status, 404, 'it is not this user’s')
  t.equal((await foreign('GET', '/accounts/acme')).status, 200)

  await olga.submit(page, 'End', {}, 'Cloudhaus …')
  t.equal((await forAccount('GET', '/accounts/cloudhaus/customers')).status, 401)
  t.equal((await forSupport('GET', '/support/accounts')).status, 200)
  await olga.submit(page, 'End', {}, 'Support …')
  t.equal((await forSupport('GET', '/support/accounts')).status, 401)
  t.match((await olga.get(page)).text, 'No tokens.')
  const client = await panel.signIn('max')
  t.match((await client.get('/notifications')).text, /Your API token for Cloudhaus was ended/)
  t.match((await olga.get('/support/history')).row('ended the API token'), /Olga.*of Max/)
})

t.test('other operators learn of a new token for Support, by e-mail too, and of one that replaces it', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  for (const who of ['max', 'riva'] as const)
    db.update(users)
      .set({ operator: true })
      .where(eq(users.id, userId(panel, who)))
      .run()
  tokenOf(panel, 'tom', 'acme')
  const max = await panel.signIn('max')
  await max.submit('/profile/tokens/support', 'Create token', { name: 'Desk', scopes: 'support:read' })
  await max.submit(there((await max.open('/profile/tokens')).link('Replace')), 'Replace token', { earlier: 'now' })
  for (const who of ['olga', 'riva'] as const) {
    const other = await panel.signIn(who)
    const news = await other.get('/notifications')
    t.match(news.text, /Max created an API token for Support/)
    t.match(news.text, /Max replaced an API token for Support/)
    t.notMatch(news.text, 'Tom', 'what concerns an account is its own')
    const link = there(news.link('Max created an API token for Support'))
    t.match((await other.open(link)).text, /Max.*created the API token/)
  }
  t.match((await max.get('/notifications')).text, /An API token for Support was created in your name/)
  t.notMatch((await max.get('/notifications')).text, 'Max created', 'who did it is told once')
  await until('the e-mails are written', () =>
    db
      .select()
      .from(letters)
      .all()
      .some(({ email, subject }) => email === cast.olga.email && /Max created an API token for Support/.test(subject)),
  )
})

t.test('the pages before a user is disabled or deleted name the tokens that stop', async (t) => {
  const panel = await startApp(t)
  const tom = userId(panel, 'tom')
  const ask = program(panel.app, tokenOf(panel, 'tom', 'acme'))
  const olga = await panel.signIn('olga')
  const before = await olga.submit('/support/users', 'Disable', {}, cast.tom.email)
  t.match(before.text, /1 API token that they created stops working: tom here …\w{4}/)
  t.equal((await ask('GET', '/accounts/acme')).status, 200, 'not yet')
  t.match((await olga.get(`/support/users/${tom}/removal`)).text, /1 API token that they created stops working/)
  await olga.press(before, 'Disable Tom')
  t.equal((await ask('GET', '/accounts/acme')).status, 401)
})
