import { apart } from '../../../db/apart.ts'
import { restorableUntil } from '../../../db/deletion.ts'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import type { Role } from '../../../policy.ts'
import type { Resource } from '../../../quotas/resources/data.ts'
import type { Actor } from '../../../records/record.ts'
import { roleName } from '../../../roles.ts'
import { date, withUnit } from '../../../web/format.ts'
import { type Addressee, accountOf, contact, doer, linkTo, tellAdmins, tellPerson } from './telling.ts'

// What others did to an account or to a person, by e-mail: to the account's admins or to that person, never to
// the person who did it. Call these in the transaction of the act. Each says when it was, so that it stays true on its way.

/** A partner's admin has added themselves. */
export function tellJoined(
  tx: Db,
  actor: Actor,
  { accountId, role }: { accountId: AccountId; role: Role },
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  const who = doer(tx, actor, mail)
  tellAdmins({ tx, actor, mail }, account, {
    what: 'joined',
    subject: apart`${who} joined ${account.name}`,
    paragraphs: [
      apart`${who} joined ${account.name} as ${roleName(account.kind, role)}. Admins of the partner who looks after your account can add themselves.`,
    ],
    link: { words: apart`See the users of ${account.name}`, to: linkTo(account, '/customer/users', mail) },
  })
}

/** From this time on, an account is closed to people without a second factor: this one has none. */
export function tellSecondFactor(
  tx: Db,
  actor: Actor,
  { accountId, person, from }: { accountId: AccountId; person: Addressee; from: number },
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  const reason = { because: 'member', userId: person.userId, readerOf: accountId } as const
  tellPerson({ tx, actor, mail }, { account, person, reason }, () => ({
    what: 'security',
    subject: apart`${account.name} asks for two-factor login`,
    paragraphs: [
      apart`From ${date(from)} on, you need two-factor login or a passkey to work in ${account.name}. You have neither yet.`,
      'It takes two minutes: scan a code with an app on your phone, or use the fingerprint or face of your device.',
    ],
    link: { words: 'Set up two-factor login', to: `${mail.publicUrl}/profile/two-factor` },
  }))
}

/** A partner has helped a user of its customer, who cannot log in. */
export function tellHelped(
  tx: Db,
  actor: Actor,
  { accountId, what, name }: { accountId: AccountId; what: 'sent' | 'reset'; name: string },
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  const who = doer(tx, actor, mail)
  const done = {
    sent: [apart`${name} was sent a password link`, apart`sent ${name} a link to choose a new password`],
    reset: [apart`Two-factor login of ${name} was reset`, apart`reset the two-factor login of ${name}`],
  }[what]
  tellAdmins({ tx, actor, mail }, account, {
    what: 'helped',
    subject: apart`${done[0]} in ${account.name}`,
    paragraphs: [
      apart`${who} ${done[1]}, who is a user of ${account.name}.`,
      'If nobody asked for it, contact the partner or Support who looks after your account.',
    ],
    link: { words: apart`See the users of ${account.name}`, to: linkTo(account, '/customer/users', mail) },
  })
}

export type ChangedLimit = { resource: Resource; before: number | null; after: number | null }

/** Others than the account's own people have changed its limits, or a partner's pool. */
export function tellLimits(
  tx: Db,
  actor: Actor,
  {
    level,
    accountId,
    changed,
    note,
  }: { level: 'pool' | 'account' | 'project'; accountId: AccountId; changed: ChangedLimit[]; note: string },
  mail: MailContext,
): void {
  if (level === 'project' || actor.accountId === accountId || changed.length === 0) return
  const account = accountOf(tx, accountId)
  const what = level === 'pool' ? apart`the pool of ${account.name}` : apart`the limits of ${account.name}`
  const lowered = changed.some(({ before, after }) => after !== null && (before === null || after < before))
  const words = (amount: number | null, resource: Resource) =>
    amount === null ? 'no limit' : withUnit(amount, resource)
  tellAdmins({ tx, actor, mail }, account, () => ({
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
      to: linkTo(account, level === 'pool' ? '/partner/quotas' : '/customer/quotas', mail),
    },
  }))
}

export function tellSuspended(
  tx: Db,
  actor: Actor,
  { accountId, reason }: { accountId: AccountId; reason: string },
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  tellAdmins({ tx, actor, mail }, account, {
    what: 'suspension',
    subject: apart`${account.name} was suspended`,
    paragraphs: [
      apart`${doer(tx, actor, mail)} suspended ${account.name}. Nobody can work in it until it is resumed. Nothing was deleted.`,
      apart`If you have questions, contact ${contact(tx, actor.bySupport ? null : account.partnerId, mail)}.`,
    ],
    facts: [{ name: 'Reason', value: reason }],
    link: { words: apart`Open ${account.name}`, to: linkTo(account, '/customer/account', mail) },
  })
}

export function tellResumed(tx: Db, actor: Actor, accountId: AccountId, mail: MailContext): void {
  const account = accountOf(tx, accountId)
  tellAdmins({ tx, actor, mail }, account, {
    what: 'suspension',
    subject: apart`${account.name} is active again`,
    paragraphs: [
      apart`${doer(tx, actor, mail)} resumed ${account.name}. It was suspended before; its users can work in it again.`,
    ],
    link: { words: apart`Open ${account.name}`, to: linkTo(account, '/customer/account', mail) },
  })
}

export function tellDeleted(tx: Db, actor: Actor, accountId: AccountId, mail: MailContext): void {
  const account = accountOf(tx, accountId)
  tellAdmins({ tx, actor, mail }, account, () => ({
    what: 'deletion',
    subject: apart`${account.name} was deleted`,
    paragraphs: [
      apart`${doer(tx, actor, mail)} deleted ${account.name}. Its users can no longer open it.`,
      apart`It can be restored until ${date(restorableUntil(actor.at))}. To have it restored, contact ${contact(tx, account.partnerId, mail)}.`,
    ],
  }))
}

/** A person was removed from an account. */
export function tellRemoved(
  tx: Db,
  actor: Actor,
  { accountId, person }: { accountId: AccountId; person: Addressee },
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  const who = doer(tx, actor, mail)
  const fromInside = !actor.bySupport && actor.accountId === accountId
  const ask = fromInside ? who : contact(tx, actor.bySupport ? null : actor.accountId, mail)
  const reason = { because: 'user', userId: person.userId, readerOf: accountId } as const
  tellPerson(
    { tx, actor, mail },
    { account, person, reason },
    {
      what: 'removal',
      subject: apart`You were removed from ${account.name}`,
      paragraphs: [
        apart`${who} removed you from ${account.name}. You no longer have access to it or to its projects.`,
        apart`If you have questions, contact ${ask}.`,
      ],
    },
  )
}

/** A person has another role in an account. `person` says the role before. */
export function tellRole(
  tx: Db,
  actor: Actor,
  { accountId, person, role }: { accountId: AccountId; person: Addressee & { role: Role }; role: Role },
  mail: MailContext,
): void {
  const account = accountOf(tx, accountId)
  const reason = { because: 'member', userId: person.userId, readerOf: accountId } as const
  tellPerson(
    { tx, actor, mail },
    { account, person, reason },
    {
      what: 'role',
      subject: apart`Your role in ${account.name} changed`,
      paragraphs: [apart`${doer(tx, actor, mail)} changed your role in ${account.name}.`],
      facts: [{ name: 'Role', value: `${roleName(account.kind, person.role)} → ${roleName(account.kind, role)}` }],
      link: { words: apart`Open ${account.name}`, to: linkTo(account, '/projects', mail) },
    },
  )
}
