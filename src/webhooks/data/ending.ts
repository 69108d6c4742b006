import { and, eq, inArray, or, sql } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { deliveries, webhooks } from '../../db/schema.ts'
import { wakeSending } from '../../records/data/deliveries.ts'
import { someOf } from './sending.ts'

/** An account is deleted: the worker withdraws what waits for its addresses. */
export function endDeliveriesOf(tx: Db, accountId: AccountId, at: number): void {
  const waits = sql`exists (select 1 from deliveries where webhook_id = webhooks.id and state = 'waiting')`
  tx.update(webhooks)
    .set({ nextAt: at })
    .where(and(eq(webhooks.accountId, accountId), waits))
    .run()
  wakeSending(tx)
}

/** Deletes some of what an account's addresses were sent, and others about it; then the addresses. False if none are left. */
export function deleteSomeWebhooks(tx: Db, accountId: AccountId): boolean {
  const webhookIds = tx.select({ id: webhooks.id }).from(webhooks).where(eq(webhooks.accountId, accountId))
  const which = or(inArray(deliveries.webhookId, webhookIds), eq(deliveries.accountId, accountId))
  if (tx.delete(deliveries).where(someOf(tx, which)).run().changes > 0) return true
  return tx.delete(webhooks).where(eq(webhooks.accountId, accountId)).run().changes > 0
}
