import type { AccountId } from '../../db/ids.ts'

/** The password, passkey or identity that was proved right: another one since then, or its removal, ends the attempt. */
export type Proved = { passwordHash: string } | { passkeyId: number } | { sso: SsoProof }

/** What the provider of single sign-on has said. */
export type SsoProof = {
  identityId: number
  /** Its own session. */
  ssoSid: string | null
  /** It has asked for both factors. */
  ssoFactors: boolean
  /** The account whose own provider it was; none where it was the installation’s. */
  ssoAccountId: AccountId | null
  provedAt: number
}
