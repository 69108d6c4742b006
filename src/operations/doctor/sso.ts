import type { Config } from '../../config.ts'
import { providerOf } from '../../people/sso/provider.ts'
import { OutsideError } from '../../web/outside.ts'
import { type Finding, ok, problem, saidBy, warning } from './finding.ts'

/** Whether the provider of single sign-on answers, and is the one that is meant. */
export async function examineSso(config: Config): Promise<Finding[]> {
  const { sso, publicUrl } = config
  if (!sso) return []
  try {
    const provider = await providerOf(config, sso).metadata()
    const what = `single sign-on: ${sso.issuer} answers; it must know ${publicUrl}/login/sso/callback`
    if (!provider.code_challenge_methods_supported?.includes('S256'))
      return [warning(`${what}; it does not say that it takes PKCE (S256)`, 'see that the provider does')]
    return [ok(what)]
  } catch (error) {
    return [
      problem(
        `single sign-on: ${sso.issuer}: ${saidBy(causeOf(error))}`,
        'look at OIDC_ISSUER, and at OUTSIDE_ALLOW if the provider is in your own network',
      ),
    ]
  }
}

/** The library’s own errors say less than what they come from. */
function causeOf(error: unknown): unknown {
  for (let one = error; one instanceof Error; one = one.cause) if (one instanceof OutsideError) return one
  return error
}
