import { and, eq, isNull, type SQL } from 'drizzle-orm'
import { countWhere } from '../../../db/counting.ts'
import { isRestorable, restorableUntil } from '../../../db/deletion.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import { accounts, imports, memberships, partnerRequests, pendingPartnerRequest, projects } from '../../../db/schema.ts'
import { type MailContext, withdrawLettersAbout, withdrawLettersOfAct } from '../../../mail/outbox.ts'
import { deleteProject } from '../../../projects/deletion/data.ts'
import type { PoolShortage } from '../../../quotas/arithmetic.ts'
import { poolShortages } from '../../../quotas/data/pool.ts'
import { endRequestOf } from '../../../quotas/requests/data/deciding.ts'
import { type Actor, record } from '../../../records/record.ts'
import { endDeliveriesOf } from '../../../webhooks/data/ending.ts'
import type { Account } from '../../data/account.ts'
import { isOfSupport } from '../../data/caretaker.ts'
import { endTie } from '../../endings/data/ending.ts'
import { endImport } from '../../imports/ending/data.ts'
import { countAdmins } from '../../members/data.ts'
import { tellDeleted } from '../../notices/data/notices.ts'
import { endProofs } from '../../sso/data/domains.ts'
import { listOwnLimits, markOfProjects, mostProjects } from './losses.ts'

// A customer account that is deleted is restorable for 30 days: nothing of it goes, but it is found
// nowhere else. A partner deletes and restores its own customers. Support (a partner of null) deletes those
// without a partner, and restores those too whose partner cannot act now.

/** To be deleted by this partner; null is Support. */
function deletableBy(partnerId: AccountId | null): SQL | undefined {
  return and(
    eq(accounts.kind, 'customer'),
    partnerId === null ? isNull(accounts.partnerId) : eq(accounts.partnerId, partnerId),
    isNull(accounts.deletedAt),
  )
}

/** To be restored by this partner (null: Support) at this time. */
function restorableBy(partnerId: AccountId | null, at: number): SQL | undefined {
  return and(
    eq(accounts.kind, 'customer'),
    partnerId === null ? isOfSupport : eq(accounts.partnerId, partnerId),
    isRestorable(accounts, at),
  )
}

/**
 * Deletes an account that this partner (null: Support) looks after: its members lose it at once, its
 * imports stop, its requests end, no letter about it goes out. Its projects are deleted with it, if they are those
 * that the page named (`withProjects`, from losses.ts); 'projects' where not. Undefined when there is no such account.
 */
export function deleteAccount(
  db: Db,
  actor: Actor,
  {
    partnerId,
    accountId,
    withProjects = '',
  }: { partnerId: AccountId | null; accountId: AccountId; withProjects?: string },
  mail: MailContext,
): 'deleted' | 'projects' | undefined {
  return write(db, actor, (tx) => {
    const where = and(eq(accounts.id, accountId), deletableBy(partnerId))
    const account = tx.select().from(accounts).where(where).get()
    if (!account) return undefined
    const alive = and(eq(projects.accountId, accountId), isNull(projects.deletedAt))
    if (markOfProjects(tx, accountId) !== withProjects) return 'projects'
    const living = tx
      .select({ id: projects.id })
      .from(projects)
      .where(alive)
      .limit(mostProjects + 1)
      .all()
    if (living.length > mostProjects) return 'projects'
    for (const { id } of living) deleteProject(tx, actor, accountId, id)

    endImports(tx, actor, accountId)
    endRequestOf(tx, actor, { accountId, comment: 'The account was deleted.' })
    tx.update(partnerRequests)
      .set({ state: 'declined', decidedAt: actor.at })
      .where(and(eq(partnerRequests.accountId, accountId), pendingPartnerRequest))
      .run()
    endTie(tx, actor, account)
    endProofs(tx, accountId)
    withdrawLettersAbout(tx, accountId, actor.at)
    tx.update(accounts).set({ deletedAt: actor.at, deletedBy: actor.userId }).where(where).run()
    const people = countWhere(tx, memberships, eq(memberships.accountId, accountId))
    record(tx, actor, {
      kind: 'account.deleted',
      accountId,
      change: { name: [account.name, null], users: [people, 0] },
    })
    endDeliveriesOf(tx, accountId, actor.at)
    // After all others were withdrawn: this one tells of the deletion itself.
    tellDeleted(tx, actor, accountId, mail)
    return 'deleted'
  })
}

/** What an import has done stays done. */
function endImports(tx: Db, actor: Actor, accountId: AccountId): void {
  const running = and(eq(imports.accountId, accountId), eq(imports.state, 'running'))
  for (const { id } of tx.select({ id: imports.id }).from(imports).where(running).all())
    endImport(tx, actor, { importId: id, accountId, state: 'stopped' })
}

/** A deleted account that this partner (null: Support) can restore at this time. */
export function findRestorable(
  db: Db,
  partnerId: AccountId | null,
  identifier: string,
  at: number,
): (Account & { deletedAt: number; until: number }) | undefined {
  const account = db
    .select()
    .from(accounts)
    .where(and(eq(accounts.identifier, identifier), restorableBy(partnerId, at)))
    .get()
  const deletedAt = account?.deletedAt ?? 0
  return account && { ...account, deletedAt, until: restorableUntil(deletedAt) }
}

/**
 * Restores a deleted account with its members and limits. Its share of its partner's pool was given back, so that
 * the pool must have room for it again: what it lacks comes back, and then nothing is restored. 'without-admin'
 * if it is restored with users but its last admin has since been deleted or disabled.
 * Undefined when there is no such account.
 */
export function restoreAccount(
  db: Db,
  actor: Actor,
  partnerId: AccountId | null,
  accountId: AccountId,
): 'restored' | 'without-admin' | { shortages: PoolShortage[] } | undefined {
  return write(db, actor, (tx) => {
    const where = and(eq(accounts.id, accountId), restorableBy(partnerId, actor.at))
    const account = tx.select().from(accounts).where(where).get()
    if (!account) return undefined
    // It has no living project, so it takes its numbers and no more.
    const shortages =
      account.partnerId === null ? [] : poolShortages(tx, account.partnerId, listOwnLimits(tx, accountId))
    if (shortages.length > 0) return { shortages }
    tx.update(accounts).set({ deletedAt: null, deletedBy: null }).where(where).run()
    withdrawLettersOfAct(tx, { accountId, actAt: account.deletedAt ?? 0 }, 'the account was restored', actor.at)
    const people = countWhere(tx, memberships, eq(memberships.accountId, accountId))
    record(tx, actor, {
      kind: 'account.restored',
      accountId,
      change: { name: [null, account.name], users: [0, people] },
    })
    return people > 0 && countAdmins(tx, accountId) === 0 ? 'without-admin' : 'restored'
  })
}
