import type { Configuration, CustomFetch } from 'openid-client'
import type { Config, Sso } from '../../config.ts'
import { newOutside, type Outside } from '../../web/outside.ts'
import type { AskedProvider } from './flow/flow.ts'

// Talks with the provider of single sign-on. What it sends goes through outside.ts: the provider names its own addresses.

/** It is large, and few requests need it. */
const library = () => import('openid-client')

/** In milliseconds: one request to the provider. */
const longestRequest = 10_000
const mostBytes = 512 * 1024
/** In milliseconds: what the provider has said of its addresses is asked for again then. */
const discoveryLasts = 3_600_000

/** How the panel is known to a provider. */
export type Client = Pick<Sso, 'issuer' | 'clientId' | 'clientSecret' | 'secondFactor'> & {
  /** It may be asked by plain http, where `outside` lets that through. */
  insecure: boolean
  /** The claim that names groups, where they decide about people. */
  groupClaim?: string | null
}

/** Who the provider says that somebody is. */
export type Confirmed = {
  issuer: string
  subject: string
  /** undefined where it names none */
  email: string | undefined
  /** False also where it does not say. */
  emailVerified: boolean
  /** It says that the e-mail is not verified. */
  emailRefused: boolean
  name: string
  /** The provider’s session. */
  sid: string | null
  /** When the person logged in there, in milliseconds; undefined where it does not say. */
  loggedInAt: number | undefined
  /** It has asked for two factors, by OIDC_SECOND_FACTOR. */
  factors: boolean
  /** All that it says about the person. */
  claims: Claims
}

/** Requests for a library that knows `fetch` only. */
export function fetchThrough(outside: Outside): CustomFetch {
  return async (url, { method, headers, body, signal }) => {
    const answer = await outside.send({
      method: method === 'POST' ? 'POST' : 'GET',
      url,
      headers,
      ...(body === null || body === undefined ? {} : { body: String(body) }),
      within: longestRequest,
      mostBytes,
      ...(signal ? { signal } : {}),
    })
    const type = answer.headers['content-type']
    const bare = [204, 205, 304].includes(answer.status)
    return new Response(bare ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: type ? { 'content-type': type } : {},
    })
  }
}

/** The installation’s provider may be reached on this machine; all others only at public addresses, or at those that OUTSIDE_ALLOW opens. */
const outsideOf = ({ outsideAllow }: Config, loopback: boolean): Outside =>
  newOutside(loopback ? [...outsideAllow, '127.0.0.0/8', '::1'] : outsideAllow)

/** What the provider says of itself, and how the panel identifies to it. */
async function discover(sso: Client, fetch: CustomFetch): Promise<Configuration> {
  const client = await library()
  const insecure = sso.insecure ? [client.allowInsecureRequests] : []
  const discovered = await client.discovery(new URL(sso.issuer), sso.clientId, sso.clientSecret, undefined, {
    [client.customFetch]: fetch,
    execute: insecure,
    timeout: longestRequest / 1_000,
  })
  // The usual way of a client to say its secret is the header (OpenID Connect Core 1.0, 9).
  const ways = discovered.serverMetadata().token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  if (!ways.includes('client_secret_basic')) return discovered
  const basic = client.ClientSecretBasic(sso.clientSecret)
  const configuration = new client.Configuration(discovered.serverMetadata(), sso.clientId, sso.clientSecret, basic)
  configuration[client.customFetch] = fetch
  configuration.timeout = longestRequest / 1_000
  for (const set of insecure) set(configuration)
  return configuration
}

export function newProvider(config: Config, sso: Client, callback = '/login/sso/callback', loopback = false) {
  const fetch = fetchThrough(outsideOf(config, loopback))
  const redirectUri = `${config.publicUrl}${callback}`
  let known: { at: number; configuration: Promise<Configuration> } | undefined

  /** AskedProvider once, and again after an hour or a failure. Throws what openid-client throws. */
  function configuration(): Promise<Configuration> {
    const at = performance.now()
    if (known && at - known.at < discoveryLasts) return known.configuration
    const asked = { at, configuration: discover(sso, fetch) }
    known = asked
    asked.configuration.catch(() => {
      if (known === asked) known = undefined
    })
    return asked.configuration
  }

  /** Some providers tell of groups only who asks for them. */
  async function scopes(): Promise<string> {
    const offered = (await metadata()).scopes_supported ?? []
    return sso.groupClaim && offered.includes('groups') ? 'openid email profile groups' : 'openid email profile'
  }

  /** Where the browser is sent to log in. `again`: the person is asked, also if logged in there. */
  async function begin({ state, nonce, verifier }: AskedProvider, again: boolean): Promise<string> {
    const client = await library()
    const url = client.buildAuthorizationUrl(await configuration(), {
      redirect_uri: redirectUri,
      scope: await scopes(),
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(again ? { prompt: 'login', max_age: '0' } : {}),
    })
    return url.href
  }

  /** Exchanges the code that the browser brought back. `query` is that of the callback. Throws where anything is not as asked. */
  async function finish(query: string, { state, nonce, verifier }: AskedProvider): Promise<Confirmed> {
    const client = await library()
    const provider = await configuration()
    const tokens = await client.authorizationCodeGrant(provider, new URL(`${redirectUri}?${query}`), {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    })
    const claims = tokens.claims()
    if (!claims) throw new Error('The provider sent no ID token.')
    const lacks = ['email', sso.groupClaim ?? 'email'].some((name) => claims[name] === undefined)
    const asksMore = lacks && provider.serverMetadata().userinfo_endpoint !== undefined
    const user = asksMore ? await client.fetchUserInfo(provider, tokens.access_token, claims.sub) : {}
    return toldBy(claims, { ...claims, ...user }, sso)
  }

  /** Where the browser can log out at the provider; undefined where it offers that nowhere. */
  async function logOutAddress(): Promise<string | undefined> {
    const provider = await configuration()
    if (!provider.serverMetadata().end_session_endpoint) return undefined
    const client = await library()
    return client.buildEndSessionUrl(provider, { post_logout_redirect_uri: `${config.publicUrl}/login` }).href
  }

  /** What the provider has said about itself. */
  const metadata = async () => (await configuration()).serverMetadata()

  return { begin, finish, logOutAddress, metadata, fetch }
}

export type Provider = ReturnType<typeof newProvider>

const providers = new WeakMap<Config, Provider>()

/** The provider of a panel that has one. */
export function providerOf(config: Config, sso: Sso): Provider {
  const made = providers.get(config) ?? newProvider(config, { ...sso, insecure: sso.loopback }, undefined, sso.loopback)
  providers.set(config, made)
  return made
}

type Claims = Record<string, unknown>

/** Reads the claims of the ID token, and those about the person (OpenID Connect Core 1.0, 2 and 5.1). What is too long is none. */
function toldBy(claims: Claims, person: Claims, { issuer, secondFactor }: Client): Confirmed {
  const textOf = (name: string, most: number, from = claims) => {
    const value = from[name]
    return typeof value === 'string' && value !== '' && value.length <= most ? value : undefined
  }
  const subject = textOf('sub', 255)
  if (subject === undefined) throw new Error('The provider named no subject, or one that is too long.')
  const { amr, auth_time: loggedInAt } = claims
  return {
    issuer,
    subject,
    email: textOf('email', 300, person),
    emailVerified: person.email_verified === true,
    emailRefused: person.email_verified !== undefined && person.email_verified !== true,
    name: textOf('name', 300, person) ?? '',
    sid: textOf('sid', 255) ?? null,
    loggedInAt: typeof loggedInAt === 'number' ? loggedInAt * 1_000 : undefined,
    factors:
      secondFactor !== 'no' &&
      (secondFactor === 'yes' || claims.acr === secondFactor || (Array.isArray(amr) && amr.includes(secondFactor))),
    claims: person,
  }
}
