import { eq, type SQL } from 'drizzle-orm'
import { tieSearch } from '../../../../db/fold.ts'
import type { AccountId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import { accounts, savedViews, ties, tieTags } from '../../../../db/schema.ts'
import { isOneOf } from '../../../../db/search.ts'
import type { Known } from './recognising.ts'

// What people noted for themselves, rewritten so that it no longer names somebody.

type Rewrite = (accountId: AccountId | null, text: string) => string

/** What a partner keeps about a customer. */
export function forgetDetails(tx: Db, which: SQL | undefined, rewrite: Rewrite): void {
  for (const tie of tx.select().from(ties).where(which).all()) {
    const said = (text: string) => rewrite(tie.accountId, text)
    const contact = { contactName: said(tie.contactName), contactEmail: said(tie.contactEmail) }
    const tags = tx.select({ tag: tieTags.tag }).from(tieTags).where(eq(tieTags.tieId, tie.id)).all()
    tx.update(ties)
      .set({
        ...contact,
        contactAddress: said(tie.contactAddress),
        note: said(tie.note),
        search: tieSearch(
          { ...contact, reference: tie.reference },
          tags.map(({ tag }) => tag),
        ),
      })
      .where(eq(ties.id, tie.id))
      .run()
  }
}

/**
 * What others called the views of lists that they saved, and what they look for there. A partner's people look for those of
 * its customers as well.
 */
export function forgetInViews(tx: Db, which: SQL | undefined, person: Known, rewrite: Rewrite): void {
  const saved = tx.select().from(savedViews).where(which).all()
  if (saved.length === 0) return
  const customers = tx
    .select({ id: accounts.id, partnerId: accounts.partnerId })
    .from(accounts)
    .where(isOneOf(accounts.id, person.accountIds))
    .all()
  for (const { id, accountId, name, search } of saved) {
    const about = customers.find(({ partnerId }) => partnerId !== null && partnerId === accountId)?.id ?? accountId
    tx.update(savedViews)
      .set({ name: rewrite(about, name), search: rewrite(about, search) })
      .where(eq(savedViews.id, id))
      .run()
  }
}
