import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../../db/open.ts'
import type { Storage } from '../../db/storage.ts'
import type { Clock } from '../../operations/clock/watch.ts'
import { byItself } from '../../records/record.ts'
import { type AccountDomain, dueDomains, noteCheck } from './data/domains.ts'
import type { LookUpDomain } from './dns.ts'

const hour = 3_600_000
/** So many names are asked for at the same time. */
const atOnce = 8

type Panel = { db: Db; storage: Storage; now: () => number; log: FastifyBaseLogger; clock: Clock; lookUp: LookUpDomain }

/**
 * Looks up proved domains again, each once a day: at the start and every hour. A name server that does not answer ends nothing;
 * its domains are asked for again in the next hour. Nothing is asked while the clock cannot be right.
 */
export function startDomainChecks({ db, storage, now, log, clock, lookUp }: Panel) {
  let working: Promise<void> | undefined
  let stopped = false

  function wake(): void {
    if (stopped || working) return
    working = work()
      .catch((error) => log.error({ err: error }, 'checking domains failed'))
      .finally(() => {
        working = undefined
      })
  }

  async function work(): Promise<void> {
    const at = now()
    let after = { checkedAt: -1, id: 0 }
    while (!stopped && !clock.look()) {
      const due = dueDomains(db, at, after, atOnce)
      const last = due.at(-1)
      if (!last) return
      after = { checkedAt: last.checkedAt ?? 0, id: last.id }
      await Promise.all(due.map(check))
    }
  }

  async function check(domain: AccountDomain): Promise<void> {
    const isThere = await lookUp(domain)
    if (isThere === undefined) return
    storage.attempt(() => noteCheck(db, byItself(now()), domain, isThere))
  }

  wake()
  const timer = setInterval(wake, hour)
  timer.unref()
  return {
    wake,
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await working
    },
  }
}
