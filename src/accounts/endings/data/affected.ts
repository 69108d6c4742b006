import { and, asc, eq, inArray, or, type SQL, sql } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import {
  accounts,
  invitations,
  memberships,
  personalChanges,
  projectAccess,
  projects,
  users,
} from '../../../db/schema.ts'
import { byPartnersProgram } from '../../../db/suspension.ts'
import { emailKey } from '../../../web/fields.ts'

// What an ending reaches: asked before it, to say what would end, and by the act itself.

/** Pending invitations to somebody into an account: to their address, or one they had before. */
export function sentTo(db: Db, accountId: AccountId, userId: UserId): SQL | undefined {
  return and(eq(invitations.accountId, accountId), isTo(db, userId))
}

function isTo(db: Db, userId: UserId): SQL {
  const user = db.select({ emailKey: users.emailKey }).from(users).where(eq(users.id, userId)).get()
  const earlier = db
    .select({ email: personalChanges.before })
    .from(personalChanges)
    .where(and(eq(personalChanges.userId, userId), eq(personalChanges.field, 'email')))
    .all()
  const addresses = [user?.emailKey ?? '', ...earlier.map(({ email }) => emailKey(email))]
  return inArray(invitations.emailKey, addresses)
}

/** Pending invitations to one of a partner’s people into its customers, sent by it or by another of its people there. */
export function sentToCustomers(db: Db, partnerId: AccountId, userId: UserId): SQL | undefined {
  const customers = db.select({ id: accounts.id }).from(accounts).where(eq(accounts.partnerId, partnerId))
  // An update writes its columns without their table, so the names are written out here.
  const byPeople = sql`exists (select 1 from memberships as theirs where theirs.account_id = invitations.account_id
    and theirs.user_id = invitations.invited_by and theirs.from_partner)`
  const byPartner = or(eq(invitations.invitedFrom, partnerId), byPeople, byPartnersProgram(sql`invitations.id`))
  return and(inArray(invitations.accountId, customers), byPartner, isTo(db, userId))
}

/** The customers of a partner account in which one of its people is. */
export function customersOf(tx: Db, partnerId: AccountId, userId: UserId): AccountId[] {
  return tx
    .select({ id: memberships.accountId })
    .from(memberships)
    .innerJoin(accounts, eq(accounts.id, memberships.accountId))
    .where(and(eq(memberships.userId, userId), eq(memberships.fromPartner, true), eq(accounts.partnerId, partnerId)))
    .all()
    .map(({ id }) => id)
}

/** The projects of an account that a member has access to. */
export function listProjectsOf(db: Db, accountId: AccountId, userId: UserId): { name: string; identifier: string }[] {
  return db
    .select({ name: projects.name, identifier: projects.identifier })
    .from(projectAccess)
    .innerJoin(projects, eq(projects.id, projectAccess.projectId))
    .where(and(eq(projectAccess.accountId, accountId), eq(projectAccess.userId, userId)))
    .orderBy(asc(projects.id))
    .all()
}
