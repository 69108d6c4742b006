/** Longer values are no rule’s. */
const longestGroup = 300

/**
 * The groups that a claim names: one text, or a list of texts. A claim that is missing or something else names none: many providers
 * leave it out for people without groups. Undefined where the provider says that the groups are to be asked for elsewhere
 * (OpenID Connect Core 1.0, 5.6.2), as Microsoft Entra does for people with many: then nobody knows them here.
 */
export function readGroups(claims: Record<string, unknown>, claim: string | null): Set<string> | undefined {
  if (claim === null) return undefined
  const elsewhere = claims._claim_names
  if (!Object.hasOwn(claims, claim) && typeof elsewhere === 'object' && elsewhere && Object.hasOwn(elsewhere, claim))
    return undefined
  const value = Object.hasOwn(claims, claim) ? claims[claim] : []
  const named = Array.isArray(value) ? value : [value]
  return new Set(named.filter((each) => typeof each === 'string' && each.length <= longestGroup))
}
