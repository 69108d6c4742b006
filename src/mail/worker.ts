import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { and, asc, eq, isNotNull, lte, min } from 'drizzle-orm'
import type { FastifyBaseLogger } from 'fastify'
import nodemailer from 'nodemailer'
import type { Config } from '../config.ts'
import type { Db } from '../db/open.ts'
import { letters } from '../db/schema.ts'
import { isOneOf } from '../db/search.ts'
import type { Storage } from '../db/storage.ts'
import type { Secrets } from '../secrets.ts'
import { type LetterRow, openBody } from './outbox.ts'
import { notSent, whyNotSent } from './reasons.ts'

export type MailWorker = { wake: () => void; stop: () => Promise<void> }

const minute = 60_000
const longestPause = 6 * 60 * minute
/** Milliseconds that stopping waits for the letter under way; its server may take 30 s to answer. */
const longestStop = 5_000

/**
 * Sends the letters of the outbox, one after the other, apart from all requests. At least once is
 * what is promised: a letter whose server vanished after taking it goes again, under its Message-ID.
 * While nothing can be saved no letter goes, or it would go again and again. Right before it goes, its
 * reason is checked again; where that has gone, it is withdrawn and says why.
 */
export function startMailWorker(
  db: Db,
  config: Config,
  secrets: Secrets,
  storage: Storage,
  now: () => number,
  log: FastifyBaseLogger,
): MailWorker {
  const transport = config.smtpUrl
    ? mailServer(config.smtpUrl)
    : nodemailer.createTransport({ streamTransport: true, buffer: true })

  let working: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function wake(): void {
    if (stopped || working) return
    clearTimeout(timer)
    working = sendDue()
      .then(
        () => 0,
        (error) => {
          if (!storage.note(error)) log.error({ err: error }, 'the mail worker failed')
          return minute
        },
      )
      .then((least) => {
        working = undefined
        if (!stopped) rest(storage.problem ? minute : least)
      })
  }

  /** Sleeps until the next letter is due, a minute at the most. */
  function rest(least: number): void {
    const next = least < minute ? nextDueAt(db) : null
    timer = setTimeout(wake, next === null ? minute : Math.min(minute, Math.max(least, next - now())))
    timer.unref()
  }

  async function sendDue(): Promise<void> {
    while (!stopped) {
      if (storage.problem) return storage.afterwards(wake)
      const letter = nextDue(db, now())
      if (!letter) return
      await send(letter)
    }
  }

  async function send(letter: LetterRow): Promise<void> {
    const whyNot = whyNotSent(db, letter, now())
    const body = openBody(secrets, letter)
    if (whyNot !== undefined || !body) return end(letter, 'withdrawn', notSent(whyNot ?? 'its text is gone'))
    try {
      const info = await transport.sendMail({
        from: config.mailFrom,
        to: { name: letter.name, address: letter.email },
        subject: letter.subject,
        messageId: letter.messageId,
        date: new Date(letter.createdAt),
        headers: { 'Auto-Submitted': 'auto-generated' },
        ...body,
        disableFileAccess: true,
        disableUrlAccess: true,
      })
      // Its text may have been erased meanwhile.
      if (!config.smtpUrl && isWaiting(db, letter))
        keepAsFile(config.dataDir, letter, (info as unknown as { message: Buffer }).message)
    } catch (error) {
      if (!storage.note(error)) tryLater(letter, error as Error & { responseCode?: number })
      return
    }
    const done = () => end(letter, config.smtpUrl ? 'sent' : 'kept', null)
    if (!storage.attempt(done)) storage.afterwards(done)
  }

  function tryLater(letter: LetterRow, error: Error & { responseCode?: number; code?: string }): void {
    const attempts = letter.attempts + 1
    // Never the server's password: nodemailer's messages hold the server's answer, not our log-in.
    const reason = error.message.slice(0, 300)
    const { code, responseCode } = error
    const refused = responseCode !== undefined && responseCode >= 500 && code !== 'EAUTH'
    const failed = refused || now() >= letter.giveUpAt
    // Not the server's words: they name the recipient.
    log.warn({ letter: letter.id, attempts, code, responseCode }, failed ? 'a letter failed' : 'a letter must wait')
    if (failed) {
      end(letter, 'failed', reason)
      return
    }
    const pause = Math.min(longestPause, minute * 2 ** Math.min(attempts - 1, 10))
    db.update(letters)
      .set({ attempts, error: reason, dueAt: now() + pause })
      .where(and(eq(letters.id, letter.id), eq(letters.state, 'waiting')))
      .run()
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
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      transport.close()
      await Promise.race([working, new Promise((resolve) => setTimeout(resolve, longestStop).unref())])
    },
  }
}

/** The mail server at an address; nothing is sent to it yet. */
export function mailServer(smtpUrl: string) {
  return nodemailer.createTransport({
    ...smtpOptions(smtpUrl),
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
  })
}

function smtpOptions(smtpUrl: string) {
  const { protocol, hostname, port, username, password } = new URL(smtpUrl)
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'smtps:' ? 465 : 587),
    secure: protocol === 'smtps:',
    ...(username ? { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } } : {}),
  }
}

function nextDueAt(db: Db): number | null {
  const next = db
    .select({ at: min(letters.dueAt) })
    .from(letters)
    .where(eq(letters.state, 'waiting'))
    .get()
  return next?.at ?? null
}

function nextDue(db: Db, now: number): LetterRow | undefined {
  return db
    .select()
    .from(letters)
    .where(and(eq(letters.state, 'waiting'), lte(letters.dueAt, now)))
    .orderBy(asc(letters.dueAt))
    .limit(1)
    .get()
}

function isWaiting(db: Db, { id }: LetterRow): boolean {
  return db.select({ state: letters.state }).from(letters).where(eq(letters.id, id)).get()?.state === 'waiting'
}

/** Without a mail server the letter is a file that any mail program opens. */
function keepAsFile(dataDir: string, letter: LetterRow, message: Buffer): void {
  const folder = join(dataDir, 'mail')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, `${letter.id}.eml`), message, { mode: 0o600 })
}

/** Removes the files of letters whose text is gone: what a file says does not outlive what Support can read. */
export function removeStaleFiles(db: Db, dataDir: string): void {
  const folder = join(dataDir, 'mail')
  if (!existsSync(folder)) return
  const ids = readdirSync(folder).flatMap((name) => (/^\d+\.eml$/.test(name) ? [Number.parseInt(name, 10)] : []))
  const legible = db
    .select({ id: letters.id })
    .from(letters)
    .where(and(isNotNull(letters.body), isOneOf(letters.id, ids)))
    .all()
  const kept = new Set(legible.map(({ id }) => id))
  removeLetterFiles(
    dataDir,
    ids.filter((id) => !kept.has(id)),
  )
}

/** Letters that were kept as files go with the person whom they were for. */
export function removeLetterFiles(dataDir: string, letterIds: number[]): void {
  for (const id of letterIds) rmSync(join(dataDir, 'mail', `${id}.eml`), { force: true })
}
