import { eq } from 'drizzle-orm'
import type { AccountId, UserId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'
import { accounts } from '../db/schema.ts'
import type { Actor } from '../records/record.ts'
import { hashToken } from '../secrets.ts'
import { type Allowance, allow, check, day, find, hour, minute, orTooMany, type Pace, TooMany } from './pace.ts'

// How much one person or account may do to others who have not agreed to it. Counted in the transaction of the
// act, so that parallel ones count, and undone with it.

/** Every limit, and why it is what it is. Support has none of those for invitations and notices: it is the way out for everybody else. */
const paces = {
  // A new customer invites its whole team on one day; a partner with 1,000 customers is done in four.
  invitationsOfPerson: { atOnce: 100, every: day / 250 },
  // Several admins share the work, but inviting helpers does not multiply what one can send.
  invitationsOfAccount: { atOnce: 200, every: day / 500 },
  // A partner creates customers, and helpers in them, as it likes: they do not multiply what it sends. A large one
  // moves in with 500 customers on one day, and 2,000 on the next; nobody needs more of people who know nothing of it.
  invitationsOfTree: { atOnce: 500, every: day / 2_000 },
  // Inviting, correcting and resending, all on one day. A sender is a partner with its customers, or the person who asks.
  toAddressFromSender: { atOnce: 4, every: day / 4 },
  // Somebody works for several. One sender alone does not use it up.
  toAddress: { atOnce: 8, every: day / 8 },
  // Senders that have not written to an address lately do, whatever the others did; but nobody gets more than this.
  toAddressReserve: { atOnce: 30, every: day / 30 },
  // Nobody moves to another mailbox more often.
  emailChanges: { atOnce: 5, every: day / 5 },
  // An admin whose team came by copied links asks all of them on one day.
  confirmations: { atOnce: 20, every: day / 50 },
  // Of one kind, from one account to one reader: an act that is done and undone over and over is told a few times.
  // So are notifications of all kinds together, but those of the reader's login: the daily summary tells the rest.
  notices: { atOnce: 5, every: 10 * minute },
  // No matter who asks, the address gets a link that works for 30 minutes: its owner never waits long for one.
  passwordResets: { atOnce: 6, every: 2 * hour },
  passwordResetGap: { atOnce: 1, every: 5 * minute },
  // Each one writes to Support.
  partnerRequests: { atOnce: 3, every: day / 3 },
  // A file is read again when it was corrected.
  files: { atOnce: 20, every: day / 50 },
  // Creating an account must say that an identifier is taken, and so tells that somebody has it.
  takenIdentifiers: { atOnce: 100, every: day / 300 },
} as const satisfies Record<string, Pace>

/** Milliseconds between two e-mails of one invitation. */
export const resendGap = 5 * minute

const toAddressWhy = 'Several e-mails went to this address today.'

/** People of Support may write to anybody they need to. Their programs have limits, since nobody watches them. */
const isPersonOfSupport = ({ bySupport, tokenId }: Actor) => bySupport && tokenId === undefined

function ofInvitation(tx: Db, actor: Actor, emailKey: string): Allowance[] {
  if (isPersonOfSupport(actor)) return []
  const { userId, accountId } = actor
  const sender = senderOf(tx, accountId)
  return [
    { key: `mail user ${userId}`, pace: paces.invitationsOfPerson, why: 'You have sent many invitations today.' },
    {
      key: `mail account ${accountId}`,
      pace: paces.invitationsOfAccount,
      why: 'This account has sent many invitations today.',
    },
    {
      key: `mail tree ${sender}`,
      pace: paces.invitationsOfTree,
      why: 'A partner and its customers together have sent many invitations today.',
    },
    ...toAddress(tx, actor.at, { kind: 'mail', sender: String(sender), emailKey }),
  ]
}

/** A partner and its customers are one sender: a partner makes as many customers as it likes. */
function senderOf(tx: Db, accountId: AccountId | null): AccountId | null {
  if (accountId === null) return null
  const account = tx.select({ partnerId: accounts.partnerId }).from(accounts).where(eq(accounts.id, accountId)).get()
  return account?.partnerId ?? accountId
}

/**
 * What one sender, and all together, may write to an address. Other senders cannot use up the first e-mail of one that
 * has not written there lately: it takes what all share only from a reserve.
 */
function toAddress(
  tx: Db,
  at: number,
  { kind, sender, emailKey }: { kind: 'mail' | 'change'; sender: string; emailKey: string },
): Allowance[] {
  const address = hashToken(emailKey)
  const counter = `${kind} from ${sender} to ${address}`
  const pace = kind === 'change' ? paces.emailChanges : paces.toAddressFromSender
  const isFirst = find(tx, counter, pace, at).tries === 0
  return [
    { key: counter, pace, why: toAddressWhy, ofAddress: true },
    { key: `${kind} to ${address}`, pace: paces.toAddress, why: toAddressWhy, ofAddress: true, countedOnly: isFirst },
    { key: `${kind} to ${address}, all`, pace: paces.toAddressReserve, why: toAddressWhy, ofAddress: true },
  ]
}

/** Whether an e-mail to somebody who is invited may be written now. Throws a TooMany; counts nothing. */
export function mayInvite(tx: Db, actor: Actor, emailKey: string): void {
  check(tx, actor.at, ofInvitation(tx, actor, emailKey))
}

/** Counts an e-mail to somebody who is invited. Throws a TooMany. */
export function allowInvitation(tx: Db, actor: Actor, emailKey: string): void {
  allow(tx, actor.at, ofInvitation(tx, actor, emailKey))
}

/** Throws a TooMany while the last e-mail of an invitation has just been written. */
export function allowResend(sentAt: number, at: number): void {
  const wait = sentAt + resendGap - at
  // One that is dated later was sent by a clock that was ahead.
  if (wait > 0 && sentAt <= at) throw new TooMany('The last e-mail was sent less than 5 minutes ago.', wait, true)
}

/** Counts an e-mail to the address that somebody wants to have, whether or not one is written. Throws a TooMany. */
export function allowEmailChange(tx: Db, actor: Actor, emailKey: string): void {
  const why = 'You have asked for several changes of your e-mail today.'
  allow(tx, actor.at, [
    { key: `mail change ${actor.userId}`, pace: paces.emailChanges, why },
    // Counted apart from invitations: somebody who sends those must not keep people from confirming a new address.
    ...toAddress(tx, actor.at, { kind: 'change', sender: String(actor.userId), emailKey }),
  ])
}

/**
 * Counts an e-mail that asks somebody to confirm their address. What they ask for themselves has a count of its own:
 * nobody else can use it up. Throws a TooMany.
 */
export function allowConfirmation(tx: Db, actor: Actor, { id, emailKey }: { id: UserId; emailKey: string }): void {
  const why = 'You have asked for many confirmations today.'
  const ofActor = { key: `mail confirmation ${actor.userId}`, pace: paces.confirmations, why }
  allow(
    tx,
    actor.at,
    actor.userId === id
      ? [ofActor, { key: `confirmation of ${id}`, pace: paces.toAddressFromSender, why: toAddressWhy, ofAddress: true }]
      : [
          ofActor,
          ...toAddress(tx, actor.at, { kind: 'mail', sender: String(senderOf(tx, actor.accountId)), emailKey }),
        ],
  )
}

/**
 * Counts an e-mail that tells somebody what an account did. False when it has told them so often that this one is left
 * out: a notice never prevents the act. What people of Support do is always told.
 */
export function allowNotice(tx: Db, actor: Actor, readerId: UserId, what: string): boolean {
  const { at, userId, accountId } = actor
  if (isPersonOfSupport(actor) || userId === null) return true
  const key = `notice ${what} ${accountId} ${readerId}`
  return !(orTooMany(() => allow(tx, at, [{ key, pace: paces.notices, why: '' }])) instanceof TooMany)
}

/**
 * Counts an e-mail at once with notifications whose way can be chosen. False when somebody has had many lately: then the
 * daily summary tells the rest.
 */
export function allowAtOnce(tx: Db, at: number, userId: UserId): boolean {
  const key = `notifications ${userId}`
  return !(orTooMany(() => allow(tx, at, [{ key, pace: paces.notices, why: '' }])) instanceof TooMany)
}

/**
 * Counts a request for a new password, whether or not a user has the address. The browser that its owner is known by
 * (people/log-in/throttle/browser.ts) has a count of its own: strangers cannot use it up. Throws a TooMany.
 */
export function allowReset(tx: Db, at: number, emailKey: string, browser: string | undefined): void {
  const address = browser === undefined ? hashToken(emailKey) : `${hashToken(emailKey)} from ${browser}`
  const why = 'A link was just asked for with this address. Look into its inbox, and into spam.'
  allow(tx, at, [
    { key: `mail reset gap ${address}`, pace: paces.passwordResetGap, why, ofAddress: true },
    {
      key: `mail reset ${address}`,
      pace: paces.passwordResets,
      why: 'Several links were asked for with this address today.',
    },
  ])
}

/** Counts a request to become a partner for the account and for the person who asks, who can be in many accounts. Throws a TooMany. */
export function allowPartnerRequest(tx: Db, { at, userId }: Actor, accountId: AccountId): void {
  const pace = paces.partnerRequests
  allow(tx, at, [
    { key: `mail partner ${accountId}`, pace, why: 'This account has asked several times today.' },
    { key: `mail partner user ${userId}`, pace, why: 'You have asked several times today.' },
  ])
}

/** Counts a file that an account has read. Throws a TooMany. */
export function allowFile(tx: Db, at: number, accountId: AccountId): void {
  allow(tx, at, [
    { key: `file ${accountId}`, pace: paces.files, why: 'This account has had many files checked today.' },
  ])
}

const ofIdentifier = (actor: Actor): Allowance[] =>
  isPersonOfSupport(actor)
    ? []
    : [
        {
          key: `taken ${actor.accountId}`,
          pace: paces.takenIdentifiers,
          why: 'Many identifiers that this account tried today were taken.',
        },
      ]

/** Throws a TooMany when an account has tried many identifiers that were taken: then not even a free one is given. */
export function mayTryIdentifier(tx: Db, actor: Actor): void {
  check(tx, actor.at, ofIdentifier(actor))
}

/** Counts an identifier that was taken. */
export function countTaken(tx: Db, actor: Actor): void {
  allow(tx, actor.at, ofIdentifier(actor))
}
