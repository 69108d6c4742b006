import { eq } from 'drizzle-orm'
import { apart } from '../../db/apart.ts'
import { restorableUntil } from '../../db/deletion.ts'
import type { AccountId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { accounts, users } from '../../db/schema.ts'
import { allowNotice } from '../../mail/allowance.ts'
import type { NoticeLetter } from '../../mail/letters.ts'
import type { MailContext } from '../../mail/outbox.ts'
import type { Reason } from '../../mail/reasons.ts'
import { type Role, roleName } from '../../policy.ts'
import type { Resource } from '../../quotas/resources/data.ts'
import { wantsAtOnce } from '../../records/data/choices.ts'
import type { Actor } from '../../records/record.ts'
import { date, dateTime, withUnit } from '../../web/format.ts'
import { anybody, forReader } from '../../web/reader.ts'
import type { Account } from '../data/account.ts'
import { listAdmins } from '../members/data.ts'
import { noticeTopics } from './topics.ts'

// What others did to an account or to a person, by e-mail: to the account's admins or to that person, never to
// the person who did it. Call these in the transaction of the act. Each says when it was, so that it stays true on its way.

type Notice = Omit<NoticeLetter, 'facts' | 'link'> & {
  /** The kind of act: those of each are counted apart, so that none keeps another from being told. */
  what: keyof typeof noticeTopics
  facts?: NoticeLetter['facts']
  link?: NoticeLetter['link']
}
type Fact = NoticeLetter['facts'][number]
type Reader = { userId: UserId; name: string; email: string }

/** So many admins of an account get an e-mail. */
const mostLetters = 20

/** A partner's admin has added themselves. */
export function tellJoined(tx: Db, actor: Actor, accountId: AccountId, role: Role, mail: MailContext): void {
  const account = accountOf(tx, accountId)
  const who = doer(tx, actor, mail)
  tellAdmins(tx, actor, account, mail, {
    what: 'joined',
    subject: apart`${who} joined ${account.name}`,
    paragraphs: [
      apart`${who} joined ${account.name} as ${roleName(account.kind, role)}. Admins of the partner who looks after your account can add themselves.`,
    ],
    link: { words: apart`See the users of ${account.name}`, to: pageOf(account, '/customer/users', mail) },
  })
}

/** A partner has helped a user of its customer, who cannot log in. */
export function tellHelped(
  tx: Db,
  actor: Actor,
  accountId: AccountId,
  { what, name }: { what: 'sent' | 'reset'; name: string },
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  const who = doer(tx, actor, mail)
  const done = {
    sent: [apart`${name} was sent a password link`, apart`sent ${name} a link to choose a new password`],
    reset: [apart`Two-factor login of ${name} was reset`, apart`reset the two-factor login of ${name}`],
  }[what]
  tellAdmins(tx, actor, account, mail, {
    what: 'helped',
    subject: apart`${done[0]} in ${account.name}`,
    paragraphs: [
      apart`${who} ${done[1]}, who is a user of ${account.name}.`,
      'If nobody asked for it, contact the partner or Support who looks after your account.',
    ],
    link: { words: apart`See the users of ${account.name}`, to: pageOf(account, '/customer/users', mail) },
  })
}

export type ChangedLimit = { resource: Resource; before: number | null; after: number | null }

/** Others than the account's own people have changed its limits, or a partner's pool. */
export function tellLimits(
  tx: Db,
  actor: Actor,
  { level, accountId }: { level: 'pool' | 'account' | 'project'; accountId: AccountId },
  changed: ChangedLimit[],
  note: string,
  mail: MailContext,
): void {
  if (level === 'project' || actor.accountId === accountId || changed.length === 0) return
  const account = accountOf(tx, accountId)
  const what = level === 'pool' ? apart`the pool of ${account.name}` : apart`the limits of ${account.name}`
  const lowered = changed.some(({ before, after }) => after !== null && (before === null || after < before))
  const words = (amount: number | null, resource: Resource) =>
    amount === null ? 'no limit' : withUnit(amount, resource)
  tellAdmins(tx, actor, account, mail, () => ({
    what: 'limits',
    subject: apart`The ${level === 'pool' ? 'pool' : 'limits'} of ${account.name} changed`,
    paragraphs: [
      apart`${doer(tx, actor, mail)} changed ${what}.`,
      ...(lowered ? ['Lowering a limit never removes anything that is already in use.'] : []),
    ],
    facts: [
      ...changed.map(({ resource, before, after }) => ({
        name: resource.name,
        value: `${words(before, resource)} → ${words(after, resource)}`,
      })),
      ...(note ? [{ name: 'Note', value: note }] : []),
    ],
    link: {
      words: `See ${what}`,
      to: pageOf(account, level === 'pool' ? '/partner/quotas' : '/customer/quotas', mail),
    },
  }))
}

export function tellSuspended(tx: Db, actor: Actor, accountId: AccountId, reason: string, mail: MailContext): void {
  const account = accountOf(tx, accountId)
  tellAdmins(tx, actor, account, mail, {
    what: 'suspension',
    subject: apart`${account.name} was suspended`,
    paragraphs: [
      apart`${doer(tx, actor, mail)} suspended ${account.name}. Nobody can work in it until it is resumed. Nothing was deleted.`,
      apart`If you have questions, contact ${contact(tx, actor.bySupport ? null : account.partnerId, mail)}.`,
    ],
    facts: [{ name: 'Reason', value: reason }],
    link: { words: apart`Open ${account.name}`, to: pageOf(account, '/customer/account', mail) },
  })
}

export function tellResumed(tx: Db, actor: Actor, accountId: AccountId, mail: MailContext): void {
  const account = accountOf(tx, accountId)
  tellAdmins(tx, actor, account, mail, {
    what: 'suspension',
    subject: apart`${account.name} is active again`,
    paragraphs: [
      apart`${doer(tx, actor, mail)} resumed ${account.name}. It was suspended before; its users can work in it again.`,
    ],
    link: { words: apart`Open ${account.name}`, to: pageOf(account, '/customer/account', mail) },
  })
}

export function tellDeleted(tx: Db, actor: Actor, accountId: AccountId, mail: MailContext): void {
  const account = accountOf(tx, accountId)
  tellAdmins(tx, actor, account, mail, () => ({
    what: 'deletion',
    subject: apart`${account.name} was deleted`,
    paragraphs: [
      apart`${doer(tx, actor, mail)} deleted ${account.name}. Its users can no longer open it.`,
      apart`It can be restored until ${date(restorableUntil(actor.at))}. To have it restored, contact ${contact(tx, account.partnerId, mail)}.`,
    ],
  }))
}

/** A person was removed from an account. */
export function tellRemoved(tx: Db, actor: Actor, accountId: AccountId, person: Reader, mail: MailContext): void {
  const account = accountOf(tx, accountId)
  const who = doer(tx, actor, mail)
  const own = !actor.bySupport && actor.accountId === accountId
  const ask = own ? who : contact(tx, actor.bySupport ? null : actor.accountId, mail)
  const reason = { because: 'user', userId: person.userId, readerOf: accountId } as const
  tellPerson(tx, actor, account, person, reason, mail, {
    what: 'removal',
    subject: apart`You were removed from ${account.name}`,
    paragraphs: [
      apart`${who} removed you from ${account.name}. You no longer have access to it or to its projects.`,
      apart`If you have questions, contact ${ask}.`,
    ],
  })
}

/** A person has another role in an account. `person` says the role before. */
export function tellRole(
  tx: Db,
  actor: Actor,
  accountId: AccountId,
  person: Reader & { role: Role },
  role: Role,
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  const reason = { because: 'member', userId: person.userId, readerOf: accountId } as const
  tellPerson(tx, actor, account, person, reason, mail, {
    what: 'role',
    subject: apart`Your role in ${account.name} changed`,
    paragraphs: [apart`${doer(tx, actor, mail)} changed your role in ${account.name}.`],
    facts: [{ name: 'Role', value: `${roleName(account.kind, person.role)} → ${roleName(account.kind, role)}` }],
    link: { words: apart`Open ${account.name}`, to: pageOf(account, '/projects', mail) },
  })
}

function tellAdmins(tx: Db, actor: Actor, account: Account, mail: MailContext, notice: Notice | (() => Notice)): void {
  for (const admin of listAdmins(tx, account.id, mostLetters)) {
    const reason = { because: 'admin', userId: admin.userId, readerOf: account.id } as const
    tellPerson(tx, actor, account, admin, reason, mail, notice)
  }
}

function tellPerson(
  tx: Db,
  actor: Actor,
  account: Account,
  { userId, name, email }: Reader,
  reason: Reason,
  { post }: MailContext,
  notice: Notice | (() => Notice),
): void {
  if (userId === actor.userId) return
  const person = tx.select().from(users).where(eq(users.id, userId)).get()
  forReader(person ?? anybody, () => {
    const { what, subject, paragraphs, facts = [], link = null } = typeof notice === 'function' ? notice() : notice
    if (!wantsAtOnce(tx, userId, noticeTopics[what]) || !allowNotice(tx, actor, userId, what)) return
    const when = { name: 'When', value: dateTime(actor.at) }
    const data = { subject, paragraphs, facts: [sideOf(tx, actor, account), ...facts, when], link }
    post(tx, actor.at, { kind: 'notice', name, email, reason, accountId: account.id, names: [actor.userId], data })
  })
}

function accountOf(tx: Db, accountId: AccountId): Account {
  const account = tx.select().from(accounts).where(eq(accounts.id, accountId)).get()
  if (!account) throw new Error(`There is no account ${accountId}.`)
  return account
}

/** Who acted, by name only: their side has a line of its own, because a name may say anything. */
function doer(tx: Db, { userId, bySupport }: Actor, { panelName }: MailContext): string {
  const person = userId === null ? undefined : tx.select().from(users).where(eq(users.id, userId)).get()
  return person?.name ?? (bySupport ? `${panelName} Support` : panelName)
}

/** The line that says on whose side somebody acted. Every e-mail has it, so that no typed text can imitate it. */
export function sideOf(tx: Db, actor: Actor, account: Pick<Account, 'id' | 'name' | 'partnerId'>): Fact {
  const { bySupport, userId, accountId: from } = actor
  if (bySupport) return { name: 'Acted as', value: 'Support' }
  if (from === null || from === account.id)
    return userId === null
      ? { name: 'Acted as', value: 'the panel itself' }
      : { name: 'Acted for', value: account.name }
  const { name } = accountOf(tx, from)
  return { name: 'Acted for', value: from === account.partnerId ? apart`${name}, partner of ${account.name}` : name }
}

/** The partner of this id, else Support. */
function contact(tx: Db, partnerId: AccountId | null, { panelName, supportEmail }: MailContext): string {
  if (partnerId !== null) return accountOf(tx, partnerId).name
  return supportEmail ? apart`${panelName} Support (${supportEmail})` : `${panelName} Support`
}

/** A page of an account; the link switches to it. */
function pageOf({ identifier }: Account, path: string, { publicUrl }: MailContext): string {
  return `${publicUrl}${path}?account=${identifier}`
}
