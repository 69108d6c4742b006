import { and, eq, isNull } from 'drizzle-orm'
import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, prepared } from '../../db/prepared.ts'
import { accounts, limits, resources } from '../../db/schema.ts'
import { byItself, record } from '../../records/record.ts'
import { fullLimit, nearLimit, partInUse } from '../arithmetic.ts'
import { allocatedBy } from './uses.ts'

// When a customer comes near one of its limits, or uses it up: told once, and again only after it was below that, or
// after the limit changed.

const limitsOfCustomer = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({
      id: limits.id,
      resourceId: limits.resourceId,
      key: resources.key,
      amount: limits.amount,
      told: limits.toldUse,
    })
    .from(limits)
    .innerJoin(accounts, eq(accounts.id, limits.accountId))
    .innerJoin(resources, eq(resources.id, limits.resourceId))
    .where(
      and(
        equals(limits.accountId, accountId),
        eq(limits.level, 'account'),
        eq(accounts.kind, 'customer'),
        isNull(accounts.deletedAt),
      ),
    )
    .prepare(),
)

/**
 * Records which limits of a customer are nearly or fully in use since an act. Call it in the transaction of whatever
 * changes what is allocated, or a limit: `changed` has the resources whose limit is another one now.
 */
export function noteUse(tx: Db, at: number, accountId: AccountId, changed: ReadonlySet<number> = new Set()): void {
  const rows = limitsOfCustomer(tx).all({ accountId })
  if (rows.length === 0) return
  const allocated = allocatedBy(tx, [accountId]).get(accountId)
  for (const { id, resourceId, key, amount, told } of rows) {
    const uses = allocated?.get(resourceId) ?? 0
    const part = amount === null ? 0 : partInUse(amount, uses)
    const mark = part >= fullLimit ? fullLimit : part >= nearLimit ? nearLimit : 0
    const isNews = mark > told || (mark > 0 && mark === told && changed.has(resourceId))
    if (mark !== told) tx.update(limits).set({ toldUse: mark }).where(eq(limits.id, id)).run()
    if (!isNews) continue
    const kind = mark === fullLimit ? 'limit.reached' : 'limit.near'
    record(tx, byItself(at), { kind, accountId, change: { [key]: [amount, uses] } })
  }
}
