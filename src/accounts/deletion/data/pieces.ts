import { and, eq, gt, inArray } from 'drizzle-orm'
import { deleteSome } from '../../../db/forgetting.ts'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import {
  importRows,
  invitationProjects,
  invitations,
  invitationTokens,
  keptAccess,
  keptLimits,
  letterPeople,
  letters,
  limits,
  memberships,
  personalChanges,
  projectAccess,
  providerGroups,
  records,
  users,
} from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { forgetSomeNotifications } from '../../../records/data/forgetting.ts'
import { typedFields } from '../../../records/record.ts'

// What a purge deletes of an account or a project, some rows at a time: an account may have 100,000s, and others have
// their turn between.

/** So many rows are deleted at once, of what has e-mails and links, and of what has none; so many records are looked at. */
const [heavyAtOnce, lightAtOnce, recordsAtOnce] = [100, 500, 2_000]
/** So many texts are looked for in the files of the database. */
const mostTraces = 500

/** How far the purge of an account has come, in memory: after a restart, it looks again at what is left. */
export type Progress = {
  /** E-mails that were invited and are no user’s. */
  strangers: Set<string>
  /** The last record that was looked at. */
  recordId: number
  users: number
}

/** Forgets some of what people were told of an account, typed in it and were to it. Undefined if nothing is left. */
export function forgetSomeOf(
  tx: Db,
  accountId: AccountId,
  at: number,
  progress: Progress,
): { letterIds: number[] } | undefined {
  const told = forgetSomeNotifications(tx, { accountId, at, most: heavyAtOnce })
  if (told) return { letterIds: told }
  const invited = tx
    .select({ id: invitations.id, email: invitations.email, userId: users.id })
    .from(invitations)
    .leftJoin(users, eq(users.emailKey, invitations.emailKey))
    .where(eq(invitations.accountId, accountId))
    .limit(heavyAtOnce)
    .all()
  if (invited.length > 0) {
    for (const { email, userId } of invited)
      if (userId === null && progress.strangers.size < mostTraces) progress.strangers.add(email)
    return {
      letterIds: forgetInvitations(
        tx,
        invited.map(({ id }) => id),
      ),
    }
  }
  const about = tx
    .select({ id: letters.id })
    .from(letters)
    .where(eq(letters.accountId, accountId))
    .limit(heavyAtOnce)
    .all()
  if (about.length > 0)
    return {
      letterIds: forgetLetters(
        tx,
        about.map(({ id }) => id),
      ),
    }
  if (forgetSomeTyped(tx, accountId, progress)) return { letterIds: [] }
  const people = deleteSome(tx, memberships, eq(memberships.accountId, accountId), lightAtOnce)
  progress.users += people
  return people === lightAtOnce ? { letterIds: [] } : undefined
}

function forgetInvitations(tx: Db, ids: number[]): number[] {
  const told = tx.select({ id: letters.id }).from(letters).where(isOneOf(letters.invitationId, ids)).all()
  forgetLetters(
    tx,
    told.map(({ id }) => id),
  )
  tx.delete(invitationTokens).where(isOneOf(invitationTokens.invitationId, ids)).run()
  tx.delete(invitationProjects).where(isOneOf(invitationProjects.invitationId, ids)).run()
  tx.update(importRows).set({ invitationId: null }).where(isOneOf(importRows.invitationId, ids)).run()
  tx.delete(invitations).where(isOneOf(invitations.id, ids)).run()
  return told.map(({ id }) => id)
}

function forgetLetters(tx: Db, ids: number[]): number[] {
  tx.delete(letterPeople).where(isOneOf(letterPeople.letterId, ids)).run()
  tx.delete(letters).where(isOneOf(letters.id, ids)).run()
  return ids
}

/** What people typed into acts in an account; names and e-mails of users are theirs, and go with them. */
function forgetSomeTyped(tx: Db, accountId: AccountId, progress: Progress): boolean {
  const next = tx
    .select({ id: records.id })
    .from(records)
    .where(and(eq(records.accountId, accountId), gt(records.id, progress.recordId)))
    .orderBy(records.id)
    .limit(recordsAtOnce)
    .all()
    .map(({ id }) => id)
  tx.delete(personalChanges)
    .where(and(isOneOf(personalChanges.recordId, next), inArray(personalChanges.field, [...typedFields])))
    .run()
  progress.recordId = next.at(-1) ?? progress.recordId
  return next.length === recordsAtOnce
}

/** Deletes some of what a project had. False if nothing is left. */
export function deleteSomeOfProject(tx: Db, accountId: AccountId, projectId: ProjectId): boolean {
  return [keptAccess, keptLimits, projectAccess, invitationProjects, limits, providerGroups].some(
    (table) =>
      deleteSome(tx, table, and(eq(table.accountId, accountId), eq(table.projectId, projectId)), lightAtOnce) ===
      lightAtOnce,
  )
}
