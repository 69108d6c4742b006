import { type SQL, sql } from 'drizzle-orm'
import { accounts } from './schema.ts'

// A partner and Support each suspend for themselves, and each resumes only its own. The people of a suspended
// partner cannot work in its customers either: there they sleep.

/** Why nobody, or this member, can work in an account now, and who can change that. */
export type Suspension = { by: 'support' | 'partner'; reason: string; ofPartner: boolean }

type Facts = Pick<
  typeof accounts.$inferSelect,
  'suspendedAt' | 'suspendedReason' | 'supportSuspendedAt' | 'supportSuspendedReason'
>

/** The suspension of an account: Support's, else the partner's. Null where it is active. */
export function suspensionOf(account: Facts): Suspension | null {
  if (account.supportSuspendedAt !== null)
    return { by: 'support', reason: account.supportSuspendedReason ?? '', ofPartner: false }
  if (account.suspendedAt !== null) return { by: 'partner', reason: account.suspendedReason ?? '', ofPartner: false }
  return null
}

/** Nobody works in the account. */
export const isSuspended = sql`(${accounts.suspendedAt} is not null or ${accounts.supportSuspendedAt} is not null)`
export const isActive: SQL = sql`${accounts.suspendedAt} is null and ${accounts.supportSuspendedAt} is null`
