import { and, eq, type Placeholder } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { invitations, type invitationTokens, pendingInvitation } from '../../../db/schema.ts'
import type { Account } from '../../data/account.ts'

export type Invitation = typeof invitations.$inferSelect

/** Only a mailed link proves that the person who follows it owns the mailbox. */
export type LinkKind = (typeof invitationTokens.$inferSelect)['kind']

export type Inviting = Pick<Account, 'id' | 'kind' | 'name'>

/** An account's invitations that are pending. */
export function pendingOf(accountId: AccountId | Placeholder) {
  return and(eq(invitations.accountId, accountId), pendingInvitation)
}
