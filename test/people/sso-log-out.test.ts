import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { identities, records, sessions } from '../../src/db/schema.ts'
import { type Client, type Panel, startApp, userId } from '../harness.ts'
import { connectThrough, ssoThrough, startOidc } from '../oidc.ts'

/** Logs out, and returns the link to the provider’s log-out. */
async function logOut(client: Client): Promise<URL> {
  const out = await client.submit('/', 'Log out')
  const page = await client.get(out.location ?? '')
  const link = page.root.querySelectorAll('a').find(({ text }) => text.includes('Log out at Example ID'))
  return new URL(link?.getAttribute('href') ?? '')
}

t.test('a log-out here offers one at the provider, which leads back', async (t) => {
  const oidc = await startOidc(t, { inIdToken: true })
  const panel = await startApp(t, { settings: oidc.settings })
  const tom = await panel.signIn('tom')
  await connectThrough(oidc, tom)
  t.equal((await tom.submit('/', 'Log out')).location, '/login', 'not where a password began the session')
  const client = panel.visit()
  await ssoThrough(oidc, client)
  const address = await logOut(client)
  t.match((await client.get('/profile')).location, '/login')
  t.equal(panel.db.select().from(sessions).all().length, 0)
  t.equal(address.origin, oidc.issuer)
  t.equal(await oidc.logOut(address.href), 'http://localhost:3000/login')
})

t.test('a log-out at the provider ends the sessions that began with it, and no others', async (t) => {
  const oidc = await startOidc(t, { inIdToken: true })
  const panel = await startApp(t, { settings: oidc.settings })
  oidc.panel = panel
  const [byPassword, uma, first] = [await panel.signIn('tom'), await panel.signIn('uma'), panel.visit()]
  await connectThrough(oidc, byPassword)
  await ssoThrough(oidc, first)
  const address = await logOut(first)
  await ssoThrough(oidc, first)
  t.equal((await first.get('/profile')).status, 200)
  t.ok(panel.db.select().from(sessions).all().at(-1)?.ssoSid, 'the provider named its session')

  await oidc.logOut(address.href)
  t.match(oidc.told, [{ status: 200 }])
  t.match((await first.get('/profile')).location, '/login')
  t.equal((await byPassword.get('/profile')).status, 200, 'a session by password goes on')
  t.equal((await uma.get('/profile')).status, 200, 'and that of somebody else')
  const record = panel.db.select().from(records).all().at(-1)
  t.match(record, { kind: 'user.sessions-ended', userId: userId(panel, 'tom'), actorId: null })
  t.equal((await send(panel, oidc.told[0]?.payload ?? '')).statusCode, 400, 'a token counts once')
})

/** A provider that says of itself what is needed here, and signs with its own key. */
async function startSigner(t: Test) {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const server = createServer((request, response) => {
    const own = { issuer, jwks_uri: `${issuer}/jwks`, authorization_endpoint: `${issuer}/auth` }
    response.setHeader('content-type', 'application/json')
    exportJWK(publicKey).then((key) =>
      response.end(JSON.stringify(request.url === '/jwks' ? { keys: [{ ...key, kid: 'one', alg: 'RS256' }] } : own)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const sign = (claims: JWTPayload, { key = privateKey, typ = 'logout+jwt' } = {}) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one', typ }).sign(key)
  return { issuer, sign }
}

const send = ({ app }: Panel, payload: string) =>
  app.inject({
    method: 'POST',
    url: '/session/sso-logout',
    payload,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })

t.test('whatever is wrong with a logout token, it ends nothing', async (t) => {
  const { issuer, sign } = await startSigner(t)
  const settings = { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: 'panel', OIDC_CLIENT_SECRET: 'secret' }
  const panel = await startApp(t, { settings })
  await panel.signIn('tom')
  const tom = userId(panel, 'tom')
  panel.db
    .insert(identities)
    .values({ issuer: `${issuer}/`, subject: 'tom', userId: tom, createdAt: 1 })
    .run()
  panel.db.update(sessions).set({ identityId: 1, ssoSid: 'their session' }).run()
  const iat = Math.floor(Date.now() / 1_000)
  const event = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  let number = 0
  const right = (change: Record<string, unknown> = {}) => {
    const claims = { iss: issuer, aud: 'panel', iat, exp: iat + 120, jti: `${number++}`, events: event, sub: 'tom' }
    return Object.fromEntries(Object.entries({ ...claims, ...change }).filter(([, value]) => value !== undefined))
  }
  const refused = async (what: string, token: string) => {
    const answer = await send(panel, new URLSearchParams({ logout_token: token }).toString())
    t.equal(answer.statusCode, 400, what)
    t.equal(panel.db.select().from(sessions).all().length, 1, what)
  }
  const wrong: Record<string, Record<string, unknown>> = {
    'another issuer': { iss: 'https://other.example' },
    'for another client': { aud: 'other' },
    'too old': { iat: iat - 600, exp: iat + 600 },
    'has ended': { exp: iat - 120 },
    'without a time': { iat: undefined },
    'without a number': { jti: undefined },
    'without the event': { events: {} },
    'an ID token': { nonce: 'a nonce' },
    'names nobody': { sub: undefined },
    'an odd subject': { sub: 5 },
  }
  for (const [what, change] of Object.entries(wrong)) await refused(what, await sign(right(change)))
  const { privateKey } = await generateKeyPair('RS256')
  await refused('another key', await sign(right(), { key: privateKey }))
  await refused('another kind', await sign(right(), { typ: 'at+jwt' }))
  const bare = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  await refused('not signed', `${bare}.${Buffer.from(JSON.stringify(right())).toString('base64url')}.`)
  const shared = new SignJWT(right()).setProtectedHeader({ alg: 'HS256' })
  await refused('signed by the secret', await shared.sign(Buffer.from('secret'.repeat(8))))
  for (const body of ['', 'logout_token=a', 'logout_token=a&logout_token=b'])
    t.equal((await send(panel, body)).statusCode, 400, body)
  t.equal((await panel.app.inject({ method: 'POST', url: '/session/sso-logout' })).statusCode, 400)

  const others = { sub: undefined, sid: 'another session' }
  const post = async (change: Record<string, unknown>) =>
    send(panel, new URLSearchParams({ logout_token: await sign(right(change)) }).toString())
  for (const change of [others, { sid: 'another session' }, { sub: 'uma' }]) {
    t.equal((await post(change)).statusCode, 200, 'somebody else’s')
    t.equal(panel.db.select().from(sessions).all().length, 1)
  }
  t.equal((await post({ sub: undefined, sid: 'their session' })).statusCode, 200)
  t.equal(panel.db.select().from(sessions).all().length, 0)
})

t.test('without single sign-on, nobody logs anybody out', async (t) => {
  const panel = await startApp(t)
  t.equal((await send(panel, 'logout_token=a')).statusCode, 400)
})
