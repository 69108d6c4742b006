import { and, eq } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import nodemailer from 'nodemailer'
import type { Config } from '../config.ts'
import type { Db } from '../db/open.ts'
import { letters } from '../db/schema.ts'
import type { Storage } from '../db/storage.ts'
import type { Secrets } from '../secrets.ts'
import { isWaiting, longestPause, nextDue, nextDueAt } from './due.ts'
import { keepAsFile, removeStaleFiles } from './files.ts'
import { type LetterBody, type LetterRow, openBody } from './outbox.ts'
import { minute } from './pace.ts'
import { expired, notSent, whyNotSent } from './reasons.ts'
import { type MailError, mailServer, mayBreakConnections, troubleOf } from './server.ts'

/** Why all e-mails wait, and since when. */
export type MailTrouble = { since: number; words: string }

export type MailWorker = {
  wake: () => void
  stop: () => Promise<void>
  /** The mail server’s trouble, while there is one. */
  trouble: () => MailTrouble | undefined
}

/** Between two tries of a server that is in trouble. */
const [shortestHold, longestHold] = [15_000, 10 * minute]
/** Milliseconds that stopping waits for the letters under way; their server may take 30 s to answer. */
const longestStop = 5_000
/** After so many e-mails that went well a server that had refused connections is tried with one more of them. */
const growAfter = 200

/**
 * Sends the letters of the outbox, apart from all requests: what somebody waits for first, several at once. At least
 * once is what is promised: a letter whose server vanished after taking it goes again, under its Message-ID.
 * While nothing can be saved no letter goes, or it would go again and again. Right before it goes, its
 * reason is checked again; where that has gone, it is withdrawn and says why. While the server is in trouble all
 * wait, and one at a time finds out whether that is over. A letter that fails in a way nobody foresaw is set aside.
 */
export function startMailWorker(
  db: Db,
  config: Config,
  secrets: Secrets,
  storage: Storage,
  now: () => number,
  log: FastifyBaseLogger,
  clockIsWrong: () => boolean = () => false,
): MailWorker {
  const { smtp } = config
  const transport = smtp
    ? mailServer(smtp, config)
    : nodemailer.createTransport({ streamTransport: true, buffer: true })

  const flying = new Map<number, Promise<void>>()
  /** What could not even be marked as failed is left alone until the next start. */
  const leftAlone = new Set<number>()
  let most = smtp?.maxConnections ?? 1
  let sentInARow = 0
  let hold: { since: number; at: number; pause: number; words: string } | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let closed = false
  let waitsForStorage = false

  function wake(): void {
    if (stopped) return
    clearTimeout(timer)
    try {
      if (storage.problem) afterStorage()
      else rest(launchDue())
    } catch (error) {
      if (!storage.note(error)) log.error({ err: error }, 'the mail worker failed')
      rest(minute)
    }
  }

  function afterStorage(): void {
    if (waitsForStorage) return
    waitsForStorage = true
    storage.afterwards(() => {
      waitsForStorage = false
      wake()
    })
  }

  /** Sleeps for so long, a minute at the most. */
  function rest(time: number): void {
    timer = setTimeout(wake, Math.min(minute, Math.max(10, time)))
    timer.unref()
  }

  /** Returns after how many milliseconds there may be more to do. */
  function launchDue(): number {
    const held = leftOfHold()
    if (held > 0) return held
    for (;;) {
      if (flying.size >= (hold ? 1 : most)) return minute
      const letter = nextDue(db, now(), new Set([...flying.keys(), ...leftAlone]))
      if (!letter) break
      const flight = send(letter)
        .catch((error) => setAside(letter, error))
        .finally(() => {
          flying.delete(letter.id)
          wake()
        })
      flying.set(letter.id, flight)
    }
    // Each that lands looks for more.
    if (flying.size > 0) return minute
    return nextDueAt(db, leftAlone) - now()
  }

  function leftOfHold(): number {
    if (!hold) return 0
    // A clock that was set back makes nobody wait longer.
    if (now() < hold.at) hold.at = now()
    return hold.at + hold.pause - now()
  }

  async function send(letter: LetterRow): Promise<void> {
    const whyNot = whyNotSent(db, letter, now())
    // It may not have expired at all.
    if (whyNot === expired && clockIsWrong()) return wait(letter, letter.attempts, whyNot, minute)
    const body = whyNot === undefined ? open(letter) : undefined
    if (whyNot !== undefined || !body) return end(letter, 'withdrawn', notSent(whyNot ?? 'its text is gone'))
    let info: unknown
    try {
      info = await transport.sendMail(messageOf(config, letter, body))
    } catch (error) {
      if (!closed) notTaken(letter, error as MailError)
      return
    }
    if (closed) return
    wentWell()
    // Its text may have been erased meanwhile.
    if (!smtp && isWaiting(db, letter)) keepAsFile(config.dataDir, letter, (info as { message: Buffer }).message)
    const done = () => end(letter, smtp ? 'sent' : 'kept', null)
    if (!storage.attempt(done)) storage.afterwards(done)
  }

  function open(letter: LetterRow): LetterBody | undefined {
    try {
      return openBody(secrets, letter)
    } catch {
      throw new Error('its text was sealed with another key, or was damaged')
    }
  }

  function wentWell(): void {
    if (hold) log.info('the mail server takes e-mails again')
    hold = undefined
    sentInARow += 1
    if (sentInARow % growAfter === 0) most = Math.min(most + 1, smtp?.maxConnections ?? 1)
  }

  function notTaken(letter: LetterRow, error: MailError): void {
    if (storage.note(error)) return
    // Never the server's password: nodemailer's messages hold the server's answer, not our log-in.
    const reason = error.message.slice(0, 300)
    const { code, responseCode } = error
    const trouble = ofThisOne(error) ? 'later' : troubleOf(error)
    const failed = trouble === 'never' || (now() >= letter.giveUpAt && !clockIsWrong())
    // Not the server's words: they name the recipient.
    log.warn({ letter: letter.id, code, responseCode, trouble }, failed ? 'a letter failed' : 'a letter must wait')
    if (trouble === 'server') holdAll(reason, responseCode)
    if (failed) {
      end(letter, 'failed', reason)
      return
    }
    const own = trouble === 'later' || mayBreakConnections(error)
    const attempts = letter.attempts + (own ? 1 : 0)
    // Another one finds out how the server is: this one may be what it rejects.
    const pause = own ? Math.min(longestPause, minute * 2 ** Math.min(attempts - 1, 10)) : minute
    wait(letter, attempts, reason, pause)
  }

  function wait(letter: LetterRow, attempts: number, error: string, pause: number): void {
    db.update(letters)
      .set({ error, attempts, dueAt: now() + pause })
      .where(and(eq(letters.id, letter.id), eq(letters.state, 'waiting')))
      .run()
  }

  /** A sender who was fine for the one before is not what the server minds; a second one in a row is not believed. */
  function ofThisOne(error: MailError): boolean {
    const odd = troubleOf(error) === 'server' && error.command === 'MAIL FROM' && sentInARow > 0
    if (odd) sentInARow = 0
    return odd
  }

  function holdAll(words: string, responseCode: number | undefined): void {
    // Those that were under way at the same time say the same again.
    if (hold && leftOfHold() > 0) return
    const crowded = responseCode !== undefined && responseCode < 500 && sentInARow > 0 && flying.size > 1
    if (crowded) most = Math.max(1, Math.floor(most / 2))
    sentInARow = 0
    const pause = hold ? Math.min(longestHold, hold.pause * 2) : shortestHold
    hold = { since: hold?.since ?? now(), at: now(), pause, words }
  }

  /** One letter that nobody foresaw must not stop the others. */
  function setAside(letter: LetterRow, error: unknown): void {
    if (closed || storage.note(error)) return
    log.error({ err: error, letter: letter.id }, 'a letter was set aside')
    try {
      end(letter, 'failed', `The panel could not send it: ${(error as Error).message}`.slice(0, 300))
    } catch (again) {
      if (!storage.note(again)) leftAlone.add(letter.id)
    }
  }

  function end(letter: LetterRow, state: 'sent' | 'kept' | 'failed' | 'withdrawn', error: string | null): void {
    const keepsBody = state === 'kept' || state === 'failed'
    db.update(letters)
      .set({ state, error, attempts: letter.attempts + 1, doneAt: now(), ...(keepsBody ? {} : { body: null }) })
      .where(and(eq(letters.id, letter.id), eq(letters.state, 'waiting')))
      .run()
  }

  removeStaleFiles(db, config.dataDir)
  wake()
  return {
    wake,
    trouble: () => hold && { since: hold.since, words: hold.words },
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      const landed = Promise.all(flying.values())
      await Promise.race([landed, new Promise((resolve) => setTimeout(resolve, longestStop).unref())])
      closed = true
      transport.close()
    },
  }
}

function messageOf({ mailFrom, supportEmail }: Config, letter: LetterRow, body: LetterBody) {
  return {
    from: mailFrom,
    ...(supportEmail ? { replyTo: supportEmail } : {}),
    to: { name: letter.name, address: letter.email },
    subject: letter.subject,
    messageId: letter.messageId,
    date: new Date(letter.createdAt),
    headers: { 'Auto-Submitted': 'auto-generated' },
    ...body,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}
