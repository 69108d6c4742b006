import type { AccountProvider } from '../../accounts/sso/data/provider.ts'
import type { Config } from '../../config.ts'
import { type Secrets, unsealed } from '../../secrets.ts'
import { newOutside, OutsideError } from '../../web/outside.ts'
import { type Client, newProvider, type Provider } from './provider.ts'

// The providers of single sign-on that accounts bring along.

/** One for each account: its callback tells them apart, so that no provider can pass off another’s answer as its own. */
export const callbackPath = (identifier: string) => `/login/sso/callback/${identifier}`
export const callbackOf = ({ publicUrl }: Config, identifier: string) => `${publicUrl}${callbackPath(identifier)}`

type Named = Pick<AccountProvider, 'issuer' | 'clientId' | 'clientSecret'> &
  Partial<Pick<AccountProvider, 'newPeople' | 'groupClaim'>>

/** Plain http goes only to addresses that OUTSIDE_ALLOW opens; whether it is one shows when the name is looked up. */
const clientOf = ({ issuer, clientId, clientSecret, newPeople, groupClaim = null }: Named): Client => ({
  issuer,
  clientId,
  clientSecret,
  insecure: issuer.startsWith('http:'),
  secondFactor: 'no',
  groupClaim: newPeople === 'groups' ? groupClaim : null,
})

/** Why a provider cannot be used, in words for its field; undefined where it answers as it must. */
export async function whyNoProvider(config: Config, named: Named): Promise<string | undefined> {
  const why = newOutside(config.outsideAllow).whyNot(named.issuer)
  if (why !== undefined) return why
  try {
    const { authorization_endpoint: endpoint, jwks_uri: keys } = await newProvider(config, clientOf(named)).metadata()
    return endpoint && keys ? undefined : 'The provider does not say where people log in, or which keys it has.'
  } catch (error) {
    for (let cause = error; cause instanceof Error; cause = cause.cause)
      if (cause instanceof OutsideError) return cause.message
    return 'There is no OpenID Connect provider that calls itself by this address. Copy the issuer as the provider shows it.'
  }
}

/** Those that were used lately, by account and version. */
const known = new WeakMap<Config, Map<string, Provider>>()
const mostKnown = 500

/** The provider of an account. Undefined where its secret was sealed with keys that are gone. */
export function providerOfAccount(
  config: Config,
  secrets: Secrets,
  row: AccountProvider,
  identifier: string,
): Provider | undefined {
  const made = known.get(config) ?? new Map<string, Provider>()
  known.set(config, made)
  const key = `${row.accountId} ${row.createdAt} ${row.version}`
  const there = made.get(key)
  if (there) return there
  const clientSecret = unsealed(secrets, row.clientSecret)
  if (clientSecret === undefined) return undefined
  const provider = newProvider(config, clientOf({ ...row, clientSecret }), callbackPath(identifier))
  const [oldest] = made.keys()
  if (made.size >= mostKnown && oldest !== undefined) made.delete(oldest)
  made.set(key, provider)
  return provider
}
