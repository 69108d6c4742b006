import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config.ts'
import type { Db } from '../db/open.ts'
import type { Storage } from '../db/storage.ts'
import type { Secrets } from '../secrets.ts'
import { nextDue, nextDueAt } from './due.ts'
import { removeStaleFiles } from './files.ts'
import { type MailTrouble, watchServer } from './hold.ts'
import { minute } from './pace.ts'
import { newLetterSender } from './sending.ts'

export type MailWorker = {
  wake: () => void
  stop: () => Promise<void>
  /** The mail server’s trouble, while there is one. */
  trouble: () => MailTrouble | undefined
}

/** Milliseconds that stopping waits for the letters under way; their server may take 30 s to answer. */
const longestStop = 5_000

/**
 * Sends the letters of the outbox, apart from all requests: what somebody waits for first, several at once. At least
 * once is what is promised: a letter whose server vanished after taking it goes again, under its Message-ID.
 * While nothing can be saved no letter goes, or it would go again and again. Right before it goes, its
 * reason is checked again; where that has gone, it is withdrawn and says why. While the server is in trouble all
 * wait, and one at a time finds out whether that is over. A letter that fails in a way nobody foresaw is set aside.
 */
export function startMailWorker({
  db,
  config,
  secrets,
  storage,
  now,
  log,
  clockIsWrong = () => false,
}: {
  db: Db
  config: Config
  secrets: Secrets
  storage: Storage
  now: () => number
  log: FastifyBaseLogger
  clockIsWrong?: () => boolean
}): MailWorker {
  const flying = new Map<number, Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const server = watchServer(config.smtp?.maxConnections ?? 1, now, log)
  const underWay = () => flying.size
  const sender = newLetterSender({ db, config, secrets, storage, now, log, clockIsWrong, server, underWay })

  function wake(): void {
    if (stopped) return
    clearTimeout(timer)
    try {
      if (storage.problem) storage.afterwards(wake)
      else rest(launchDue())
    } catch (error) {
      if (!storage.note(error)) log.error({ err: error }, 'the mail worker failed')
      rest(minute)
    }
  }

  /** Sleeps for so long, at most a minute. */
  function rest(time: number): void {
    timer = setTimeout(wake, Math.min(minute, Math.max(10, time)))
    timer.unref()
  }

  /** Returns after how many milliseconds there may be more to do. */
  function launchDue(): number {
    const held = server.leftOfHold()
    if (held > 0) return held
    for (;;) {
      if (flying.size >= server.most) return minute
      const letter = nextDue(db, now(), new Set([...flying.keys(), ...sender.leftAlone]))
      if (!letter) break
      const flight = sender.send(letter).finally(() => {
        flying.delete(letter.id)
        wake()
      })
      flying.set(letter.id, flight)
    }
    // Each that lands looks for more.
    if (flying.size > 0) return minute
    return nextDueAt(db, sender.leftAlone) - now()
  }

  removeStaleFiles(db, config.dataDir)
  wake()
  return {
    wake,
    trouble: () => server.trouble,
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      const landed = Promise.all(flying.values())
      await Promise.race([landed, new Promise((resolve) => setTimeout(resolve, longestStop).unref())])
      sender.close()
    },
  }
}
