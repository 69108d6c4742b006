import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config.ts'
import type { Db } from '../db/open.ts'
import { newOutboxWorker } from '../db/outbox-worker.ts'
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
  const server = watchServer(config.smtp?.maxConnections ?? 1, now, log)
  const worker = newOutboxWorker({ name: 'mail', storage, log, launchDue, shortestRest: 10 })
  const underWay = () => worker.flying.size
  const sender = newLetterSender({ db, config, secrets, storage, now, log, clockIsWrong, server, underWay })

  function launchDue(): number {
    const held = server.leftOfHold()
    if (held > 0) return held
    for (;;) {
      if (underWay() >= server.most) return minute
      const letter = nextDue(db, now(), new Set([...worker.flying.keys(), ...sender.leftAlone]))
      if (!letter) break
      worker.launch(letter.id, sender.send(letter))
    }
    // Each that lands looks for more.
    if (underWay() > 0) return minute
    return nextDueAt(db, sender.leftAlone) - now()
  }

  removeStaleFiles(db, config.dataDir)
  worker.wake()
  return {
    wake: worker.wake,
    trouble: () => server.trouble,
    stop: async () => {
      await worker.stop()
      sender.close()
    },
  }
}
