import { isInNetworks } from '../web/networks.ts'
import type { AccountRules, Unmet } from '../web/request/viewer.ts'

/** A session, and whose it is, as far as accounts ask about it. Times are in milliseconds. */
export type Asking = {
  user: { service: boolean; totpSecret: string | null; hasPasskey: number }
  /** The provider of single sign-on has asked for two factors, or would ask the user of a token. */
  ssoFactors: boolean
  /** None for a token. */
  session?: { secondFactor: boolean; provedAt: number; longestIdle: number }
  ip: string
  at: number
}

/**
 * What an account asks for and somebody does not fulfil now. A program has no second factor, and a token no session. A time
 * that lies in the future was given by a clock that was ahead: it counts as long ago.
 */
export function unmetBy(rules: AccountRules | null, { user, ssoFactors, session, ip, at }: Asking): Unmet | undefined {
  if (!rules) return undefined
  if (!isInNetworks(rules.networks, ip)) return 'address'
  const { secondFactorFrom, sessionTime, idleTime } = rules
  const hasTwo = ssoFactors || ((user.totpSecret !== null || user.hasPasskey === 1) && session?.secondFactor !== false)
  if (secondFactorFrom !== null && at >= secondFactorFrom && !user.service && !hasTwo) return 'second factor'
  if (!session) return undefined
  const age = at - session.provedAt
  if (sessionTime !== null && (age > sessionTime || age < 0)) return 'proof'
  if (idleTime !== null && session.longestIdle > idleTime) return 'proof'
  return undefined
}
