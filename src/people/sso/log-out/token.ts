import type { FetchImplementation, JWTVerifyGetKey } from 'jose'
import type { Provider } from '../provider.ts'

/** Which log-out a provider tells of: of one of its sessions, or of a person in all of them. */
export type ProvidersLogOut = { subject: string | undefined; sid: string | undefined; jti: string }

/** In seconds: an older one was held back. */
const longestAge = 300
const clockOff = 60
/** In milliseconds: so long its number has to be remembered. */
export const tokenLasts = (longestAge + 2 * clockOff) * 1_000

const event = 'http://schemas.openid.net/event/backchannel-logout'
/** Those of a key pair: a client’s secret signs none. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

const keySets = new WeakMap<Provider, JWTVerifyGetKey>()

/** The provider’s keys; they are fetched again for one that is unknown, at most twice a minute. */
async function keysOf(provider: Provider): Promise<JWTVerifyGetKey> {
  const { createRemoteJWKSet, customFetch } = await import('jose')
  const { jwks_uri: address } = await provider.metadata()
  if (address === undefined) throw new Error('The provider names no keys.')
  const get: FetchImplementation = (url, { headers, signal }) =>
    provider.fetch(url, {
      method: 'GET',
      headers: Object.fromEntries(headers),
      body: null,
      redirect: 'manual',
      ...(signal ? { signal } : {}),
    })
  const keys = keySets.get(provider) ?? createRemoteJWKSet(new URL(address), { [customFetch]: get })
  keySets.set(provider, keys)
  return keys
}

/** Who a token says that it is from, and for whom: not checked yet. Throws where it is none. */
export async function readParties(token: string): Promise<{ issuer: string; clientIds: string[] }> {
  const { decodeJwt } = await import('jose')
  const { iss = '', aud = [] } = decodeJwt(token)
  return { issuer: URL.canParse(iss) ? new URL(iss).href : '', clientIds: [aud].flat().slice(0, 5) }
}

/** Checks a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6). Throws where anything is wrong. */
export async function readLogOut(provider: Provider, clientId: string, token: string): Promise<ProvidersLogOut> {
  const { jwtVerify } = await import('jose')
  const { payload, protectedHeader } = await jwtVerify(token, await keysOf(provider), {
    issuer: (await provider.metadata()).issuer,
    audience: clientId,
    algorithms,
    maxTokenAge: longestAge,
    clockTolerance: clockOff,
    requiredClaims: ['iat', 'jti', 'events'],
  })
  const { sub: subject, sid, jti, events, nonce } = payload
  const { typ } = protectedHeader
  const text = (value: unknown) => value === undefined || typeof value === 'string'
  const isEvent = typeof events === 'object' && events !== null && Object.hasOwn(events, event)
  // An ID token is no logout token, though it has the same signature: only one of them has a nonce.
  if (!isEvent || nonce !== undefined || (typ !== undefined && !/^(application\/)?(logout\+)?jwt$/i.test(typ)))
    throw new Error('This is no logout token.')
  if (!text(subject) || !text(sid) || !text(jti) || (subject === undefined && sid === undefined))
    throw new Error('The logout token names nobody.')
  return { subject, sid: sid as string | undefined, jti: String(jti) }
}
