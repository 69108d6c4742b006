import { and, eq, type Placeholder, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { AccountId, ProjectId, UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { equals, type Placeholders, perConnection, prepared } from '../../db/prepared.ts'
import { accounts, personalChanges } from '../../db/schema.ts'
import { isOneOf } from '../../db/search.ts'

// Names as they were. The current name of a person, an account or a project is in its row; the first rename after
// an event tells the name at that time. A person's renames are deleted with the person.

/** A rename: the record of it, and the name before. */
export type Rename = { recordId: number; before: string }

/** A name as it was, and as it is now where that differs. */
export type Named = { name: string; now: string | null; href?: string }

/** What a record was about is shown with. `renames` are of one person, account or project, the oldest first. */
export function nameAt(now: string, recordId: number, renames: Rename[] | undefined): Named {
  const then = renames?.find((rename) => rename.recordId >= recordId)?.before ?? now
  return { name: then, now: then === now ? null : now }
}

const renamesOfUsers = prepared((db, { userIds }: Placeholders<{ userIds: string }>) =>
  db
    .select({ userId: personalChanges.userId, recordId: personalChanges.recordId, before: personalChanges.before })
    .from(personalChanges)
    .where(and(isOneOf(personalChanges.userId, userIds), sql`${personalChanges.field} = 'name'`))
    .prepare(),
)

/** The renames of these users, by user. */
export function userRenames(db: Db, userIds: Iterable<UserId>): Map<UserId, Rename[]> {
  const renames = new Map<UserId, Rename[]>()
  const rows = renamesOfUsers(db).all({ userIds: JSON.stringify([...new Set(userIds)]) })
  for (const { userId, ...rename } of rows.sort((one, other) => one.recordId - other.recordId))
    push(renames, userId, rename)
  return renames
}

/** What the records of an account tell of names, as far as they were read. */
type Past = {
  newest: number
  /** Who acted in it or was acted on, and the accounts that others acted from: with their first record. */
  people: Map<UserId, number>
  from: Map<AccountId, number>
  renames: Rename[]
  projects: Map<ProjectId, Rename[]>
}

const pasts = perConnection(() => new Map<AccountId, Past>())
const mostPasts = 1_000

/** Each asked account's records behind those that were read before. */
const sinceThen = (asked: Placeholder) =>
  sql`json_each(${asked}) as asked cross join records where records.account_id = asked.value ->> 0 and records.id > asked.value ->> 1`

const newPeople = prepared((db, { asked }: Placeholders<{ asked: string }>) =>
  db
    .select({
      accountId: sql<AccountId>`records.account_id`,
      actorId: sql<UserId | null>`records.actor_id`,
      actorAccountId: sql<AccountId | null>`records.actor_account_id`,
      userId: sql<UserId | null>`records.user_id`,
      first: sql<number>`min(records.id)`,
      last: sql<number>`max(records.id)`,
    })
    .from(sql`${sinceThen(asked)} group by 1, 2, 3, 4`)
    .prepare(),
)

const newRenames = prepared((db, { asked }: Placeholders<{ asked: string }>) =>
  db
    .select({
      accountId: sql<AccountId>`records.account_id`,
      projectId: sql<ProjectId | null>`records.project_id`,
      recordId: sql<number>`records.id`,
      before: sql<string>`records.change ->> '$.name[0]'`,
    })
    .from(sql`${sinceThen(asked)} and records.kind in ('account.renamed', 'project.renamed') order by records.id`)
    .prepare(),
)

/**
 * Reads the pasts of accounts. Records never change, so what was read is kept in memory, and only newer ones are
 * read again: there is no index by kind, and a long history is not read through for every page.
 */
function readPasts(db: Db, accountIds: Iterable<AccountId>): Map<AccountId, Past> {
  const known = pasts(db)
  const read = new Map([...accountIds].map((id) => [id, known.get(id) ?? newPast()]))
  if (read.size === 0) return read
  const asked = JSON.stringify([...read].map(([id, { newest }]) => [id, newest]))
  for (const { accountId, actorId, actorAccountId, userId, first, last } of newPeople(db).all({ asked })) {
    const past = read.get(accountId)
    if (!past) continue
    for (const person of [actorId, userId]) if (person !== null) note(past.people, person, first)
    if (actorAccountId !== null && actorAccountId !== accountId) note(past.from, actorAccountId, first)
    past.newest = Math.max(past.newest, last)
  }
  for (const { accountId, projectId, ...rename } of newRenames(db).all({ asked })) {
    const past = read.get(accountId)
    if (projectId === null) past?.renames.push(rename)
    else if (past) push(past.projects, projectId, rename)
  }
  if (known.size + read.size > mostPasts) known.clear()
  for (const [id, past] of read) known.set(id, past)
  return read
}

const newPast = (): Past => ({ newest: 0, people: new Map(), from: new Map(), renames: [], projects: new Map() })

function note<Id>(firsts: Map<Id, number>, id: Id, recordId: number): void {
  firsts.set(id, Math.min(firsts.get(id) ?? recordId, recordId))
}

function push<Id>(renames: Map<Id, Rename[]>, id: Id, rename: Rename): void {
  const before = renames.get(id)
  if (before) before.push(rename)
  else renames.set(id, [rename])
}

/** The renames of accounts and of their projects. */
export function accountRenames(db: Db, accountIds: Iterable<AccountId>) {
  const read = [...readPasts(db, accountIds)]
  return {
    accounts: new Map(read.map(([id, { renames }]) => [id, renames])),
    projects: new Map(read.flatMap(([, { projects }]) => [...projects])),
  }
}

/**
 * The records of renames that affect an account's history, though they are no records of the account: of people
 * who had appeared in it before, and of its partner, once that had acted in it.
 */
export function affectingRenames(
  db: Db,
  accountId: AccountId,
): { recordIds: number[]; partnerId: AccountId | undefined } {
  const { people, from } = readPasts(db, [accountId]).get(accountId) ?? newPast()
  const recordIds: number[] = []
  const add = (renames: Rename[] | undefined, first: number) => {
    for (const { recordId } of renames ?? []) if (recordId > first) recordIds.push(recordId)
  }
  for (const [userId, renames] of userRenames(db, people.keys())) add(renames, people.get(userId) ?? 0)
  const partner = partnerOf(db).get({ accountId })
  const first = partner && from.get(partner.id)
  if (partner && partner.version > 1 && first !== undefined)
    add(readPasts(db, [partner.id]).get(partner.id)?.renames, first)
  return { recordIds, partnerId: partner?.id }
}

const partner = alias(accounts, 'partner')

const partnerOf = prepared((db, { accountId }: Placeholders<{ accountId: AccountId }>) =>
  db
    .select({ id: partner.id, version: partner.version })
    .from(accounts)
    .innerJoin(partner, eq(partner.id, accounts.partnerId))
    .where(equals(accounts.id, accountId))
    .prepare(),
)
