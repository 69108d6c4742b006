import { open, stat } from 'node:fs/promises'
import { sql } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import { longestWait, waitForLock } from './connect.ts'
import type { Connection, Db } from './open.ts'
import type { Storage } from './storage.ts'
import { isCleaningOwed, noteClean, oweCleaning } from './traces.ts'

/** The tables whose search index holds people’s names and e-mails. */
const indexes = ['users_index', 'invitations_index', 'letters_index']
/** So many pages of an index are merged before requests get their turn. */
const pagesAtOnce = 16
const bytesAtOnce = 1024 * 1024
/** Milliseconds in which they are searched for several texts, before requests get their turn. */
const longestTurn = 5
/** Rebuilding holds up all requests: a larger file, in bytes, waits for the next start. It takes 25 ms a MB. */
const mostRebuilt = 64 * 1024 * 1024
const retryAfter = 60_000

export type Cleaning = {
  /** Removes leftovers of erased texts, which it looks for in the file. Call it in the erasing transaction. */
  erase: (tx: Db, texts: string[]) => void
  stop: () => Promise<void>
}

/** Cleans up after erasures, a piece at a time, so that requests come between. `apart` keeps others from the log during that time. */
export function startCleaning(
  db: Connection,
  storage: Storage,
  log: FastifyBaseLogger,
  apart: <Result>(act: () => Promise<Result>) => Promise<Result> = (act) => act(),
): Cleaning {
  const wanted = new Set<string>()
  let asked = false
  /** Something is left for the next start. */
  let left = isCleaningOwed(db)
  let working: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const isStopped = () => stopped
  if (left) log.warn('free parts of the database still hold erased texts; the next start tries again')

  function wake(): void {
    if (stopped || working) return
    clearTimeout(timer)
    working = apart(work)
      .catch((error) => {
        if (!storage.note(error)) log.error({ err: error }, 'the cleaning after an erasure failed')
        return false
      })
      .then((done) => {
        working = undefined
        asked ||= !done
        if (!done && !stopped) timer = setTimeout(wake, retryAfter).unref()
      })
  }

  /** False where it has to be tried again. */
  async function work(): Promise<boolean> {
    while (asked && !stopped) {
      asked = false
      const texts = [...wanted]
      for (const index of indexes) await mergeWhole(db, index, isStopped)
      if (!truncateLog(db)) return false
      if (await isInFile(db.$client.name, texts, isStopped)) {
        if ((await stat(db.$client.name)).size > mostRebuilt) {
          left = true
          log.warn('free parts of the database still hold erased texts, until the next start')
        } else {
          db.$client.exec('VACUUM')
          if (!truncateLog(db)) return false
        }
      }
      if (stopped) return false
      for (const text of texts) wanted.delete(text)
      if (!asked && !left) noteClean(db.$client)
    }
    return true
  }

  return {
    erase: (tx, texts) => {
      oweCleaning(tx)
      asked = true
      for (const text of texts) wanted.add(text)
      // Transactions are synchronous, so this one has ended when the callback runs.
      setImmediate(wake)
    },
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await working
    },
  }
}

/** Merges the segments of an index into one, which leaves out deleted rows. */
async function mergeWhole(db: Connection, index: string, isStopped: () => boolean): Promise<void> {
  const name = sql.identifier(index)
  const changes = () => db.get<{ n: number }>(sql`select total_changes() as n`).n
  for (let pages = -pagesAtOnce, before = -2; !isStopped() && changes() - before >= 2; pages = pagesAtOnce) {
    before = changes()
    db.run(sql`insert into ${name} (${name}, rank) values ('merge', ${pages})`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** False while another connection still reads what the log holds. */
function truncateLog(db: Connection): boolean {
  waitForLock(db, 0)
  try {
    return db.$client.pragma('wal_checkpoint(TRUNCATE)', { simple: true }) === 0
  } finally {
    waitForLock(db, longestWait)
  }
}

/** Whether the file of the database holds one of the texts. False also where it was stopped before the end. */
async function isInFile(path: string, texts: string[], isStopped: () => boolean): Promise<boolean> {
  const words = texts.filter(Boolean).map((text) => Buffer.from(text))
  const overlap = Math.max(0, ...words.map((word) => word.length - 1))
  const file = await open(path, 'r')
  try {
    const part = Buffer.alloc(bytesAtOnce)
    for (let at = 0; !isStopped(); ) {
      const { bytesRead } = await file.read(part, 0, part.length, at)
      const read = part.subarray(0, bytesRead)
      let until = performance.now() + longestTurn
      for (const word of words) {
        if (read.includes(word)) return true
        if (performance.now() < until) continue
        await new Promise((resolve) => setImmediate(resolve))
        until = performance.now() + longestTurn
      }
      if (bytesRead <= overlap) return false
      at += bytesRead - overlap
    }
    return false
  } finally {
    await file.close()
  }
}
