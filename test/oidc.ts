import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import type { Test } from 'tap'
import { type Client, type Panel, publicUrl } from './harness.ts'

// A real provider of OpenID Connect, in this process, and a browser that logs in there.

export type ProvidersAccount = { sub: string; email?: string; verified?: boolean | undefined; name?: string }

export type Oidc = {
  issuer: string
  /** Settings of a panel that knows it. */
  settings: Record<string, string>
  /** Who logs in there next. */
  account: ProvidersAccount
  /** What it says besides in ID tokens. */
  claims: Record<string, unknown>
  provider: Provider
  /** Follows the panel’s link to the provider, logs in there, and returns the address that it sends the browser back to. */
  visit: (start: string | undefined) => Promise<string>
  jar: Map<string, string>
  /** The panel that it tells of log-outs, and what that answered. */
  panel: Panel | undefined
  told: { payload: string; status: number | undefined }[]
  /** Logs out there, and returns the address that the browser is sent to. */
  logOut: (address: string) => Promise<string>
}

/** `inIdToken`: it says who somebody is there, not only when asked. */
export async function startOidc(t: Test, { inIdToken = false } = {}): Promise<Oidc> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'panel',
        client_secret: 'a-secret-of-the-panel-alone',
        redirect_uris: ['', '/acme', '/umbrella'].map((account) => `${publicUrl}/login/sso/callback${account}`),
        post_logout_redirect_uris: [`${publicUrl}/login`],
        backchannel_logout_uri: `${publicUrl}/session/sso-logout`,
        backchannel_logout_session_required: true,
      },
    ],
    claims: { email: ['email', 'email_verified'], profile: ['name'], openid: ['sub', 'amr', 'groups'] },
    conformIdTokenClaims: !inIdToken,
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
    },
    // The library refuses to call this machine by itself.
    fetch: async (input: string | URL, init?: RequestInit) => {
      const payload = String(init?.body)
      const { pathname } = new URL(input)
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const answer = await oidc.panel?.app.inject({ method: 'POST', url: pathname, payload, headers })
      oidc.told.push({ payload, status: answer?.statusCode })
      return new Response(answer?.body, { status: answer?.statusCode ?? 500 })
    },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => {
        const { email, verified, name } = oidc.account
        return { sub, email, email_verified: verified, name, ...oidc.claims }
      },
    }),
    interactions: { url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['of the test'] },
    jwks: undefined,
    ttl: { Session: 3_600, Interaction: 600, Grant: 3_600, AccessToken: 600, IdToken: 600 },
    loadExistingGrant: async (context: {
      oidc: { session?: { accountId?: string }; client: { clientId: string } }
    }) => {
      const { Grant } = provider
      const grant = new Grant({
        clientId: context.oidc.client.clientId,
        ...(context.oidc.session?.accountId ? { accountId: context.oidc.session.accountId } : {}),
      })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
  } as never)
  const answer = provider.callback()
  server.on('request', async (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return answer(request, response)
    const { amr, acr } = oidc.claims as { amr?: string[]; acr?: string }
    const login = { accountId: oidc.account.sub, ...(amr && { amr }), ...(acr && { acr }) }
    await provider.interactionFinished(request, response, { login })
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const jar = new Map<string, string>()
  const oidc: Oidc = {
    issuer,
    settings: {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: 'panel',
      OIDC_CLIENT_SECRET: 'a-secret-of-the-panel-alone',
      OIDC_NAME: 'Example ID',
    },
    account: { sub: 'number-1', email: 'tom@acme.example', verified: true, name: 'Tom of Example ID' },
    claims: {},
    provider,
    jar,
    panel: undefined,
    told: [],
    logOut: async (address) => {
      const asked = await send(jar, address)
      const page = await asked.text()
      const [, xsrf = ''] = /name="xsrf" value="(\w+)"/.exec(page) ?? []
      const body = new URLSearchParams({ xsrf, logout: 'yes' })
      const done = await send(jar, `${issuer}/session/end/confirm`, { method: 'POST', body })
      return done.headers.get('location') ?? `${done.status} ${await done.text()}`
    },
    visit: (start) => follow(jar, start ?? ''),
  }
  return oidc
}

/** A request as the browser sends it, with the provider’s cookies. */
async function send(jar: Map<string, string>, url: string, init: RequestInit = {}): Promise<Response> {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const answer = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } })
  for (const line of answer.headers.getSetCookie()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (value === '') jar.delete(name)
    else jar.set(name, value)
  }
  return answer
}

async function follow(jar: Map<string, string>, start: string): Promise<string> {
  let url = start
  for (let hops = 0; hops < 8; hops++) {
    if (url.startsWith(publicUrl)) return url.slice(publicUrl.length)
    const answer = await send(jar, url)
    const to = answer.headers.get('location')
    if (!to) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`)
    url = new URL(to, url).href
  }
  throw new Error('The provider led nowhere.')
}

/** A whole single sign-on: to the provider, and back. */
export async function ssoThrough(oidc: Oidc, client: Client, next = '/') {
  const started = await client.get(`/login/sso?next=${encodeURIComponent(next)}`)
  return client.get(await oidc.visit(started.location))
}

export const connectThrough = async (oidc: Oidc, client: Client) => {
  await client.submit('/profile/sso', 'Connect')
  const started = await client.get('/profile/sso/start')
  return client.open(await oidc.visit(started.location))
}
