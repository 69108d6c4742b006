import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { identities, sessions } from '../../src/db/schema.ts'
import { type Glewlwyd, startGlewlwyd, withoutGlewlwyd } from '../glewlwyd.ts'
import { type Client, type Panel, startApp, userId } from '../harness.ts'

// The panel with a second real provider, of another kind than the one of the other tests: it is written in C, says nothing about
// whether an e-mail is verified, and logs nobody out by a link without an ID token.

const options = { skip: withoutGlewlwyd ?? false, timeout: 120_000 }
const minute = 60_000

/** The panel as Glewlwyd reaches it, to tell it of log-outs. */
async function listen(t: Test) {
  const told: { path: string | undefined; status: number }[] = []
  const heard: { panel?: Panel } = {}
  const server = createServer(async (request, response) => {
    let payload = ''
    for await (const part of request) payload += part
    const headers = { 'content-type': request.headers['content-type'] ?? '' }
    const answer = await heard.panel?.app.inject({ method: 'POST', url: request.url ?? '', payload, headers })
    told.push({ path: request.url, status: answer?.statusCode ?? 0 })
    response.writeHead(answer?.statusCode ?? 500).end(answer?.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { address: `http://127.0.0.1:${port}/session/sso-logout`, told, heard }
}

async function started(t: Test) {
  const { address, told, heard } = await listen(t)
  const glewlwyd = await startGlewlwyd(t, address)
  await glewlwyd.add('tom', 'Tom of Glewlwyd', 'tom@acme.example')
  await glewlwyd.add('nina', 'Nina New', 'nina@acme.example')
  const panel = await startApp(t, { settings: glewlwyd.settings })
  heard.panel = panel
  return { glewlwyd, panel, told }
}

async function connect(glewlwyd: Glewlwyd, client: Client) {
  await client.submit('/profile/sso', 'Connect')
  const { location } = await client.get('/profile/sso/start')
  return client.open(await glewlwyd.visit(location, 'tom'))
}

async function logIn(glewlwyd: Glewlwyd, client: Client, next = '/', username = 'tom') {
  const { location } = await client.get(`/login/sso?next=${encodeURIComponent(next)}`)
  return client.get(await glewlwyd.visit(location, username))
}

t.test(
  'Glewlwyd: a user connects it, logs in with it, and nothing else that comes back logs anybody in',
  options,
  async (t) => {
    const { glewlwyd, panel } = await started(t)
    const tom = await panel.signIn('tom')
    t.match((await connect(glewlwyd, tom)).notice, 'You can log in with Glewlwyd now.')
    t.match(panel.db.select().from(identities).all(), [{ userId: userId(panel, 'tom') }])
    const client = panel.visit()
    t.equal((await logIn(glewlwyd, client, '/projects?q=web')).location, '/projects?q=web')
    t.equal((await client.get('/profile')).status, 200)

    const tried = async (what: string, change: (back: URLSearchParams) => void, ask = (start: string) => start) => {
      panel.pass(2 * minute)
      const visitor = panel.visit()
      const { location = '' } = await visitor.get('/login/sso')
      const back = new URL(await glewlwyd.visit(ask(location), 'tom'), 'http://x')
      change(back.searchParams)
      const answer = await visitor.get(back.pathname + back.search)
      t.match(answer.location, /^\/login\?next=/, what)
      t.match((await visitor.get('/profile')).location, '/login', what)
    }
    const { location } = await panel.visit().get('/login/sso')
    const replayed = new URL(await glewlwyd.visit(location, 'tom'), 'http://x').searchParams.get('code') ?? ''
    await tried('the code of another browser', (query) => query.set('code', replayed))
    await tried('another state', (query) => query.set('state', 'another'))
    await tried('another issuer', (query) => query.set('iss', 'https://other.example'))
    await tried(
      'another nonce',
      () => undefined,
      (start) => start.replace(/nonce=[^&]+/, 'nonce=another'),
    )

    const visitor = panel.visit()
    const start = await visitor.get('/login/sso')
    const back = await glewlwyd.visit(start.location, 'tom')
    const cookie = visitor.cookies.get('meshpanel-sso') ?? ''
    t.equal((await visitor.get(back)).location, '/')
    const thief = panel.visit()
    thief.cookies.set('meshpanel-sso', cookie)
    t.equal((await thief.get(back)).location, '/login', 'the same answer a second time')
  },
)

t.test('Glewlwyd: an e-mail that it does not call verified gives nobody a user', options, async (t) => {
  const { glewlwyd, panel } = await started(t)
  const visitor = panel.visit()
  const asked = await logIn(glewlwyd, visitor)
  t.match((await visitor.open(asked.location ?? '')).text, 'Log in once as you did before')
  t.match((await visitor.get('/profile')).location, '/login')
  const stella = await panel.signIn('stella')
  await stella.submit('/customer/users', 'Invite', { name: 'Nina', email: 'nina@acme.example' })
  const rows = panel.rows()
  const invited = panel.visit()
  await logIn(glewlwyd, invited, '/', 'nina')
  t.match((await invited.get('/profile')).location, '/login', 'an invitation to that address is not accepted by it')
  t.same(panel.rows().users, rows.users)
  t.same(panel.db.select().from(identities).all(), [])
})

t.test('Glewlwyd: a log-out there ends the sessions that began with it', options, async (t) => {
  const { glewlwyd, panel, told } = await started(t)
  const byPassword = await panel.signIn('tom')
  await connect(glewlwyd, byPassword)
  const client = panel.visit()
  await logIn(glewlwyd, client)
  const { ssoSid } = panel.db.select().from(sessions).all().at(-1) ?? {}
  t.ok(ssoSid, 'it names its session')
  await glewlwyd.logOut(ssoSid ?? '', 'tom')
  for (let n = 0; n < 50 && told.length === 0; n++) await new Promise((resolve) => setTimeout(resolve, 100))
  t.same(told, [{ path: '/session/sso-logout', status: 200 }])
  t.match((await client.get('/profile')).location, '/login')
  t.equal((await byPassword.get('/profile')).status, 200, 'a session by password goes on')

  await logIn(glewlwyd, client)
  const out = await client.submit('/', 'Log out')
  const page = await client.get(out.location ?? '')
  const link = page.root.querySelectorAll('a').find(({ text }) => text.includes('Log out at Glewlwyd'))
  // It ends nothing without the ID token, which the panel does not keep: people log out there on its own pages.
  t.equal(await glewlwyd.logOutPage(link?.getAttribute('href') ?? ''), '')
})
