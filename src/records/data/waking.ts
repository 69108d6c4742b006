import type { Db } from '../../db/open.ts'
import { perConnection } from '../../db/prepared.ts'

/** Tells workers, once the transaction has ended, that something was written for them. */
export function newWaker() {
  const state = perConnection(() => ({ wakers: new Set<() => void>(), scheduled: false }))
  return {
    /** Calls back from now on. Returns what ends it. */
    listen(db: Db, wake: () => void): () => void {
      const { wakers } = state(db)
      wakers.add(wake)
      return () => wakers.delete(wake)
    },
    /** Transactions are synchronous, so this one has ended when the callbacks run: once, however much it wrote. */
    wake(tx: Db): void {
      const waking = state(tx)
      if (waking.scheduled) return
      waking.scheduled = true
      setImmediate(() => {
        waking.scheduled = false
        for (const wake of waking.wakers) wake()
      })
    },
  }
}
