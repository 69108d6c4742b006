import { and, eq, isNotNull, sql } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import { type List, type ListQuery, type ListSpec, readPage } from '../../../db/list.ts'
import type { Db } from '../../../db/open.ts'
import { equals, placeholdersOf } from '../../../db/prepared.ts'
import { memberships, users } from '../../../db/schema.ts'
import { lacksSecondFactor, passkeyAt } from '../../security/data.ts'
import { type Member, memberFields, memberList, narrowedMembers } from '../data.ts'

/** With what a member can log in besides the password, in words; empty for nothing. */
export type MemberWithFactors = Member & { factors: string }

const { name, 'e-mail': email, role, 'last seen': lastSeen, ...others } = memberList.columns

/** The list of an account's users, as those see it who decide what the account asks of them. */
export const memberListWithFactors = {
  ...memberList,
  columns: {
    name,
    'e-mail': email,
    role,
    'second factor': { head: 'Second factor', look: 'factor', file: ({ factors }) => factors || 'none' },
    'last seen': lastSeen,
    ...others,
  },
  filters: { ...memberList.filters, factor: { none: 'No second factor' } },
} as const satisfies ListSpec<MemberWithFactors>

export type FactorFilter = keyof typeof memberListWithFactors.filters

/** An account's users with their second factors. Only its admins read it: it says whose password alone is enough. */
export function listMembersWithFactors(
  db: Db,
  { accountId, host }: { accountId: AccountId; host: string },
  query: ListQuery<FactorFilter>,
): List<MemberWithFactors> {
  const values = { accountId, host }
  const given = placeholdersOf(values)
  const atHost = sql`${given.host}`
  const condition = equals(memberships.accountId, given.accountId)
  const without = query.filters.factor === 'none'
  return readPage(db, memberListWithFactors, query, {
    values,
    shape: 'with factors',
    narrowed: and(without ? lacksSecondFactor(atHost) : undefined, narrowedMembers(db, query)),
    among: without ? { table: memberships, own: condition } : undefined,
    rows: ({ where, orderBy, limit }) =>
      db
        .select({ ...memberFields, app: hasApp, passkey: passkeyAt(atHost) })
        .from(memberships)
        .innerJoin(users, eq(users.id, memberships.userId))
        .where(and(condition, where))
        .orderBy(...orderBy)
        .limit(limit),
    counted: ({ where, limit }) =>
      db
        .select({ one: memberships.userId })
        .from(memberships)
        .innerJoin(users, eq(users.id, memberships.userId))
        .where(and(condition, where))
        .limit(limit),
    seen: (rows) => rows.map(({ app, passkey, ...member }) => ({ ...member, factors: factorWords(app, passkey) })),
  })
}

const hasApp = sql<number>`${isNotNull(users.totpSecret)}`

const factorWords = (app: number, passkey: number) =>
  [app && 'authenticator app', passkey && 'passkey'].filter(Boolean).join(', ')
