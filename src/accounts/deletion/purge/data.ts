import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { isDue } from '../../../db/deletion.ts'
import { named } from '../../../db/fold.ts'
import type { AccountId, ProjectId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { perConnection } from '../../../db/prepared.ts'
import {
  accountSecurity,
  accounts,
  imports,
  limits,
  partnerRequests,
  projects,
  quotaRequestAmounts,
  quotaRequests,
  savedViews,
} from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { oweCleaning } from '../../../db/traces.ts'
import { deleteTokensFor } from '../../../people/tokens/data.ts'
import { forgetReplays } from '../../../people/tokens/replays/data.ts'
import type { Project } from '../../../projects/data.ts'
import { byItself, record } from '../../../records/record.ts'
import { deleteSomeWebhooks } from '../../../webhooks/data/ending.ts'
import { endTie } from '../../endings/data/ending.ts'
import { deleteSomeRows } from '../../imports/ending/data.ts'
import { forgetServiceUsers } from '../../service-users/data.ts'

import { forgetDomains } from '../../sso/data/domains.ts'
import { forgetAccountProvider } from '../../sso/data/provider.ts'
import { deleteSomeOfProject, forgetSomeOf, type Progress } from '../data/pieces.ts'

const progressOf = perConnection(() => new Map<AccountId, Progress>())

// What was deleted 30 days ago goes for good. Its row stays with its identifier, which is never given out
// again (rule 1), and so do the records.

/** An account that is due at this time, except these. */
export function nextDueAccount(db: Db, at: number, without: AccountId[] = []): AccountId | undefined {
  const due = and(isDue(accounts, at), sql`not ${isOneOf(accounts.id, without)}`)
  return db.select({ id: accounts.id }).from(accounts).where(due).limit(1).get()?.id
}

/** A project that is due at this time, except these. */
export function nextDueProject(db: Db, at: number, without: ProjectId[] = []): ProjectId | undefined {
  const due = and(isDue(projects, at), sql`not ${isOneOf(projects.id, without)}`)
  return db.select({ id: projects.id }).from(projects).where(due).limit(1).get()?.id
}

/**
 * Purges an account, or first one of its projects, or some rows of its imports or webhooks. `removeFiles` removes the files of letters
 * that told about it, by their ids, before it is done; `eraseTraces` what is left of the e-mails that were invited, in the
 * files of the database. False when it is not due at this time.
 */
export function purgeAccount(
  db: Db,
  at: number,
  accountId: AccountId,
  {
    removeFiles,
    eraseTraces = oweCleaning,
  }: { removeFiles: (letterIds: number[]) => void; eraseTraces?: (tx: Db, texts: string[]) => void },
): boolean {
  const all = progressOf(db)
  const known = all.get(accountId)
  // What is undone changes nothing of it.
  const progress = { ...(known ?? { recordId: 0, users: 0 }), strangers: new Set(known?.strangers) }
  let isPurged = false
  const isDueNow = write(db, byItself(at), (tx) => {
    const account = tx
      .select()
      .from(accounts)
      .where(and(eq(accounts.id, accountId), isDue(accounts, at)))
      .get()
    if (!account) return false
    const { id, identifier } = account

    const where = and(eq(projects.accountId, id), isNull(projects.purgedAt))
    const project = tx.select().from(projects).where(where).limit(1).get()
    if (project) {
      if (!deleteSomeOfProject(tx, id, project.id)) purgeProject(tx, at, project)
      return true
    }
    const [read] = tx.select({ id: imports.id }).from(imports).where(eq(imports.accountId, id)).limit(1).all()
    if (read) {
      if (!deleteSomeRows(tx, read.id)) tx.delete(imports).where(eq(imports.id, read.id)).run()
      return true
    }
    if (deleteSomeWebhooks(tx, id)) return true
    // What programs were told of it: the panel may not have run since.
    if (forgetReplays(tx, at, 500)) return true
    endTie(tx, byItself(at), account)
    forgetRequests(tx, id)
    tx.delete(partnerRequests).where(eq(partnerRequests.accountId, id)).run()
    tx.delete(limits).where(eq(limits.accountId, id)).run()
    deleteTokensFor(tx, id)
    forgetServiceUsers(tx, id, at)
    tx.delete(accountSecurity).where(eq(accountSecurity.accountId, id)).run()
    forgetAccountProvider(tx, id)
    forgetDomains(tx, id)
    tx.delete(savedViews).where(eq(savedViews.accountId, id)).run()
    const piece = forgetSomeOf(tx, id, at, progress)
    if (piece) {
      oweCleaning(tx)
      // A row without its file is harmless, a file without its row would be forgotten.
      removeFiles(piece.letterIds)
      return true
    }
    eraseTraces(tx, [...progress.strangers])
    tx.update(accounts)
      .set({
        name: '',
        ...named('', identifier),
        partnerId: null,
        automaticShare: null,
        suspendedReason: null,
        supportSuspendedReason: null,
        purgedAt: at,
      })
      .where(eq(accounts.id, id))
      .run()
    record(tx, byItself(at), { kind: 'account.purged', accountId: id, change: { users: [progress.users, 0] } })
    isPurged = true
    return true
  })
  if (isDueNow && !isPurged) all.set(accountId, progress)
  else all.delete(accountId)
  return isDueNow
}

/** All of an account's requests, or those for one of its projects. */
function forgetRequests(tx: Db, accountId: AccountId, projectId?: ProjectId): void {
  const which = and(
    eq(quotaRequests.accountId, accountId),
    projectId === undefined ? undefined : eq(quotaRequests.projectId, projectId),
  )
  const requestIds = tx.select({ id: quotaRequests.id }).from(quotaRequests).where(which)
  tx.delete(quotaRequestAmounts).where(inArray(quotaRequestAmounts.requestId, requestIds)).run()
  tx.delete(quotaRequests).where(which).run()
}

/** Purges a deleted project, or first some of what it had. False when it is not due at this time. */
export function purgeDeletedProject(db: Db, at: number, projectId: ProjectId): boolean {
  return write(db, byItself(at), (tx) => {
    const project = tx
      .select()
      .from(projects)
      .where(and(eq(projects.id, projectId), isDue(projects, at)))
      .get()
    if (!project) return false
    if (!deleteSomeOfProject(tx, project.accountId, projectId)) purgeProject(tx, at, project)
    return true
  })
}

/** What was open about a deleted project has ended with it. */
function purgeProject(tx: Db, at: number, { id: projectId, accountId, identifier }: Project): void {
  forgetRequests(tx, accountId, projectId)
  tx.update(projects)
    .set({ name: '', ...named('', identifier), purgedAt: at })
    .where(eq(projects.id, projectId))
    .run()
  record(tx, byItself(at), { kind: 'project.purged', accountId, projectId })
}
