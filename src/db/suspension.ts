import { type SQL, sql } from 'drizzle-orm'
import type { UserId } from './ids.ts'
import { accounts } from './schema.ts'

// A partner and Support each suspend for themselves, and each resumes only its own. The people of a suspended
// partner cannot work in its customers either: there they sleep.

/** Why nobody, or this member, can work in an account now, and who can change that. */
export type Suspension = { by: 'support' | 'partner'; reason: string; ofPartner: boolean }

type Facts = Pick<
  typeof accounts.$inferSelect,
  'suspendedAt' | 'suspendedReason' | 'supportSuspendedAt' | 'supportSuspendedReason'
>

/** The suspension of an account: Support's, otherwise the partner's. Null if the account is active. */
export function suspensionOf(account: Facts): Suspension | null {
  if (account.supportSuspendedAt !== null)
    return { by: 'support', reason: account.supportSuspendedReason ?? '', ofPartner: false }
  if (account.suspendedAt !== null) return { by: 'partner', reason: account.suspendedReason ?? '', ofPartner: false }
  return null
}

/** Nobody works in the account. */
export const isSuspended = sql`(${accounts.suspendedAt} is not null or ${accounts.supportSuspendedAt} is not null)`
/** The same for few accounts, which are read by the index that has only these. */
export const isAmongSuspended = sql`${accounts.id} in (select one.id from accounts as one
  where one.deleted_at is null and (one.suspended_at is not null or one.support_suspended_at is not null))`
export const isActive: SQL = sql`${accounts.suspendedAt} is null and ${accounts.supportSuspendedAt} is null`

/** Whether an invitation was sent by a program of the partner’s people inside the customer (of one of them, if given). */
export const byPartnersProgram = (invitation: SQL, maker?: UserId) =>
  sql`exists (select 1 from records as sending join api_tokens as program on program.id = sending.token_id
    where sending.invitation_id = ${invitation} and sending.kind = 'invitation.sent' and program.from_partner
    ${maker === undefined ? sql`` : sql`and program.made_by = ${maker}`})`

/**
 * The name of the suspended partner whose side made something in one of its customers: who made it, and from which account.
 * It sleeps with the partner. Null where nobody’s partner is suspended. Names of columns come with their table.
 */
const sleepingPartner = ({ account, by, from, invitation }: Record<'account' | 'by' | 'from' | 'invitation', SQL>) =>
  sql<
    string | null
  >`(select partner.name from accounts as customer join accounts as partner on partner.id = customer.partner_id
    where customer.id = ${account} and partner.support_suspended_at is not null and (${from} = partner.id or exists (
      select 1 from memberships as theirs where theirs.account_id = customer.id and theirs.user_id = ${by} and theirs.from_partner)
      or ${byPartnersProgram(invitation)}))`

/** For a row of `invitations`. */
export const senderAsleep = sleepingPartner({
  account: sql`invitations.account_id`,
  by: sql`invitations.invited_by`,
  from: sql`invitations.invited_from`,
  invitation: sql`invitations.id`,
})

/** For a row of `invitation_tokens` with its invitation. */
export const linkAsleep = sleepingPartner({
  account: sql`invitations.account_id`,
  by: sql`invitation_tokens.made_by`,
  from: sql`invitation_tokens.made_from`,
  invitation: sql`invitations.id`,
})
