import { apart } from '../db/apart.ts'

type InvitationLetter = {
  inviter: string
  /** A service user invites. */
  byProgram: boolean
  /** The side that the inviter acted for, in an account that is not their own. */
  from: 'support' | { partner: string } | undefined
  account: string
  role: string
  link: string
  expires: string
}
type PartnerRequestLetter = { requester: string; requesterEmail: string; account: string; link: string }
type PartnerDecisionLetter = { account: string; granted: boolean; link: string }
type QuotaRequestLetter = {
  requester: string
  /** Empty for a service user. */
  requesterEmail: string
  account: string
  /** Empty if it is for the account. */
  project: string
  reason: string
  automatic: boolean
  lines: { name: string; now: string; asked: string }[]
  link: string
}
type QuotaDecisionLetter = {
  account: string
  project: string
  approved: boolean
  automatic: boolean
  /** Empty where a rule has decided. */
  person: string
  /** On whose side it was decided. */
  side: NoticeLetter['facts'][number]
  comment: string
  lines: { name: string; asked: string; granted: string | null }[]
  link: string
}
type CustomerMovedLetter = {
  account: string
  identifier: string
  /** Who looked after it, and who does from now on; empty for Support. */
  before: string
  after: string
  support: string
  supportEmail: string
  /** Whose admin reads it. */
  side: 'customer' | 'before' | 'after'
  /** A request for more quota waits for the new partner. */
  asks: boolean
  /** Invitations that ended with the tie. */
  ended: number
  link: string
}
/** `sentBy`: who helps; empty where the person asked. */
type PasswordResetLetter = { link: string; expires: string; sentBy: string }
type PasswordChangedLetter = { when: string; link: string }
type EmailChangeLetter = { link: string; expires: string }
type EmailConfirmationLetter = { link: string; resetLink: string; expires: string }
type EmailChangedLetter = { made: boolean; when: string; link: string; supportEmail: string }
/** `by`: the partner account that did it, if one did. */
type TwoFactorLetter = { what: string; by: string; when: string; link: string }
/** What somebody did, in sentences of its own: for acts that need no pair of views. */
export type NoticeLetter = {
  subject: string
  paragraphs: string[]
  facts: { name: string; value: string }[]
  link: { words: string; to: string } | null
}

/** What happened, a line each. */
type NotificationsLetter = {
  daily: boolean
  /** `link` is empty where there is nothing to open. */
  lines: { words: string; parts: (string | { name: string })[]; detail: string; link: string }[]
  /** So many more are on the page. */
  more: number
  link: string
}

function subjectOfNotifications({ daily, lines, more }: NotificationsLetter): string {
  const n = lines.length + more
  const [first] = lines
  if (n === 1 && first) return daily ? `Your daily summary: ${first.words}` : first.words
  return daily ? `Your daily summary: ${n} notifications` : `${n} new notifications`
}

/** Every kind of letter: what it is made of, and its subject. Its text is in views/mail. */
export const letterKinds = {
  invitation: ({ inviter, account }: InvitationLetter) => apart`${inviter} invites you to ${account}`,
  'partner-request': ({ account }: PartnerRequestLetter) => apart`${account} asks to become a partner`,
  'partner-decision': ({ account, granted }: PartnerDecisionLetter) =>
    granted ? apart`${account} is a partner account now` : apart`${account} does not become a partner account`,
  'quota-request': ({ account, automatic }: QuotaRequestLetter) =>
    automatic ? apart`${account} got more quota automatically` : apart`${account} asks for more quota`,
  'quota-decision': ({ account, approved }: QuotaDecisionLetter) =>
    apart`More quota for ${account} was ${approved ? 'approved' : 'declined'}`,
  'customer-moved': ({ account, after, support, side }: CustomerMovedLetter) =>
    side === 'after'
      ? apart`${account} is your customer now`
      : apart`${account} is looked after by ${after || support} now`,
  'password-reset': (_: PasswordResetLetter) => 'Choose a new password',
  'email-change': (_: EmailChangeLetter) => 'Confirm your new e-mail',
  'email-confirmation': (_: EmailConfirmationLetter) => 'Confirm your e-mail address',
  'email-changed': ({ made }: EmailChangedLetter) =>
    made ? 'Your e-mail was changed' : 'A change of your e-mail was asked for',
  'two-factor-changed': ({ what }: TwoFactorLetter) => `Two-factor login was ${what}`,
  'password-changed': (_: PasswordChangedLetter) => 'Your password was changed',
  notice: ({ subject }: NoticeLetter) => subject,
  notifications: subjectOfNotifications,
} as const

export type LetterKind = keyof typeof letterKinds

/** Kinds that somebody waits for at their screen. */
export const awaited: readonly LetterKind[] = ['password-reset', 'email-change', 'email-confirmation']
