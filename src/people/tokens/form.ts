import * as z from 'zod'
import { can, type Standing, scopeFamilies, scopeOf, type TokenScope } from '../../policy.ts'
import { line, networks, several } from '../../web/fields.ts'
import { newForm } from '../../web/request/forms.ts'
import { type ApiToken, expiresInDays, lifetimes, mostTokens } from './data.ts'

// What the pages of a person’s tokens and those of a service user’s have in common.

export const tokenDays = lifetimes.map(String)
const allScopes = scopeFamilies.flatMap((family): TokenScope[] =>
  family === 'history' ? ['history:read'] : [`${family}:read`, `${family}:write`],
)

/** What the page calls each family of scopes. */
const familyWords: Record<(typeof scopeFamilies)[number], string> = {
  account: 'Account',
  members: 'Users and invitations',
  projects: 'Projects and project access',
  quotas: 'Quotas and requests',
  customers: 'Customers',
  history: 'History',
  webhooks: 'Webhooks',
  support: 'Support Area',
}

/** Its user and Support read it. */
const tokenName = () => line('Enter a name, such as the program that will use the token.', 60)

export const tokenForm = z.strictObject({
  name: tokenName(),
  scopes: several(z.enum(allScopes)).refine((scopes) => scopes.length > 0, 'Choose at least one right.'),
  networks: networks(),
  days: z.enum(tokenDays, { error: 'Choose how long the token works.' }),
})
export const tokenRotation = z.strictObject({ earlier: z.enum(['day', 'now']).default('day') })

export const emptyTokenForm = () => newForm({ days: '90' })

export const tooManyTokens = `There are ${mostTokens} tokens, which is the most. End one that is no longer used.`

/**
 * The scopes that are of use to somebody with these standings, by family: some operation needs just them. A service user is in no
 * project, so that what is done there is of use to it only where it sees all of them.
 */
export function usefulScopes(standings: readonly Standing[], { service = false } = {}) {
  const inProjects = !service || can(standings, 'project.see-all')
  const useful = (scope: TokenScope) =>
    (inProjects || !scope.startsWith('projects:')) &&
    (Object.keys(scopeOf) as (keyof typeof scopeOf)[]).some(
      (action) => scopeOf[action] === scope && can(standings, action),
    )
  return scopeFamilies
    .map((family) => ({
      words: familyWords[family],
      scopes: allScopes.filter((scope) => scope.startsWith(`${family}:`) && useful(scope)),
    }))
    .filter(({ scopes }) => scopes.length > 0)
}

/** A token as a list shows it. */
export function shownToken(token: ApiToken, at: number) {
  return {
    ...token,
    ofSupport: token.accountId === null,
    rights: rightsInWords(token.scopes),
    expired: token.expiresAt <= at,
    expiresIn: expiresInDays(token, at),
    unused: (token.lastUsedAt ?? token.createdAt) < at - 90 * 24 * 3_600_000,
  }
}

/** “Projects and project access (change), History (read)” */
function rightsInWords(scopes: string): string {
  return scopeFamilies
    .flatMap((family) => {
      const ofFamily = scopes.split(' ').filter((scope) => scope.startsWith(`${family}:`))
      return ofFamily.length === 0
        ? []
        : [`${familyWords[family]} (${ofFamily.some((scope) => scope.endsWith(':write')) ? 'change' : 'read'})`]
    })
    .join(', ')
}
