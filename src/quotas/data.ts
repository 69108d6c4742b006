import { and, eq, sql } from 'drizzle-orm'
import { type Db, write } from '../db/open.ts'
import { accounts } from '../db/schema.ts'
import { type Actor, record } from '../history/record.ts'

/**
 * Sets how many projects a partner's customer may have (null: unlimited), if the customer is still at
 * the version that the edit was made on. A limit below what is in use takes nothing away.
 */
export function setProjectLimit(
  db: Db,
  actor: Actor,
  partnerId: number,
  customerId: number,
  limit: number | null,
  version: number,
): boolean {
  return write(db, (tx) => {
    const own = and(eq(accounts.id, customerId), eq(accounts.partnerId, partnerId), eq(accounts.version, version))
    const before = tx.select().from(accounts).where(own).get()
    if (!before) return false
    if (before.projectLimit === limit) return true
    tx.update(accounts)
      .set({ projectLimit: limit, version: sql`${accounts.version} + 1` })
      .where(own)
      .run()
    record(tx, actor, {
      kind: 'limit.changed',
      accountId: customerId,
      change: { projects: [before.projectLimit, limit] },
    })
    return true
  })
}
