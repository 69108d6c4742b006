import { and, eq } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import nodemailer from 'nodemailer'
import type { Config } from '../config.ts'
import { type Db, write } from '../db/open.ts'
import { letters } from '../db/schema.ts'
import type { Storage } from '../db/storage.ts'
import { tellAnew } from '../records/data/telling-anew.ts'
import { byItself } from '../records/record.ts'
import type { Secrets } from '../secrets.ts'
import { isWaiting, longestPause } from './due.ts'
import { keepAsFile } from './files.ts'
import type { ServerState } from './hold.ts'
import { type LetterBody, type LetterRow, openBody, priorities } from './outbox.ts'
import { minute } from './pace.ts'
import { plainPart } from './plain.ts'
import { expired, notSent, whyNotSent } from './reasons.ts'
import { type MailError, mailServer, mayBreakConnections, troubleOf } from './server.ts'

/** What sending an e-mail needs of the panel. */
export type Sending = {
  db: Db
  config: Config
  secrets: Secrets
  storage: Storage
  now: () => number
  log: FastifyBaseLogger
  clockIsWrong: () => boolean
  server: ServerState
  /** How many e-mails are under way now. */
  underWay: () => number
}

export type LetterSender = {
  /** Sends an e-mail that is due, or withdraws it; notes what became of it. */
  send: (letter: LetterRow) => Promise<void>
  /** From now on nothing more is noted. */
  close: () => void
  /** What could not even be marked as failed, until the next start. */
  leftAlone: Set<number>
}

/** Sends e-mails to the mail server or, without one, into files of DATA_DIR. */
export function newLetterSender({
  db,
  config,
  secrets,
  storage,
  now,
  log,
  clockIsWrong,
  server,
  underWay,
}: Sending): LetterSender {
  const { smtp } = config
  const transport = smtp
    ? mailServer(smtp, config)
    : nodemailer.createTransport({ streamTransport: true, buffer: true })
  const leftAlone = new Set<number>()
  let closed = false

  async function send(letter: LetterRow): Promise<void> {
    const whyNot = whyNotSent(db, letter, now())
    // It may not have expired at all.
    if (whyNot === expired && clockIsWrong())
      return wait(db, letter, { attempts: letter.attempts, error: whyNot, dueAt: now() + minute })
    const body = whyNot === undefined ? open(secrets, letter) : undefined
    if (whyNot !== undefined || !body) return withdraw(db, now(), letter, whyNot ?? 'its text is gone')
    let info: unknown
    try {
      info = await transport.sendMail(await messageOf(config, letter, body))
    } catch (error) {
      if (!closed) notTaken(letter, error as MailError)
      return
    }
    if (closed) return
    server.wentWell()
    // Its text may have been erased in the meantime.
    if (!smtp && isWaiting(db, letter)) keepAsFile(config.dataDir, letter, (info as { message: Buffer }).message)
    const done = () => endLetter(db, now(), letter, { state: smtp ? 'sent' : 'kept', error: null })
    if (!storage.attempt(done)) storage.afterwards(done)
  }

  function notTaken(letter: LetterRow, error: MailError): void {
    if (storage.note(error)) return
    // Never the server's password: nodemailer's messages hold the server's answer, not our log-in.
    const reason = error.message.slice(0, 300)
    const { code, responseCode } = error
    const trouble = server.isOfOne(error) ? 'later' : troubleOf(error)
    const failed = trouble === 'never' || (now() >= letter.giveUpAt && !clockIsWrong())
    // Not the server's words: they name the recipient.
    log.warn({ letter: letter.id, code, responseCode, trouble }, failed ? 'a letter failed' : 'a letter must wait')
    if (trouble === 'server') server.holdAll(reason, responseCode, underWay())
    if (failed) {
      endLetter(db, now(), letter, { state: 'failed', error: reason })
      return
    }
    const { attempts, pause } = nextTry(letter, error, trouble)
    wait(db, letter, { attempts, error: reason, dueAt: now() + pause })
  }

  /** One letter that nobody foresaw must not stop the others. */
  function setAside(letter: LetterRow, error: unknown): void {
    if (closed || storage.note(error)) return
    log.error({ err: error, letter: letter.id }, 'a letter was set aside')
    const why = `The panel could not send it: ${(error as Error).message}`.slice(0, 300)
    try {
      endLetter(db, now(), letter, { state: 'failed', error: why })
    } catch (again) {
      if (!storage.note(again)) leftAlone.add(letter.id)
    }
  }

  return {
    send: (letter) => send(letter).catch((error) => setAside(letter, error)),
    close: () => {
      closed = true
      transport.close()
    },
    leftAlone,
  }
}

/** How often an e-mail was tried that waits now, and for how many milliseconds it waits. */
function nextTry(letter: LetterRow, error: MailError, trouble: ReturnType<typeof troubleOf>) {
  const isOurs = trouble === 'later' || mayBreakConnections(error)
  const attempts = letter.attempts + (isOurs ? 1 : 0)
  // Another one finds out how the server is: this one may be what it rejects.
  return { attempts, pause: isOurs ? Math.min(longestPause, minute * 2 ** Math.min(attempts - 1, 10)) : minute }
}

function open(secrets: Secrets, letter: LetterRow): LetterBody | undefined {
  try {
    return openBody(secrets, letter)
  } catch {
    throw new Error('its text was sealed with another key, or was damaged')
  }
}

function wait(
  db: Db,
  letter: LetterRow,
  { attempts, error, dueAt }: { attempts: number; error: string; dueAt: number },
): void {
  db.update(letters)
    .set({ error, attempts, dueAt })
    .where(and(eq(letters.id, letter.id), eq(letters.state, 'waiting')))
    .run()
}

function withdraw(db: Db, at: number, letter: LetterRow, why: string): void {
  write(db, byItself(at), (tx) => {
    endLetter(tx, at, letter, { state: 'withdrawn', error: notSent(why) })
    tellAnew(tx, [letter.id])
  })
}

/** Notes how an e-mail ended. Only e-mails that were sent or withdrawn lose their text. */
function endLetter(
  db: Db,
  at: number,
  letter: LetterRow,
  { state, error }: { state: 'sent' | 'kept' | 'failed' | 'withdrawn'; error: string | null },
): void {
  const keepsBody = state === 'kept' || state === 'failed'
  db.update(letters)
    .set({ state, error, attempts: letter.attempts + 1, doneAt: at, ...(keepsBody ? {} : { body: null }) })
    .where(and(eq(letters.id, letter.id), eq(letters.state, 'waiting')))
    .run()
}

async function messageOf({ mailFrom, supportEmail, publicUrl }: Config, letter: LetterRow, { html }: LetterBody) {
  return {
    from: mailFrom,
    ...(supportEmail ? { replyTo: supportEmail } : {}),
    to: { name: letter.name, address: letter.email },
    subject: letter.subject,
    messageId: letter.messageId,
    date: new Date(letter.createdAt),
    headers: { 'Auto-Submitted': 'auto-generated', ...unsubscribing(publicUrl, letter) },
    text: await plainPart(html),
    html,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

/** RFC 2369: daily summaries say where their reader stops them. */
function unsubscribing(publicUrl: string, { reason, priority }: LetterRow): Record<string, string> {
  const isSummary = reason === 'user' && priority === priorities.bulk
  return isSummary ? { 'List-Unsubscribe': `<${publicUrl}/profile/notifications>` } : {}
}
