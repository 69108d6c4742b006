import { and, eq, inArray, isNotNull, isNull, lte, or, type SQL } from 'drizzle-orm'
import { searchText } from '../db/fold.ts'
import { type Db, write } from '../db/open.ts'
import {
  accounts,
  importRows,
  imports,
  invitationProjects,
  invitations,
  invitationTokens,
  keptAccess,
  keptLimits,
  letters,
  limits,
  memberships,
  partnerRequests,
  projectAccess,
  projects,
  quotaRequestAmounts,
  quotaRequests,
} from '../db/schema.ts'
import { type Actor, record } from '../history/record.ts'
import { keptFor } from './term.ts'

// What was deleted 30 days ago goes for good. Its row stays with its identifier, which is never given out
// again (rule 1), and so do the records.

/** Nobody: the panel itself. */
const panel = (at: number): Actor => ({
  userId: null,
  accountId: null,
  bySupport: false,
  at,
  ip: null,
  requestId: null,
})

/**
 * Purges an account that is due at this time, or the next project of one. `removeFiles` removes the files of letters
 * that told about it, by their ids, before it is done. False when none is due.
 */
export function purgeNextAccount(db: Db, at: number, removeFiles: (letterIds: number[]) => void): boolean {
  return write(db, (tx) => {
    const due = and(isNotNull(accounts.deletedAt), isNull(accounts.purgedAt), lte(accounts.deletedAt, at - keptFor))
    const account = tx.select().from(accounts).where(due).limit(1).get()
    if (!account) return false
    const { id, identifier } = account
    const of = { accountId: id }

    const own = and(eq(projects.accountId, id), isNull(projects.purgedAt))
    const project = tx.select({ id: projects.id }).from(projects).where(own).limit(1).get()
    if (project) {
      purgeProject(tx, at, id, project.id)
      return true
    }
    const letterIds = forgetInvitationsAndLetters(tx, id)
    forgetRequests(tx, eq(quotaRequests.accountId, id))
    tx.delete(partnerRequests).where(eq(partnerRequests.accountId, id)).run()
    const read = tx.select({ id: imports.id }).from(imports).where(eq(imports.accountId, id))
    tx.delete(importRows).where(inArray(importRows.importId, read)).run()
    tx.delete(imports).where(eq(imports.accountId, id)).run()
    tx.delete(limits).where(eq(limits.accountId, id)).run()
    const people = tx.delete(memberships).where(eq(memberships.accountId, id)).run().changes
    tx.update(accounts)
      .set({
        name: '',
        search: searchText('', identifier),
        partnerId: null,
        automaticShare: null,
        suspendedReason: null,
        purgedAt: at,
      })
      .where(eq(accounts.id, id))
      .run()
    record(tx, panel(at), { kind: 'account.purged', ...of, change: { users: [people, 0] } })
    // A row without its file is harmless, a file without its row would be forgotten.
    removeFiles(letterIds)
    return true
  })
}

function forgetInvitationsAndLetters(tx: Db, accountId: number): number[] {
  const own = tx.select({ id: invitations.id }).from(invitations).where(eq(invitations.accountId, accountId))
  const letterIds = tx
    .delete(letters)
    .where(or(eq(letters.accountId, accountId), inArray(letters.invitationId, own)))
    .returning({ id: letters.id })
    .all()
  tx.delete(invitationTokens).where(inArray(invitationTokens.invitationId, own)).run()
  tx.delete(invitationProjects).where(inArray(invitationProjects.invitationId, own)).run()
  tx.delete(invitations).where(eq(invitations.accountId, accountId)).run()
  return letterIds.map(({ id }) => id)
}

function forgetRequests(tx: Db, which: SQL | undefined): void {
  const own = tx.select({ id: quotaRequests.id }).from(quotaRequests).where(which)
  tx.delete(quotaRequestAmounts).where(inArray(quotaRequestAmounts.requestId, own)).run()
  tx.delete(quotaRequests).where(which).run()
}

/** Purges a project that is due at this time. False when none is. */
export function purgeNextProject(db: Db, at: number): boolean {
  return write(db, (tx) => {
    const due = and(isNotNull(projects.deletedAt), isNull(projects.purgedAt), lte(projects.deletedAt, at - keptFor))
    const project = tx.select().from(projects).where(due).limit(1).get()
    if (!project) return false
    purgeProject(tx, at, project.accountId, project.id)
    return true
  })
}

/** What was open about a deleted project has ended with it. */
function purgeProject(tx: Db, at: number, accountId: number, projectId: number): void {
  for (const table of [keptAccess, keptLimits, projectAccess, invitationProjects, limits])
    tx.delete(table)
      .where(and(eq(table.accountId, accountId), eq(table.projectId, projectId)))
      .run()
  forgetRequests(tx, and(eq(quotaRequests.accountId, accountId), eq(quotaRequests.projectId, projectId)))
  const project = tx.select().from(projects).where(eq(projects.id, projectId)).get()
  tx.update(projects)
    .set({ name: '', search: searchText('', project?.identifier ?? ''), purgedAt: at })
    .where(eq(projects.id, projectId))
    .run()
  record(tx, panel(at), { kind: 'project.purged', accountId, projectId })
}
