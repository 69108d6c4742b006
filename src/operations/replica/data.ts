import { type Db, writeUnchecked } from '../../db/open.ts'
import { replication } from '../../db/schema.ts'

/** Who may write to a replica: each start of a panel claims the next epoch. */
export type Claim = { epoch: number; claim: string }

/** What this database has claimed, or was copied from; epoch 0 before the first time. */
export function readClaim(db: Db): Claim {
  return (
    db.select({ epoch: replication.epoch, claim: replication.claim }).from(replication).get() ?? { epoch: 0, claim: '' }
  )
}

export function saveClaim(db: Db, { epoch, claim }: Claim): void {
  writeUnchecked(db, (tx) =>
    tx
      .insert(replication)
      .values({ id: 1, epoch, claim })
      .onConflictDoUpdate({ target: replication.id, set: { epoch, claim } })
      .run(),
  )
}
