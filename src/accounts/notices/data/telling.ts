import { eq } from 'drizzle-orm'
import { apart } from '../../../db/apart.ts'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { accounts, users } from '../../../db/schema.ts'
import { allowNotice } from '../../../mail/allowance.ts'
import type { NoticeLetter } from '../../../mail/letters.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import type { Reason } from '../../../mail/reasons.ts'
import { wantsAtOnce } from '../../../records/data/choices.ts'
import { isProgram } from '../../../records/data/programs.ts'
import type { Actor } from '../../../records/record.ts'
import { dateTime } from '../../../web/format.ts'
import { anybody, forReader } from '../../../web/reader.ts'
import type { Account } from '../../data/account.ts'
import { listAdmins } from '../../members/data.ts'
import { noticeTopics } from '../topics.ts'

// How those are told what others did: each in their own time zone, and never whoever did it.

type Notice = Omit<NoticeLetter, 'facts' | 'link'> & {
  /** The kind of act: those of each are counted apart, so that none keeps another from being told. */
  what: keyof typeof noticeTopics
  facts?: NoticeLetter['facts']
  link?: NoticeLetter['link']
}
type Fact = NoticeLetter['facts'][number]
export type Addressee = { userId: UserId; name: string; email: string }

/** So many admins of an account get an e-mail. */
const mostLetters = 20

/** Who tells, in which transaction and by which mail. */
type Telling = { tx: Db; actor: Actor; mail: MailContext }

export function tellAdmins(telling: Telling, account: Account, notice: Notice | (() => Notice)): void {
  for (const admin of listAdmins(telling.tx, account.id, mostLetters)) {
    const reason = { because: 'admin', userId: admin.userId, readerOf: account.id } as const
    tellPerson(telling, { account, person: admin, reason }, notice)
  }
}

export function tellPerson(
  { tx, actor, mail }: Telling,
  { account, person: { userId, name, email }, reason }: { account: Account; person: Addressee; reason: Reason },
  notice: Notice | (() => Notice),
): void {
  if (userId === actor.userId) return
  const person = tx.select().from(users).where(eq(users.id, userId)).get()
  forReader(person ?? anybody, () => {
    const { what, subject, paragraphs, facts = [], link = null } = typeof notice === 'function' ? notice() : notice
    if (!wantsAtOnce(tx, userId, noticeTopics[what]) || !allowNotice(tx, actor, userId, what)) return
    const when = { name: 'When', value: dateTime(actor.at) }
    const data = { subject, paragraphs, facts: [sideOf(tx, actor, account), ...facts, when], link }
    mail.post(tx, actor.at, { kind: 'notice', name, email, reason, accountId: account.id, names: [actor.userId], data })
  })
}

export function accountOf(tx: Db, accountId: AccountId): Account {
  const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
  if (!account) throw new Error(`There is no account ${accountId}.`)
  return account
}

/** Who acted, by name only: their side has a line of its own, because a name may say anything. */
export function doer(tx: Db, { userId, bySupport }: Actor, { panelName }: MailContext): string {
  const person = userId === null ? undefined : tx.select().from(users).where(eq(users.id, userId)).get()
  return person?.name ?? (bySupport ? `${panelName} Support` : panelName)
}

/** The line that says on whose side somebody acted. Every e-mail has it, so that no typed text can imitate it. */
export function sideOf(tx: Db, actor: Actor, account: Pick<Account, 'id' | 'name' | 'partnerId'>): Fact {
  const { bySupport, userId, accountId: from } = actor
  if (bySupport) return { name: 'Acted as', value: 'Support' }
  const label = isProgram(tx, userId) ? 'A service user acted for' : 'Acted for'
  if (from === null || from === account.id)
    return userId === null ? { name: 'Acted as', value: 'the panel itself' } : { name: label, value: account.name }
  const { name } = accountOf(tx, from)
  return { name: label, value: from === account.partnerId ? apart`${name}, partner of ${account.name}` : name }
}

/** The partner of this id, else Support. */
export function contact(tx: Db, partnerId: AccountId | null, { panelName, supportEmail }: MailContext): string {
  if (partnerId !== null) return accountOf(tx, partnerId).name
  return supportEmail ? apart`${panelName} Support (${supportEmail})` : `${panelName} Support`
}

/** A page of an account; the link switches to it. */
export function linkTo({ identifier }: Account, path: string, { publicUrl }: MailContext): string {
  return `${publicUrl}${path}?account=${identifier}`
}
