import { and, eq, gte, isNull, lt, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { betweenDays, type ListQuery } from '../../db/list.ts'
import type { Db } from '../../db/open.ts'
import { accounts, invitations, letters, projects, records, users } from '../../db/schema.ts'
import { findMatches, firstText, isOneOf, matches, otherTexts } from '../../db/search.ts'
import type { RecordFilter } from './records.ts'
import { isOfAccount, type Scope, stillOf } from './scope.ts'

/** What narrows a history, and whether the few records that it leaves are known by their ids. */
export function narrowed(db: Db, scope: Scope, { q, filters }: ListQuery<RecordFilter>) {
  const { person, family, from, until } = filters
  const byPerson = person ? either(db, scope, person, people) : undefined
  const byText = q ? either(db, scope, q, [...people, ...objects]) : undefined
  const byName = q ? either(db, scope, q, namesIn(scope)) : undefined
  const condition: SQL | undefined = and(
    betweenDays(records.at, from, until),
    // Kinds begin with their family and a full stop; what follows the full stop in ASCII is the slash.
    family ? and(gte(records.kind, `${family}.`), lt(records.kind, `${family}/`)) : undefined,
    byPerson?.found,
    q ? or(byText?.found, and(stillOf(scope), byName?.found)) : undefined,
  )
  return { found: condition, few: byPerson?.few === true || (byText?.few === true && byName?.few === true) }
}

/** Purged accounts and projects are shown by their identifier, which follows the empty name. */
const nameIn = (text: SQLWrapper) => sql`coalesce(nullif(${firstText(text)}, ''), ${otherTexts(text)})`

/**
 * What a record names, by which it is found: the columns that hold the ids of rows with these texts. `shown` is what
 * the page shows of a text. Nobody but Support, who sees all of it elsewhere, finds a record by more than that: it
 * would tell, letter by letter, the e-mail of the person who acted here.
 */
const people = [
  { table: 'users', id: users.id, text: users.search, shown: firstText(users.search), column: records.actorId },
  { table: 'users', id: users.id, text: users.search, shown: firstText(users.search), column: records.userId },
] as const
const ownNames = [
  {
    table: 'accounts',
    id: accounts.id,
    text: accounts.search,
    shown: nameIn(accounts.search),
    column: records.accountId,
  },
  {
    table: 'projects',
    id: projects.id,
    text: projects.search,
    shown: nameIn(projects.search),
    column: records.projectId,
  },
] as const
const objects = [
  {
    table: 'invitations',
    id: invitations.id,
    text: invitations.search,
    shown: otherTexts(invitations.search),
    column: records.invitationId,
  },
  {
    table: 'letters',
    id: letters.id,
    text: letters.search,
    shown: otherTexts(letters.search),
    column: records.letterId,
  },
] as const

/** The history of one account does not show its name. */
function namesIn(scope: Scope) {
  return isOfAccount(scope) ? ownNames.filter(({ table }) => table !== 'accounts') : ownNames
}

/** Whether one of these texts matches. Records with rare words are looked up; others are found by scanning. */
function either(
  db: Db,
  scope: Scope,
  q: string,
  texts: readonly (typeof people | typeof objects | typeof ownNames)[number][],
) {
  const rare: SQL[] = []
  const frequent: SQL[] = []
  for (const { table, id, text: all, shown, column } of texts) {
    const text = scope === 'all' ? all : shown
    // Who renamed another account is that account's own, and not shown.
    const visible =
      isOfAccount(scope) && column === records.actorId
        ? or(isNull(records.accountId), eq(records.accountId, scope.accountId))
        : undefined
    const ids = findMatches(db, table, text, q)
    if (ids) rare.push(sql`select records.id from records where ${and(isOneOf(column, ids), visible)}`)
    else
      frequent.push(
        sql`(exists (select 1 from ${sql.identifier(table)} where ${id} = ${column} and ${matches(db, { table, id, text }, q) ?? sql`true`}) and ${visible ?? sql`true`})`,
      )
  }
  const known = rare.length > 0 ? sql`${records.id} in (${sql.join(rare, sql` union all `)})` : undefined
  return { found: or(known, ...frequent), few: frequent.length === 0 }
}
