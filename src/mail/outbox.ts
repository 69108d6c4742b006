import { randomUUID } from 'node:crypto'
import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Config } from '../config.ts'
import { searchText } from '../db/fold.ts'
import type { AccountId, UserId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'
import { letterPeople, letters, users } from '../db/schema.ts'
import { newEta } from '../eta.ts'
import { type Secrets, seal, unseal } from '../secrets.ts'
import { awaited, type LetterKind, letterKinds } from './letters.ts'
import { needsProof, notSent, type Reason, reasonColumns, whyNotSent } from './reasons.ts'
import { whyInWords, whyOf } from './why.ts'

export type Letter<Kind extends LetterKind = LetterKind> = {
  kind: Kind
  /** One strict address. */
  email: string
  name: string
  data: LetterKind extends Kind ? never : Parameters<(typeof letterKinds)[Kind]>[0]
  /** Why its reader gets it: checked again right before it is sent. */
  reason: Reason
  /** The account that it tells about: once that is deleted, it is not sent. */
  accountId?: AccountId
  /** The users that its text names besides its reader. */
  names?: (UserId | null)[]
  /** One of many that a file brought, or a daily summary: all others go first. */
  bulk?: boolean
  /** The accounts whose news it has, where its reason names none. */
  whyIn?: AccountId[]
}

/**
 * Puts an e-mail into the outbox, in the transaction of the act that it reports, and returns its id. Undefined if the reader's
 * address is not confirmed and this kind of e-mail must not go to such an address.
 */
export type Post = <Kind extends LetterKind>(tx: Db, at: number, letter: Letter<Kind>) => number | undefined

/** What it takes to write to people about an act. */
export type MailContext = { post: Post; publicUrl: string; panelName: string; supportEmail: string | undefined }

export type LetterRow = typeof letters.$inferSelect
/** The plain part is made from it when it is sent (plain.ts). */
export type LetterBody = { html: string }

/** The classes of `letters.priority`: what somebody waits for, what one person sent, what a file brought. */
export const priorities = { awaited: 0, usual: 1, bulk: 2 } as const

const hour = 3_600_000
/** How long an e-mail is tried, in milliseconds. */
export const giveUpAfter = 72 * hour

/** RFC 5322, 3.6.4: its right side is the host of PUBLIC_URL. */
export const newMessageId = (publicUrl: string) => `<${randomUUID()}@${new URL(publicUrl).hostname}>`

export function newPost(config: Config, secrets: Secrets, wake: () => void): Post {
  const views = newEta(config.reload)
  return (tx, at, { kind, email, name, data, reason, accountId, names = [], bulk, whyIn = [] }) => {
    if (needsProof(reason) && !isProved(tx, reason.userId)) return undefined
    const subject = (letterKinds[kind] as (data: unknown) => string)(data)
    const { panelName, publicUrl } = config
    const why = whyOf(tx, reason, whyIn)
    const context = {
      ...(data as object),
      name,
      subject,
      panelName,
      publicUrl,
      why,
      whyWords: whyInWords(why, panelName),
    }
    const body: LetterBody = { html: views.render(`/mail/${kind}.eta`, context) }
    const of = reasonColumns(reason)
    const [letter] = tx
      .insert(letters)
      .values({
        messageId: newMessageId(config.publicUrl),
        email,
        name,
        subject,
        search: searchText(name, email, subject),
        body: seal(secrets, JSON.stringify(body)),
        ...of,
        accountId: accountId ?? null,
        priority: awaited.includes(kind) ? priorities.awaited : bulk ? priorities.bulk : priorities.usual,
        createdAt: at,
        dueAt: at,
        giveUpAt: at + giveUpAfter,
      })
      .returning({ id: letters.id })
      .all()
    for (const userId of new Set(names))
      if (letter && userId !== null && userId !== of.userId)
        tx.insert(letterPeople).values({ letterId: letter.id, userId }).run()
    // Transactions are synchronous, so this one has ended when the callback runs.
    setImmediate(wake)
    return letter?.id
  }
}

function isProved(tx: Db, userId: UserId): boolean {
  const user = tx.select({ provedAt: users.emailProvedAt }).from(users).where(eq(users.id, userId)).get()
  return user !== undefined && user.provedAt !== null
}

/** What withdraws an e-mail. Support reads why; the text goes. */
export const withdrawn = (why: string, at: number) =>
  ({ state: 'withdrawn', body: null, error: notSent(why), doneAt: at }) as const

const unsent = inArray(letters.state, ['waiting', 'failed'])

/** E-mails of an invitation that ended, or whose link did, are not sent. */
export function withdrawLetters(tx: Db, invitationId: number, at: number): void {
  const ofInvitation = eq(letters.invitationId, invitationId)
  for (const letter of tx.select().from(letters).where(and(ofInvitation, unsent)).all())
    tx.update(letters)
      .set(withdrawn(whyNotSent(tx, letter, at) ?? 'its link no longer works', at))
      .where(eq(letters.id, letter.id))
      .run()
  // A kept letter was never on its way; its link is dead now.
  tx.update(letters)
    .set({ body: null })
    .where(and(ofInvitation, eq(letters.state, 'kept')))
    .run()
}

/** An account is deleted: e-mails about it are neither sent nor sent again. */
export function withdrawLettersAbout(tx: Db, accountId: AccountId, at: number): void {
  const about = eq(letters.accountId, accountId)
  tx.update(letters).set(withdrawn('the account was deleted', at)).where(and(about, unsent)).run()
  tx.update(letters).set({ body: null }).where(about).run()
}

/** An act is undone: what it told about this account at that time, and was not sent since, would no longer be true. */
export function withdrawLettersOfAct(
  tx: Db,
  { accountId, actAt }: { accountId: AccountId; actAt: number },
  why: string,
  at: number,
): void {
  tx.update(letters)
    .set(withdrawn(why, at))
    .where(and(eq(letters.accountId, accountId), eq(letters.createdAt, actAt), unsent))
    .run()
}

/** Letters about an account to users of another one do not go out, unless they are users of both. */
export function withdrawLettersTo(tx: Db, accountId: AccountId, otherId: AccountId, at: number): void {
  const users = (id: AccountId) =>
    sql`(select users.email from memberships join users on users.id = memberships.user_id where memberships.account_id = ${id})`
  tx.update(letters)
    .set(withdrawn('its reader’s account no longer looks after this customer', at))
    .where(
      and(
        eq(letters.accountId, accountId),
        unsent,
        sql`${letters.email} in ${users(otherId)}`,
        sql`${letters.email} not in ${users(accountId)}`,
      ),
    )
    .run()
}

export function openBody(secrets: Secrets, letter: LetterRow): LetterBody | undefined {
  return letter.body === null ? undefined : (JSON.parse(unseal(secrets, letter.body)) as LetterBody)
}
