import type Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { createServiceUser } from '../../src/accounts/service-users/data.ts'
import { apiTokens } from '../../src/db/schema.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import { isApiToken, newApiToken } from '../../src/people/tokens/token.ts'
import { byItself } from '../../src/records/record.ts'
import { hashToken } from '../../src/secrets.ts'
import { accountId, startApp, there, userId } from '../harness.ts'
import { everyScope, program, tokenOf } from './program.ts'

// Rules of the contract that hold for all operations, and what a token is.

const day = 24 * 3_600_000

t.test('a token has its form, and a mistyped one is known by its checksum without a look-up', async (t) => {
  for (const [of, prefix] of [
    ['person', 'mpp_'],
    ['service user', 'mps_'],
  ] as const) {
    const token = newApiToken(of)
    t.match(token, /^mp[ps]_[0-9A-Za-z]{38}$/)
    t.ok(token.startsWith(prefix))
    t.ok(isApiToken(token))
    for (let at = prefix.length; at < token.length; at++) {
      const other = token[at] === 'a' ? 'b' : 'a'
      t.notOk(isApiToken(token.slice(0, at) + other + token.slice(at + 1)), `letter ${at}`)
    }
  }
  // A wrong one that stands in the database all the same is not looked for.
  const panel = await startApp(t)
  const right = tokenOf(panel, 'stella', 'acme')
  const wrong = right.slice(0, -1) + (right.endsWith('a') ? 'b' : 'a')
  panel.db
    .update(apiTokens)
    .set({ hash: hashToken(wrong) })
    .run()
  t.equal((await program(panel.app, wrong)('GET', '/accounts/acme')).status, 401)
})

t.test('where and when a token was last used is noted, once a minute, and long unused ones are marked', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme', { days: 365 }))
  const used = () => there(panel.db.select().from(apiTokens).get())
  t.equal(used().lastUsedAt, null)
  await ask('GET', '/accounts/acme')
  const first = there(used().lastUsedAt)
  t.equal(used().lastUsedIp, '127.0.0.1')
  panel.pass(30_000)
  await ask('GET', '/accounts/acme')
  t.equal(used().lastUsedAt, first, 'not again in the same minute')
  panel.pass(31_000)
  await ask('GET', '/accounts/acme')
  t.ok(there(used().lastUsedAt) > first)
  const list = async () => (await (await panel.signIn('stella')).get('/profile/tokens')).row('stella here')
  t.notMatch(await list(), 'not used for 90 days')
  panel.pass(91 * day)
  t.match(await list(), 'not used for 90 days')
})

t.test('each answer tells how much is left; no cookie is read or set, and no other site may ask', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  const cookie = [...stella.cookies].map((pair) => pair.join('=')).join('; ')
  const origin = { origin: 'https://evil.example' }
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const { headers } = await ask('GET', '/accounts/acme', undefined, { cookie, ...origin })
  t.equal(headers['ratelimit-policy'], '"token";q=600;w=60')
  t.equal(headers.ratelimit, '"token";r=59;t=1')
  t.equal(headers['set-cookie'], undefined)
  t.same(
    Object.keys(headers).filter((name) => name.startsWith('access-control')),
    [],
  )
  const session = await program(panel.app)('GET', '/accounts/acme', undefined, { cookie })
  t.equal(session.status, 401, 'a session opens nothing here')
  t.match(session.headers['www-authenticate'], 'Bearer')
  let refused = await ask('GET', '/accounts/acme')
  for (let n = 0; n < 80 && refused.status !== 429; n++) refused = await ask('GET', '/accounts/acme')
  t.match(refused.body, { status: 429, type: /too-many$/ })
  t.equal(refused.headers['retry-after'], '1')
})

t.test('what cannot be saved is a problem that says so, changes nothing, and takes no key', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const sqlite = (panel.db as unknown as { $client: Database.Database }).$client
  const create = () => ask('POST', '/accounts/acme/projects', { name: 'Kept' }, { 'idempotency-key': 'a' })
  const projects = async () => (await ask('GET', '/accounts/acme/projects')).body.total
  const before = await projects()
  sqlite.pragma('query_only = ON')
  const refused = await create()
  t.match(refused.body, { status: 503, type: /unavailable$/ })
  t.equal(refused.headers['retry-after'], '5')
  t.notMatch(refused.text, /sqlite|select|insert|\.ts/i)
  t.equal(await projects(), before, 'reading goes on')
  sqlite.pragma('query_only = OFF')
  panel.app.storage.check()
  const done = await create()
  t.equal(done.status, 201, 'only successes are kept')
  t.equal(done.headers['idempotent-replayed'], undefined)
  t.equal(await projects(), before + 1)
})

t.test('a person’s program joins a customer and leaves it; one of a service user joins none', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const own = '/accounts/cloudhaus/customers/acme/own-membership'
  const petra = program(panel.app, tokenOf(panel, 'petra', 'cloudhaus'))
  const members = async () =>
    (await petra('GET', '/accounts/cloudhaus/customers/acme/members')).body.data.map(({ id }: { id: number }) => id)
  const before = await members()
  t.match((await petra('PUT', own)).body, { id: userId(panel, 'petra'), role: 'admin' })
  t.equal((await petra('PUT', own)).status, 200, 'once more changes nothing')
  t.equal((await members()).length, before.length + 1)
  t.equal((await petra('DELETE', own)).status, 204)
  t.same(await members(), before)

  const by = { ...byItself(panel.app.now()), userId: userId(panel, 'petra') }
  const cloudhaus = accountId(panel, 'cloudhaus')
  const made = createServiceUser(db, by, cloudhaus, { name: 'Shop', role: 'admin' })
  const serviceUser = there(made === 'full' ? undefined : made.userId)
  const choice = { name: 'Shop', scopes: everyScope, networks: [], days: 30, serviceUser }
  const shop = program(panel.app, there(createApiToken(db, by, cloudhaus, choice)).token)
  t.match((await shop('PUT', own)).body, { status: 403, type: /forbidden$/ })
  t.same(await members(), before)
  t.equal(db.select().from(apiTokens).where(eq(apiTokens.userId, serviceUser)).all().length, 1)
})

t.test('a full disk is a problem of its own: nothing is half done', async (t) => {
  const panel = await startApp(t)
  const ask = program(panel.app, tokenOf(panel, 'stella', 'acme'))
  const sqlite = (panel.db as unknown as { $client: Database.Database }).$client
  sqlite.pragma(`max_page_count = ${sqlite.pragma('page_count', { simple: true })}`)
  let done = 0
  let last = await ask('GET', '/accounts/acme/projects')
  const before = last.body.total
  for (let n = 0; n < 300 && last.status < 400; n++) {
    panel.pass(1_000)
    last = await ask('POST', '/accounts/acme/projects', { name: `Full ${n}` })
    if (last.status === 201) done++
  }
  t.match(last.body, { status: 507, type: /disk-full$/ })
  t.notMatch(last.text, /sqlite|panel\.db/i)
  t.equal((await ask('GET', '/accounts/acme/projects')).body.total, before + done)
})
