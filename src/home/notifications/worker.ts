import type { FastifyBaseLogger } from 'fastify'
import type { Db } from '../../db/open.ts'
import type { Storage } from '../../db/storage.ts'
import type { MailContext } from '../../mail/outbox.ts'
import type { Clock } from '../../operations/clock/watch.ts'
import type { SetAside } from '../../operations/health/set-aside.ts'
import { noteExpiring } from '../../people/tokens/data.ts'
import { onNotified } from '../../records/data/recipients.ts'
import { anybody, forReader } from '../../web/reader.ts'
import { deleteOld, type MailWait, nextReader, noteExpired, trimReaders, writeToReader } from './data/mailing.ts'
import { lastMornings } from './morning.ts'

export type NotificationWorker = { wake: () => void; stop: () => Promise<void> }

type Surroundings = {
  db: Db
  storage: Storage
  now: () => number
  log: FastifyBaseLogger
  setAside: SetAside
  clock: Clock
}

const minute = 60_000
const quarter = 15 * minute
const day = 24 * 60 * minute

/**
 * Writes the e-mails of notifications, apart from all requests and a reader at a time: at once soon after the act, and the
 * daily summary in each reader’s morning. An e-mail and the note that it is written are one transaction, so none is written twice or
 * forgotten, whenever the panel stops. A reader for whom it fails is set aside, and the others go on. Nothing happens while
 * the clock cannot be right.
 */
export function startNotificationWorker(around: Surroundings, mail: MailContext): NotificationWorker {
  const { db, storage, now, log, setAside, clock } = around
  let working: Promise<void> | undefined
  let again = false
  let stopped = false
  // Mornings begin at a quarter of an hour everywhere.
  let summarised = 0
  let cleaned = 0
  const left = new Set<number>()

  function wake(): void {
    if (stopped) return
    if (working) {
      again = true
      return
    }
    // An act wakes it, while its actor’s settings hold.
    working = forReader(anybody, work)
      .catch((error) => {
        if (storage.note(error)) storage.afterwards(wake)
        else log.error({ err: error }, 'the worker of notifications failed')
      })
      .finally(() => {
        working = undefined
        if (again) wake()
      })
    again = false
  }

  async function work(): Promise<void> {
    while (goesOn() && noteExpired(db, now())) await breathe()
    while (goesOn() && noteExpiring(db, now())) await breathe()
    await writeAll('now', () => Number.MAX_SAFE_INTEGER)
    const due = Math.floor(now() / quarter)
    if (!goesOn() || summarised === due) return
    await writeAll('daily', lastMornings(now()))
    if (goesOn()) summarised = due
    const today = Math.floor(now() / day)
    if (cleaned === today) return
    await cleanUp(db, now, goesOn)
    if (goesOn()) cleaned = today
  }

  /** Writes to each reader for whom something waits since before a time of their own. */
  async function writeAll(kind: MailWait, beforeIn: (timeZone: string) => number): Promise<void> {
    for (let next = nextReader(db, kind, 0); goesOn() && next; ) {
      const { userId } = next
      const before = beforeIn(next.timeZone)
      try {
        if (next.oldest < before && !left.has(userId)) writeToReader(db, now(), { userId, mail: kind, before }, mail)
      } catch (error) {
        if (storage.note(error)) return storage.afterwards(wake)
        log.error({ err: error, user: userId }, 'an e-mail of notifications could not be written')
        setAside.add(`notifications ${userId}`, 'An e-mail with notifications', error)
        left.add(userId)
      }
      await breathe()
      next = nextReader(db, kind, userId)
    }
  }

  const goesOn = () => !stopped && clock.look() === undefined && storage.problem === undefined

  const timer = setInterval(wake, minute)
  timer.unref()
  const forget = onNotified(db, wake)
  return {
    wake,
    stop: async () => {
      stopped = true
      clearInterval(timer)
      forget()
      await working
    },
  }
}

const breathe = () => new Promise((resolve) => setImmediate(resolve))

async function cleanUp(db: Db, now: () => number, goesOn: () => boolean): Promise<void> {
  while (goesOn() && deleteOld(db, now())) await breathe()
  for (let reader: number | undefined = 0; goesOn() && reader !== undefined; await breathe())
    reader = trimReaders(db, now(), reader)
}
