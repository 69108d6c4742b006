import { and, asc, eq } from 'drizzle-orm'
import { apart } from '../db/apart.ts'
import type { AccountId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'
import { accounts, memberships } from '../db/schema.ts'
import { isOneOf } from '../db/search.ts'
import type { Reason } from './reasons.ts'

/** Why somebody gets an e-mail. */
export type Why = {
  because: Reason['because']
  /** What the reader is in the accounts that it comes from. */
  places: { name: string; kind: 'customer' | 'partner'; role: 'admin' | 'member' }[]
  /** The account that the reader was in. */
  former: string
  /** Its reader chooses how they are told, and where. */
  choices: boolean
}

/** So many accounts are named. */
const mostPlaces = 3

/** `within` are the accounts whose news it has, where it is about several. */
export function whyOf(tx: Db, reason: Reason, within: AccountId[]): Why {
  const { because } = reason
  const readerOf = 'readerOf' in reason ? reason.readerOf : undefined
  const userId = 'userId' in reason ? reason.userId : undefined
  const ids = [...(readerOf === undefined ? [] : [readerOf]), ...within].slice(0, mostPlaces)
  const places =
    userId === undefined || ids.length === 0
      ? []
      : tx
          .select({ name: accounts.name, kind: accounts.kind, role: memberships.role })
          .from(memberships)
          .innerJoin(accounts, eq(accounts.id, memberships.accountId))
          .where(and(eq(memberships.userId, userId), isOneOf(memberships.accountId, ids)))
          .orderBy(asc(accounts.id))
          .all()
  const former =
    because === 'user' && readerOf !== undefined && places.length === 0
      ? (tx.select({ name: accounts.name }).from(accounts).where(eq(accounts.id, readerOf)).get()?.name ?? '')
      : ''
  const ofAccount = because === 'admin' || because === 'member' || places.length > 0 || former !== ''
  return { because, places, former, choices: ofAccount }
}

const kinds = { partner: 'Partner', customer: 'Customer' }
const roles = { admin: 'Admin', member: 'User' }

/** The same in a sentence, which ends the e-mail. */
export function whyInWords({ because, places, former }: Why, panelName: string): string {
  const all = places.map(({ name, kind, role }) => apart`${kinds[kind]} ${roles[role]} of ${name}`)
  const last = all.pop()
  if (last) return `You get this because you are ${all.length > 0 ? `${all.join(', ')} and ` : ''}${last}.`
  if (former) return apart`You get this because you were a user of ${former}.`
  return {
    admin: 'You get this because you look after this account.',
    member: 'You get this because you are a user of this account.',
    user: `You get this because it is about your login at ${panelName}.`,
    token: 'You get this because a link for this address was requested.',
    invitation: 'You get this because somebody invited this address.',
    support: `You get this because you are Support of ${panelName}.`,
  }[because]
}
