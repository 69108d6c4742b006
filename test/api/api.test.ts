import { eq } from 'drizzle-orm'
import t from 'tap'
import { operations } from '../../src/api/operations.ts'
import { writeUnchecked } from '../../src/db/open.ts'
import { users } from '../../src/db/schema.ts'
import { findUser, setDisabled, setPasswordByMail } from '../../src/people/data/users.ts'
import { resetTwoFactor } from '../../src/people/help/data.ts'
import { forgetReplays } from '../../src/people/tokens/replays/data.ts'
import { atCommandLine, byItself } from '../../src/records/record.ts'
import { startApp, there, userId } from '../harness.ts'
import { program, tokenOf } from './program.ts'

t.test('a partner’s program creates a customer, describes, suspends, resumes, deletes and restores it', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const created = await ask('POST', '/accounts/cloudhaus/customers', { name: 'Wayne' })
  t.equal(created.status, 201, created.text)
  t.match(created.body, { identifier: 'wayne', name: 'Wayne', users: 0, suspension: null })
  t.equal(created.headers.location, 'http://localhost:3000/api/v1/accounts/cloudhaus/customers/wayne')
  const here = '/accounts/cloudhaus/customers/wayne'
  const read = await ask('GET', here)
  t.same(read.body, created.body)
  t.equal(read.headers.etag, created.headers.etag)

  const changed = await ask('PATCH', here, { reference: 'C-1', tags: ['gold', 'Gold'], note: 'Pays late' })
  t.match(changed.body, { reference: 'C-1', note: 'Pays late' })
  t.same(changed.body.tags, ['Gold'])
  t.match((await ask('PATCH', '/accounts/cloudhaus/customers/acme', { reference: 'c-1' })).body, {
    status: 409,
    errors: [{ pointer: '#/reference', code: 'taken' }],
  })

  t.match((await ask('POST', `${here}/suspend`, { reason: 'Not paid' })).body.suspension, { by: 'partner' })
  t.equal((await ask('POST', `${here}/resume`)).body.suspension, null)
  t.equal((await ask('DELETE', here)).status, 204)
  t.equal((await ask('GET', here)).status, 404)
  t.equal((await ask('POST', `${here}/restore`)).status, 200)
  t.equal((await ask('GET', here)).status, 200)

  const page = await (await panel.signIn('petra')).get('/partner/customers')
  t.match(page.body, 'Wayne', 'pages show it')
})

t.test(
  'a customer gets the plan for new customers, or is not created where the pool does not have enough',
  async (t) => {
    const panel = await startApp(t)
    const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
    const petra = await panel.signIn('petra')
    await petra.submit('/partner/plans/new', 'Create plan', { planName: 'M', cores: '8', newCustomers: 'yes' })
    t.equal((await ask('POST', '/accounts/cloudhaus/customers', { name: 'Wayne' })).status, 201)
    t.equal((await petra.get('/partner/customers/wayne/quotas')).amount('cores'), 8)
    const olga = await panel.signIn('olga')
    await olga.submit('/support/accounts/cloudhaus/quotas', 'Save pool', { cores: '10' })
    const short = await ask('POST', '/accounts/cloudhaus/customers', { name: 'Stark' })
    t.equal(short.status, 409, short.text)
    t.match(short.body.detail, 'Cores: the pool has 2 available, and the plan takes 8')
    t.equal((await ask('GET', '/accounts/cloudhaus/customers/stark')).status, 404)
  },
)

t.test('lists go page by page, and know no parameter but their own', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  for (let n = 0; n < 5; n++) await ask('POST', '/accounts/cloudhaus/customers', { name: `Customer ${n}` })
  const names: string[] = []
  let next = '/accounts/cloudhaus/customers?limit=3&sort=name'
  for (let n = 0; n < 5 && next; n++) {
    const { body, headers, status } = await ask('GET', next)
    t.equal(status, 200)
    names.push(...body.data.map((one: { name: string }) => one.name))
    t.match(body, { total: 7, total_is_exact: true })
    const [, link] = /^<http:\/\/localhost:3000\/api\/v1(.+)>; rel="next"$/.exec(String(headers.link ?? '')) ?? []
    t.equal(body.next === null, link === undefined)
    next = link ?? ''
  }
  t.same(names, ['Acme', 'Customer 0', 'Customer 1', 'Customer 2', 'Customer 3', 'Customer 4', 'Initech'])
  for (const query of ['size=3', 'limit=0', 'limit=201', 'limit=3&limit=4', 'sort=colour', 'status=asleep', 'cursor=x'])
    t.match((await ask('GET', `/accounts/cloudhaus/customers?${query}`)).body, { status: 400 }, query)
  t.equal((await ask('GET', '/accounts/cloudhaus/customers?q=initech')).body.total, 1)
})

t.test('what is sent wrong is named value by value, and nothing is changed', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const before = panel.rows()
  const url = '/accounts/cloudhaus/customers'
  t.match((await ask('POST', url, { name: '', colour: 'red' })).body, {
    status: 422,
    errors: [{ pointer: '#/name' }, { pointer: '#/colour', code: 'unknown-field' }],
  })
  t.match((await ask('POST', url, { name: 7 })).body, { status: 422, errors: [{ pointer: '#/name' }] })
  t.match((await ask('POST', url, '{"name":')).body, { status: 400 })
  t.match((await ask('POST', url, [])).body, { status: 400 })
  t.match((await ask('POST', url)).body, { status: 400 })
  t.match((await ask('POST', url, 'name=Wayne', { 'content-type': 'application/x-www-form-urlencoded' })).body, {
    status: 415,
  })
  t.match((await ask('POST', url, { name: 'x'.repeat(70_000) })).body, { status: 413 })
  const wrongMethod = await ask('PUT', url, {})
  t.equal(wrongMethod.status, 405)
  t.equal(wrongMethod.headers.allow, 'GET, HEAD, POST')
  t.match((await ask('GET', '/accounts/cloudhaus/colours')).body, { status: 404 })
  t.equal((await ask('POST', url, { name: 'Acme' })).body.proposal?.startsWith('acme-'), true)
  const untouched = ['accounts', 'memberships', 'projects', 'limits', 'ties', 'invitations']
  for (const table of untouched) t.same(panel.rows()[table], before[table], table)
})

t.test('without a token that works there is nothing, and a token opens no page', async (t) => {
  const panel = await startApp(t)
  const token = tokenOf(panel, 'petra', 'cloudhaus')
  const url = '/accounts/cloudhaus'
  t.equal((await program(panel.app, token)('GET', url)).status, 200)
  const changedEnd = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0')
  for (const wrong of [undefined, '', 'nothing', changedEnd]) {
    const answer = await program(panel.app, wrong)('GET', url)
    t.equal(answer.status, 401, String(wrong))
    t.equal(answer.headers['www-authenticate'], 'Bearer realm="meshpanel"')
  }
  const page = await panel.app.inject({ url: '/partner/customers', headers: { authorization: `Bearer ${token}` } })
  t.equal(page.statusCode, 303, 'to the login')
  const petra = await panel.signIn('petra')
  const cookie = [...petra.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const bySession = await panel.app.inject({ url: `/api/v1${url}`, headers: { cookie } })
  t.equal(bySession.statusCode, 401)
  t.equal(bySession.headers['set-cookie'], undefined)
})

t.test('many wrong tokens from an address are slowed down, and a right one from there is not', async (t) => {
  const panel = await startApp(t)
  const [wrong, right] = [program(panel.app, 'nothing'), program(panel.app, tokenOf(panel, 'stella', 'acme'))]
  for (let n = 0; n < 30; n++) t.equal((await wrong('GET', '/accounts/acme')).status, 401)
  const slowed = await wrong('GET', '/accounts/acme')
  t.equal(slowed.status, 429)
  t.ok(Number(slowed.headers['retry-after']) > 0)
  t.equal((await right('GET', '/accounts/acme')).status, 200)
  panel.pass(60_000)
  t.equal((await wrong('GET', '/accounts/acme')).status, 401)
})

t.test('an address that cannot be read is told of as JSON, too', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const { status, headers, body } = await ask('GET', '/accounts/%')
  t.equal(status, 400)
  t.match(headers['content-type'], 'application/problem+json')
  t.match(body, { type: 'http://localhost:3000/api/problems/unreadable', status: 400 })
  t.match((await panel.visit().get('/%')).response.headers['content-type'], 'text/html', 'people get a page')
})

t.test('a token ends by its date, its end, its scope, its addresses, and the rights of its user', async (t) => {
  const panel = await startApp(t)
  const token = tokenOf(panel, 'stella', 'acme', { days: 30 })
  const ask = program(panel.app, token)
  t.equal((await ask('GET', '/accounts/acme')).status, 200)
  const reads = program(panel.app, tokenOf(panel, 'stella', 'acme', { scopes: ['projects:read'] }))
  t.equal((await reads('GET', '/accounts/acme/projects')).status, 200)
  const scoped = await reads('POST', '/accounts/acme/projects', { name: 'New' })
  t.match(scoped.body, { status: 403, type: 'http://localhost:3000/api/problems/scope-missing' })
  const placed = program(panel.app, tokenOf(panel, 'stella', 'acme', { networks: ['192.0.2.0/24'] }))
  t.match((await placed('GET', '/accounts/acme')).body, { status: 403, type: /address-not-allowed$/ })
  const tom = program(panel.app, tokenOf(panel, 'tom', 'acme'))
  t.equal((await tom('GET', '/accounts/acme/projects')).body.total, 1, 'a user sees the projects that they are in')
  t.match((await tom('POST', '/accounts/acme/projects', { name: 'New' })).body, { status: 403, type: /forbidden$/ })
  t.equal((await tom('GET', '/accounts/acme/projects/shop')).status, 404)

  panel.pass(31 * 24 * 3_600_000)
  t.equal((await ask('GET', '/accounts/acme')).status, 401, 'expired')
})

t.test('a person who leaves the account takes their tokens along, also when they come back', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'tom', 'acme'))
  t.equal((await ask('GET', '/accounts/acme')).status, 200)
  const byStella = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const tom = (await byStella('GET', '/accounts/acme/members?q=tom')).body.data[0]
  t.equal((await byStella('DELETE', `/accounts/acme/members/${tom.id}`)).status, 204)
  t.equal((await ask('GET', '/accounts/acme')).status, 401)
  const row = panel.rows().api_tokens as { ended_at: number | null; user_id: number }[]
  t.ok(row.find(({ user_id }) => user_id === tom.id)?.ended_at)
})

t.test('the same key does a thing once, also at the same moment; with another body it is refused', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const url = '/accounts/cloudhaus/customers'
  const key = { 'idempotency-key': 'order-4711' }
  const both = await Promise.all([ask('POST', url, { name: 'Wayne' }, key), ask('POST', url, { name: 'Wayne' }, key)])
  t.same(
    both.map(({ status }) => status),
    [201, 201],
  )
  t.same(both[0]?.body, both[1]?.body)
  t.same(both.map(({ headers }) => headers['idempotent-replayed']).sort(), ['true', undefined])
  t.match((await ask('POST', url, { name: 'Other' }, key)).body, { status: 422, type: /idempotency-key-reused$/ })
  t.equal((await ask('GET', `${url}?q=wayne`)).body.total, 1)
  panel.pass(25 * 3_600_000)
  t.equal((await ask('POST', url, { name: 'Wayne' }, key)).status, 409, 'a day later it is a new request')
})

t.test('a change made on an older version changes nothing', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const url = '/accounts/acme/projects/website'
  const first = String((await ask('GET', url)).headers.etag)
  t.equal((await ask('GET', url, undefined, { 'if-none-match': first })).status, 304)
  const changed = await ask('PATCH', url, { name: 'Site' }, { 'if-match': first })
  t.equal(changed.status, 200)
  const stale = await ask('PATCH', url, { name: 'Page' }, { 'if-match': first })
  t.equal(stale.status, 412)
  t.equal((await ask('GET', url)).body.name, 'Site')
  t.equal((await ask('PATCH', url, { name: 'Page' }, { 'if-match': String(changed.headers.etag) })).status, 200)
})

t.test('a token may ask 60 times at once and 600 times a minute; no other is slowed by it', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const other = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  for (let n = 0; n < 60; n++) await ask('GET', '/accounts/acme')
  const tooMany: number[] = []
  for (let n = 0; n < 20; n++) tooMany.push((await ask('GET', '/accounts/acme')).status)
  t.ok(tooMany.includes(429))
  t.equal((await other('GET', '/accounts/acme')).status, 200)
  panel.pass(60_000)
  t.equal((await ask('GET', '/accounts/acme')).status, 200)
})

t.test('every operation’s address names the account, except Support’s', async (t) => {
  for (const { method, path } of operations) t.match(path, /^\/(accounts\/\{account\}|support\/)/, `${method} ${path}`)
})

t.test('a token ends with a recovered login, and with a user who is disabled', async (t) => {
  const panel = await startApp(t)
  const who = { userId: userId(panel, 'tom') }
  const newAsk = () => program(panel.app, tokenOf(panel, 'tom', 'acme'))
  for (const [how, end] of [
    ['a second factor that Support resets', resetBySupport],
    ['a disabled user, also when enabled again', disableAndEnable],
    ['a password chosen by a mailed link', chooseByMail],
  ] as const) {
    const ask = newAsk()
    t.equal((await ask('GET', '/accounts/acme')).status, 200, how)
    end()
    t.equal((await ask('GET', '/accounts/acme')).status, 401, how)
  }

  function resetBySupport() {
    panel.db.update(users).set({ totpSecret: 'sealed', totpStep: 1 }).where(eq(users.id, who.userId)).run()
    resetTwoFactor(panel.db, atCommandLine(panel.app.now()), who.userId, { accountId: null, tell: () => {} })
  }
  function disableAndEnable() {
    for (const disabled of [true, false]) setDisabled(panel.db, atCommandLine(panel.app.now()), who.userId, disabled)
  }
  function chooseByMail() {
    const user = there(findUser(panel.db, who.userId))
    writeUnchecked(panel.db, (tx) => setPasswordByMail(tx, byItself(panel.app.now()), user, 'hash'))
  }
})

t.test(
  'a change is not refused because somebody has worked, and never without a version that it can compare',
  async (t) => {
    const panel = await startApp(t)
    const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
    const url = `/accounts/acme/members/${userId(panel, 'tom')}`
    const before = await ask('GET', url)
    panel.pass(120_000)
    await panel.signIn('tom')
    const tag = String(before.headers.etag)
    t.notSame((await ask('GET', url)).body, before.body, 'Tom was seen')
    t.equal((await ask('GET', url, undefined, { 'if-none-match': tag })).status, 200)
    t.equal((await ask('PATCH', url, { role: 'admin' }, { 'if-match': tag })).status, 200)
    t.equal((await ask('PATCH', url, { role: 'member' }, { 'if-match': tag })).status, 412)
    const access = `/accounts/acme/projects/shop/access/${userId(panel, 'tom')}`
    t.equal((await ask('PUT', access, { role: 'user' }, { 'if-match': tag })).status, 412, 'it is not there')
    const resend = '/accounts/acme/projects/shop/restore'
    t.equal((await ask('POST', resend, undefined, { 'if-match': tag })).status, 404, 'nothing was deleted')
    const keys = { 'if-match': tag }
    t.equal((await ask('POST', '/accounts/acme/projects', { name: 'New' }, keys)).status, 400, 'there is none yet')
  },
)

t.test('refused requests count as well, and answers kept for repeats are forgotten after a day', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const statuses: number[] = []
  for (let n = 0; n < 80; n++) statuses.push((await ask('GET', '/accounts/umbrella')).status)
  t.ok(statuses.includes(404) && statuses.includes(429))
  panel.pass(60_000)
  await ask('POST', '/accounts/acme/projects', { name: 'Kept' }, { 'idempotency-key': 'a' })
  t.equal(panel.rows().api_replays?.length, 1)
  t.equal(forgetReplays(panel.db, panel.app.now(), 10), false)
  t.equal(panel.rows().api_replays?.length, 1)
  forgetReplays(panel.db, panel.app.now() + 25 * 3_600_000, 10)
  t.equal(panel.rows().api_replays?.length, 0)
})

t.test(
  'a token that is replaced works a day longer, or ends at once; replacing makes no more tokens than one may have',
  async (t) => {
    const panel = await startApp(t)
    const stella = await panel.signIn('stella')
    const earlier = program(panel.app, tokenOf(panel, 'stella', 'acme', { days: 365 }))
    const rotation = there((await stella.open('/profile/tokens')).link('Replace'))
    const page = await stella.submit(rotation, 'Replace token')
    const next = program(panel.app, there(page.root.querySelector('#token')?.getAttribute('value')))
    t.equal((await next('GET', '/accounts/acme')).status, 200)
    t.equal((await earlier('GET', '/accounts/acme')).status, 200)
    panel.pass(25 * 3_600_000)
    t.equal((await earlier('GET', '/accounts/acme')).status, 401)
    const again = await panel.signIn('stella')
    const now = await again.submit(there((await again.open('/profile/tokens')).link('Replace')), 'Replace token', {
      earlier: 'now',
    })
    t.equal(now.status, 200, now.text)
    t.equal((await next('GET', '/accounts/acme')).status, 401)
    for (let n = 0; n < 49; n++) tokenOf(panel, 'stella', 'acme')
    t.throws(() => tokenOf(panel, 'stella', 'acme'), 'fifty is the most')
    const full = await again.submitAndFollow(
      there((await again.open('/profile/tokens')).link('Replace')),
      'Replace token',
    )
    t.match(full.notice, 'There are 50 tokens')
  },
)
