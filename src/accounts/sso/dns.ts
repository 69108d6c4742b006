import { Resolver } from 'node:dns/promises'
import type { AccountDomain } from './data/domains.ts'

// The record in DNS by which an account proves that a domain is its own.

export const recordName = (domain: string) => `_meshpanel.${domain}`
export const recordText = (token: string) => `meshpanel=${token}`

/** In milliseconds, for one question to one name server. */
const longestQuestion = 3_000
/** A name server says so where there is no such record. Anything else is no answer. */
const without = ['ENOTFOUND', 'ENODATA']

/** Whether a domain’s record is there; undefined where no name server answered. */
export type LookUpDomain = (domain: Pick<AccountDomain, 'domain' | 'token'>) => Promise<boolean | undefined>

/** `servers`: addresses of name servers; those of the machine where there are none. */
export function newDomainLookUp(servers: string[]): LookUpDomain {
  return async ({ domain, token }) => {
    const resolver = new Resolver({ timeout: longestQuestion, tries: 2 })
    if (servers.length > 0) resolver.setServers(servers)
    try {
      const records = await resolver.resolveTxt(recordName(domain))
      return records.some((pieces) => pieces.join('') === recordText(token))
    } catch (error) {
      return without.includes((error as NodeJS.ErrnoException).code ?? '') ? false : undefined
    }
  }
}
