import { eq } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { accounts, invitations, invitationTokens, users } from '../../../db/schema.ts'
import { linkAsleep, senderAsleep, suspensionOf } from '../../../db/suspension.ts'
import type { User } from '../../../people/data/users.ts'
import { hashToken } from '../../../secrets.ts'
import type { Account } from '../../data/account.ts'
import { findMember, listAdmins } from '../../members/data.ts'
import type { Invitation, LinkKind } from './invitation.ts'

export type Offer = {
  invitation: Invitation
  account: Account
  inviter: { name: string; email: string }
  /** Who to ask about it: the inviter, while they can act there; otherwise an admin of the account, if it has one. */
  contact: { name: string; email: string } | undefined
  link: LinkKind
  state: 'open' | 'used' | 'cancelled' | 'expired' | 'superseded' | 'deleted' | 'suspended' | 'asleep'
  /** The names of suspended partners whose side sent the invitation, or made the link. */
  senderAsleep: string | null
  linkAsleep: string | null
}

/** What a link leads to. Undefined for a link that was never given out. */
export function findOffer(db: Db, token: string, at: number): Offer | undefined {
  const row = db
    .select({
      invitation: invitations,
      account: accounts,
      inviter: users,
      link: invitationTokens.kind,
      senderAsleep,
      linkAsleep,
      supersededAt: invitationTokens.supersededAt,
    })
    .from(invitationTokens)
    .innerJoin(invitations, eq(invitations.id, invitationTokens.invitationId))
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(eq(invitationTokens.hash, hashToken(token)))
    .get()
  if (!row) return undefined
  const { supersededAt, inviter, ...offer } = row
  return {
    ...offer,
    inviter: { name: inviter.name, email: inviter.email },
    contact: contactOf(db, row.invitation, row.account, inviter),
    state: offerState(row, at),
  }
}

function contactOf(db: Db, { invitedFrom }: Invitation, { id, partnerId }: Account, inviter: User): Offer['contact'] {
  const acts = (accountId: AccountId) => findMember(db, accountId, inviter.id)?.active === 1
  const still =
    invitedFrom === null
      ? inviter.operator && inviter.disabledAt === null
      : acts(id) || (invitedFrom === partnerId && acts(partnerId))
  return still ? inviter : listAdmins(db, id, 1)[0]
}

type OfferFacts = Pick<Offer, 'invitation' | 'account' | 'senderAsleep' | 'linkAsleep'> & {
  supersededAt: number | null
}

function offerState(facts: OfferFacts, at: number): Offer['state'] {
  const { account, supersededAt, senderAsleep, linkAsleep } = facts
  const { state, expiresAt } = facts.invitation
  if (state === 'accepted') return 'used'
  if (state !== 'pending') return state
  if (account.deletedAt !== null) return 'deleted'
  if (supersededAt !== null) return 'superseded'
  if (expiresAt <= at) return 'expired'
  if (suspensionOf(account)) return 'suspended'
  return senderAsleep !== null || linkAsleep !== null ? 'asleep' : 'open'
}
