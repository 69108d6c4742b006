import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { type Db, write } from '../../../db/open.ts'
import { accounts, invitations, pendingInvitation, users } from '../../../db/schema.ts'
import { isActive, senderAsleep } from '../../../db/suspension.ts'
import type { Actor } from '../../../records/record.ts'
import { emailKey } from '../../../web/fields.ts'
import { createUser, findUserByEmail, setPasswordByMail, type User } from '../../data/users.ts'
import { findIdentity, findOwnIdentity, type Identity, type ProvidersUser, putIdentity } from '../data.ts'

/** Who comes back from the provider, in the panel’s words: `name` is undefined where it can be nobody’s here. */
export type Arrival = ProvidersUser & { email: string | undefined; emailVerified: boolean; name: string | undefined }

/**
 * Whose log-in it is: a user’s, nobody’s, a user’s who has to log in first to say so, or `unproved`: the provider may not sign in
 * people with such an address.
 */
export type Settled = { user: User; identity: Identity; joined: boolean } | 'log-in' | 'unproved' | undefined

/** What an account’s provider may do besides: let in somebody new, and say what groups make of somebody. */
export type Mapping = {
  join: (tx: Db, who: { email: string; name: string | undefined }) => User | undefined
  arrived: (tx: Db, user: User) => void
}

/**
 * Whose log-in it is, in this order: a known identity’s; an invited person’s, who becomes a user; that of somebody new, whom `mapping` lets in; with `emailTrusted` the user’s who
 * has the address. An e-mail counts only where the provider calls it verified. `isOf` says whose addresses the provider may sign in.
 */
export function settleArrival(
  db: Db,
  actor: Actor,
  { email, emailVerified, name, ...who }: Arrival,
  {
    emailTrusted,
    isOf = () => true,
    mapping,
    tell,
  }: {
    emailTrusted: boolean
    isOf?: (tx: Db, email: string) => boolean
    mapping?: Mapping | undefined
    tell: (tx: Db, user: User) => void
  },
): Settled {
  return write(db, actor, (tx) => {
    const known = findIdentity(tx, who)
    if (known) {
      if (!isOf(tx, known.user.email)) return 'unproved'
      mapping?.arrived(tx, known.user)
      return { ...known, joined: false }
    }
    if (email === undefined) return undefined
    if (!isOf(tx, email)) return 'unproved'
    const there = findUserByEmail(tx, email)
    const link = (user: User, joined: boolean): Settled => {
      const identity = putIdentity(tx, { ...actor, userId: user.id }, who)
      if (!identity) return 'log-in'
      mapping?.arrived(tx, user)
      return { user, identity, joined }
    }
    if (!there) {
      const invited = emailVerified ? findInvited(tx, email, actor.at) : undefined
      if (!invited) {
        const user = emailVerified ? mapping?.join(tx, { email, name }) : undefined
        return user && link(user, true)
      }
      const user = createUser(tx, actor, {
        email: invited.email,
        name: name ?? invited.name,
        passwordHash: '',
        emailProved: true,
      })
      return user === 'taken' ? 'log-in' : link(user, true)
    }
    // Who has another number there may have been given an address that was somebody else’s.
    if (!emailTrusted || !emailVerified || there.disabledAt !== null || findOwnIdentity(tx, there.id, who.issuer))
      return 'log-in'
    // Somebody else may have set this user up, and still be logged in.
    if (there.emailProvedAt === null) setPasswordByMail(tx, { ...actor, userId: there.id }, there, '')
    const user = tx.select().from(users).where(eq(users.id, there.id)).get()
    if (!user) return undefined
    tell(tx, user)
    return link(user, false)
  })
}

/** An open invitation to an address: the oldest, by whose name the person is called. */
function findInvited(tx: Db, email: string, at: number) {
  return tx
    .select({ email: invitations.email, name: invitations.name })
    .from(invitations)
    .innerJoin(accounts, eq(accounts.id, invitations.accountId))
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(
      and(
        eq(invitations.emailKey, emailKey(email)),
        pendingInvitation,
        sql`${invitations.expiresAt} > ${at}`,
        isNull(accounts.deletedAt),
        isActive,
        sql`${senderAsleep} is null`,
      ),
    )
    .orderBy(asc(invitations.id))
    .limit(1)
    .get()
}
