import { type SQL, sql } from 'drizzle-orm'
import type { AccountId, UserId } from '../db/ids.ts'
import type { Db } from '../db/open.ts'

// What has been done before in an installation, a partner account or a customer account: for the checklists.

export function factsOfInstallation(db: Db) {
  return factsOf(db, { partners: sql`select 1 from accounts where kind = 'partner'` })
}

/** Who has more customers than this is no beginner. */
const first = 20

export function factsOfPartner(db: Db, partnerId: AccountId) {
  const ofPartner = sql`from accounts where accounts.partner_id = ${partnerId} and accounts.deleted_at is null`
  const having = (
    rows: SQL,
  ) => sql`select 1 from (select id ${ofPartner} limit ${first}) as accounts where exists (${rows})
    union all select 1 from (select 1 ${ofPartner} limit 1 offset ${first})`
  return factsOf(db, {
    customers: sql`select 1 ${ofPartner}`,
    people: having(sql`select 1 from memberships where memberships.account_id = accounts.id`),
    invited: having(sql`select 1 from invitations where invitations.account_id = accounts.id`),
    limits: having(sql`select 1 from limits where limits.account_id = accounts.id and limits.level = 'account'`),
  })
}

/** `userId` is the admin who begins: what others have counts. */
export function factsOfAccount(db: Db, accountId: AccountId, userId: UserId) {
  return factsOf(db, {
    projects: sql`select 1 from projects where account_id = ${accountId}`,
    people: sql`select 1 from memberships where account_id = ${accountId} and user_id <> ${userId} and not from_partner`,
    invited: sql`select 1 from invitations where account_id = ${accountId} and invited_by = ${userId}`,
    access: sql`select 1 from project_access where account_id = ${accountId} and user_id <> ${userId}`,
    promised: sql`select 1 from invitations cross join invitation_projects
      on invitation_projects.invitation_id = invitations.id where invitations.account_id = ${accountId}`,
  })
}

/** Whether there is a row of each, in one query. */
function factsOf<Name extends string>(db: Db, rows: Record<Name, SQL>): Record<Name, boolean> {
  const names = Object.keys(rows) as Name[]
  const row = db.get<Record<Name, number>>(
    sql`select ${sql.join(
      names.map((name) => sql`exists (${rows[name]}) as ${sql.identifier(name)}`),
      sql`, `,
    )}`,
  )
  return Object.fromEntries(names.map((name) => [name, row[name] === 1])) as Record<Name, boolean>
}
