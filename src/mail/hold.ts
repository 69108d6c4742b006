import type { FastifyBaseLogger } from 'fastify'
import { minute } from './pace.ts'
import { type MailError, troubleOf } from './server.ts'

/** Why all e-mails wait, and since when. */
export type MailTrouble = { since: number; words: string }

/** Between two tries of a server that is in trouble. */
const [shortestHold, longestHold] = [15_000, 10 * minute]
/** After so many e-mails that went well a server that had refused connections is tried with one more of them. */
const growAfter = 200

/** How the mail server is doing, as far as the last e-mails have shown: how many it takes at once, and from when on. */
export type ServerState = {
  readonly trouble: MailTrouble | undefined
  /** So many may be under way at the same time. */
  readonly most: number
  /** Milliseconds until the next try; 0 or less when it may be now. */
  leftOfHold: () => number
  wentWell: () => void
  /** Lets all e-mails wait. `underWay`: how many were sent at the same time. */
  holdAll: (words: string, responseCode: number | undefined, underWay: number) => void
  /** Whether what looks like the server's trouble is rather the one e-mail's. */
  isOfOne: (error: MailError) => boolean
}

export function watchServer(mostConnections: number, now: () => number, log: FastifyBaseLogger): ServerState {
  let most = mostConnections
  let sentInARow = 0
  let hold: { since: number; at: number; pause: number; words: string } | undefined

  function leftOfHold(): number {
    if (!hold) return 0
    // A clock that was set back makes nobody wait longer.
    if (now() < hold.at) hold.at = now()
    return hold.at + hold.pause - now()
  }

  return {
    get trouble() {
      return hold && { since: hold.since, words: hold.words }
    },
    get most() {
      return hold ? 1 : most
    },
    leftOfHold,
    wentWell: () => {
      if (hold) log.info('the mail server takes e-mails again')
      hold = undefined
      sentInARow += 1
      if (sentInARow % growAfter === 0) most = Math.min(most + 1, mostConnections)
    },
    holdAll: (words, responseCode, underWay) => {
      // Those that were under way at the same time say the same again.
      if (hold && leftOfHold() > 0) return
      const crowded = responseCode !== undefined && responseCode < 500 && sentInARow > 0 && underWay > 1
      if (crowded) most = Math.max(1, Math.floor(most / 2))
      sentInARow = 0
      const pause = hold ? Math.min(longestHold, hold.pause * 2) : shortestHold
      hold = { since: hold?.since ?? now(), at: now(), pause, words }
    },
    // A sender who was fine for the one before is not what the server minds; a second one in a row is not believed.
    isOfOne: (error) => {
      const odd = troubleOf(error) === 'server' && error.command === 'MAIL FROM' && sentInARow > 0
      if (odd) sentInARow = 0
      return odd
    },
  }
}
