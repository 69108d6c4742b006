import { eq } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { throttles } from '../db/schema.ts'
import type { Actor } from '../history/record.ts'
import { hashToken } from '../secrets.ts'

// How much one person or account may do to others who have not agreed to it. Counted in the transaction of the
// act, so that parallel ones count, and undone with it.

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** So many at once, then one more every so many milliseconds. */
type Pace = { atOnce: number; every: number }

/** Every limit, and why it is what it is. Support has none of the first five: it is the way out for everybody else. */
const paces = {
  // A new customer invites its whole team on one day; a partner with 1,000 customers is done in four.
  invitationsOfPerson: { atOnce: 100, every: day / 250 },
  // Several admins share the work, but inviting helpers does not multiply what one can send.
  invitationsOfAccount: { atOnce: 200, every: day / 500 },
  // Inviting, correcting and resending, all on one day.
  toAddressFromAccount: { atOnce: 4, every: day / 4 },
  // An agency’s new employee is invited by several of its customers. One account alone does not use it up.
  toAddress: { atOnce: 8, every: day / 8 },
  // Nobody moves to another mailbox more often.
  emailChanges: { atOnce: 5, every: day / 5 },
  // An admin whose team came by copied links asks all of them on one day.
  confirmations: { atOnce: 20, every: day / 50 },
  // Whoever asks, the address gets a link that works for 30 minutes: its owner is never without one for long.
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

/** An act that comes too soon. Nothing was done; the message says when it is possible again. */
export class TooMany extends Error {
  readonly why: string
  /** Milliseconds until it is possible. */
  readonly wait: number
  /** It is only this address that must wait. */
  readonly ofAddress: boolean

  constructor(why: string, wait: number, ofAddress = false) {
    super(`${why} Try again in ${duration(wait)}.`)
    this.why = why
    this.wait = wait
    this.ofAddress = ofAddress
  }
}

/** What an act results in, or that it comes too soon. */
export function orTooMany<Result>(act: () => Result): Result | TooMany {
  try {
    return act()
  } catch (error) {
    if (error instanceof TooMany) return error
    throw error
  }
}

type Allowance = { key: string; pace: Pace; why: string; ofAddress?: boolean }

function ofInvitation({ userId, accountId, bySupport }: Actor, emailKey: string): Allowance[] {
  if (bySupport) return []
  const address = hashToken(emailKey)
  const why = 'Several e-mails went to this address today.'
  return [
    { key: `mail user ${userId}`, pace: paces.invitationsOfPerson, why: 'You have sent many invitations today.' },
    {
      key: `mail account ${accountId}`,
      pace: paces.invitationsOfAccount,
      why: 'This account has sent many invitations today.',
    },
    { key: `mail account ${accountId} to ${address}`, pace: paces.toAddressFromAccount, why, ofAddress: true },
    toAddress(address),
  ]
}

const toAddress = (address: string): Allowance => ({
  key: `mail to ${address}`,
  pace: paces.toAddress,
  why: 'Several e-mails went to this address today.',
  ofAddress: true,
})

/** Whether an e-mail to somebody who is invited may be written now. Throws a TooMany; counts nothing. */
export function mayInvite(tx: Db, actor: Actor, emailKey: string): void {
  check(tx, actor.at, ofInvitation(actor, emailKey))
}

/** Counts an e-mail to somebody who is invited. Throws a TooMany. */
export function allowInvitation(tx: Db, actor: Actor, emailKey: string): void {
  allow(tx, actor.at, ofInvitation(actor, emailKey))
}

/** Throws a TooMany while the last e-mail of an invitation has just been written. */
export function allowResend(sentAt: number, at: number): void {
  // A clock that was set back makes nobody wait longer.
  const wait = Math.min(resendGap, sentAt + resendGap - at)
  if (wait > 0) throw new TooMany('The last e-mail was sent less than 5 minutes ago.', wait, true)
}

/** Counts an e-mail to the address that somebody wants to have, whether or not one is written. Throws a TooMany. */
export function allowEmailChange(tx: Db, actor: Actor, emailKey: string): void {
  const why = 'You have asked for several changes of your e-mail today.'
  allow(tx, actor.at, [
    { key: `mail change ${actor.userId}`, pace: paces.emailChanges, why },
    toAddress(hashToken(emailKey)),
  ])
}

/** Counts an e-mail that asks somebody to confirm their address. Throws a TooMany. */
export function allowConfirmation(tx: Db, actor: Actor, emailKey: string): void {
  const why = 'You have asked for many confirmations today.'
  allow(tx, actor.at, [
    { key: `mail confirmation ${actor.userId}`, pace: paces.confirmations, why },
    toAddress(hashToken(emailKey)),
  ])
}

/**
 * Counts a request for a new password, whether or not the address is anybody’s. The browser that its owner is known by
 * (throttle/browser.ts) has a count of its own: strangers cannot use it up. Throws a TooMany.
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

/** Counts a request of an account to become a partner, and whoever asks: a partner can be in many accounts. Throws a TooMany. */
export function allowPartnerRequest(tx: Db, { at, userId }: Actor, accountId: number): void {
  const pace = paces.partnerRequests
  allow(tx, at, [
    { key: `mail partner ${accountId}`, pace, why: 'This account has asked several times today.' },
    { key: `mail partner user ${userId}`, pace, why: 'You have asked several times today.' },
  ])
}

/** Counts a file that an account has read. Throws a TooMany. */
export function allowFile(tx: Db, at: number, accountId: number): void {
  allow(tx, at, [
    { key: `file ${accountId}`, pace: paces.files, why: 'This account has had many files checked today.' },
  ])
}

const ofIdentifier = ({ accountId, bySupport }: Actor): Allowance[] =>
  bySupport
    ? []
    : [
        {
          key: `taken ${accountId}`,
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

/** Throws a TooMany for the longest wait, and counts nothing then. */
function allow(tx: Db, at: number, allowances: Allowance[]): void {
  check(tx, at, allowances)
  for (const { key, pace } of allowances) {
    const { tries, fullAt } = find(tx, key, pace, at)
    const row = { tries: tries + 1, at: fullAt + pace.every }
    tx.insert(throttles)
      .values({ key, ...row })
      .onConflictDoUpdate({ target: throttles.key, set: row })
      .run()
  }
}

function check(tx: Db, at: number, allowances: Allowance[]): void {
  const waits = allowances.map((allowance) => {
    const { atOnce, every } = allowance.pace
    return { ...allowance, wait: find(tx, allowance.key, allowance.pace, at).fullAt + every - at - atOnce * every }
  })
  const [longest] = waits.sort((one, other) => other.wait - one.wait)
  if (longest && longest.wait > 0) throw new TooMany(longest.why, longest.wait, longest.ofAddress)
}

/**
 * What is left of an allowance is kept as one time: when it is full again (the generic cell rate algorithm, ITU-T
 * I.371). A time further ahead than an empty one needs was written by a clock that was wrong.
 */
function find(tx: Db, key: string, { atOnce, every }: Pace, at: number): { tries: number; fullAt: number } {
  const row = tx.select().from(throttles).where(eq(throttles.key, key)).get()
  const fullAt = Math.min(Math.max(row?.at ?? 0, at), at + atOnce * every)
  return { tries: row && fullAt > at ? row.tries : 0, fullAt }
}

function duration(time: number): string {
  const minutes = Math.ceil(time / minute)
  const [n, unit] = minutes < 90 ? [minutes, 'minute'] : [Math.ceil(time / hour), 'hour']
  return n === 1 ? `a ${unit}` : `${n} ${unit}s`
}
