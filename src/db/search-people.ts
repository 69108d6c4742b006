import { and, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { Db } from './open.ts'
import { accounts } from './schema.ts'
import { candidates, frequent, holds, isOneOf, match, otherTexts, searchWords, type Word } from './search.ts'

// A list of accounts is also searched by their people: users, and whoever has a pending invitation.

/** Somebody by whom a row was found that does not show what was looked for. */
export type FoundBy = { name: string; email: string; invited: boolean }

export type AccountMatch = {
  found: SQL | undefined
  /** The few accounts that it may be are known by their ids. */
  few: boolean
  /** A column: who it was found by, null where that was the account itself. */
  foundBy: SQL<FoundBy | null>
}

type People = {
  table: 'users' | 'invitations'
  /** Rows of an account's people, as `person`: its condition for `accounts.id`, and what else holds of them. */
  from: SQL
  of: SQL
  id: SQL
  living: SQL
  invited: boolean
}

const people: People[] = [
  {
    table: 'users',
    from: sql`memberships as person`,
    of: sql`person.account_id = accounts.id`,
    id: sql`person.user_id`,
    living: sql`true`,
    invited: false,
  },
  {
    table: 'invitations',
    from: sql`invitations as person`,
    of: sql`person.account_id = accounts.id`,
    id: sql`person.id`,
    living: sql`person.state = 'pending'`,
    invited: true,
  },
]

/**
 * A condition on accounts: every word is in the account's own texts, or in those of one person: the e-mail, or for Support
 * the name as well. People are looked for from three letters on. Undefined for an empty search.
 */
export function matchWithPeople(db: Db, q: string, by: 'e-mail' | 'name and e-mail'): AccountMatch {
  const words = searchWords(q)
  const own = match(db, 'accounts', accounts.id, accounts.search, q)
  const itself = holds(accounts.search, words)
  if (!itself || !words.some((readings) => readings.every((reading) => [...reading].length > 2)))
    return { ...own, foundBy: sql`null` }

  const text = by === 'e-mail' ? otherTexts(sql`person.search`) : sql`person.search`
  const kinds = people.map((kind) => lookUp(db, kind, text, words))
  const accountIds = candidates(db, 'accounts', words)
  const few = accountIds !== undefined && kinds.every(({ accountIds }) => accountIds)
  const all = [accountIds ?? [], ...kinds.map(({ accountIds = [] }) => accountIds)].flat()
  const either = or(
    own.found,
    ...kinds.map(({ accountIds, person }) =>
      accountIds ? isOneOf(accounts.id, accountIds) : sql`exists (select 1 ${person})`,
    ),
  )
  return {
    found: few ? and(isOneOf(accounts.id, all), either) : either,
    few,
    foundBy: firstOf(itself, kinds),
  }
}

type LookUp = People & {
  /** Of the few there are; undefined where these may be many. */
  accountIds: number[] | undefined
  /** From a person of the row's account of whom this holds. */
  person: SQL
}

/** So many are looked up in the whole installation at the most, whoever has how many accounts. */
function lookUp(db: Db, kind: People, text: SQLWrapper, words: Word[]): LookUp {
  const { table, from, of, id, living } = kind
  const which = and(holds(text, words), living) ?? living
  const ids = candidates(db, table, words)
  const pairs =
    ids &&
    db.all<{ account: number; id: number }>(
      sql`select person.account_id as account, ${id} as id from ${from} where ${isOneOf(id, ids)} and ${which} limit ${frequent + 1}`,
    )
  if (!pairs || pairs.length > frequent)
    return { ...kind, accountIds: undefined, person: sql`from ${from} where ${of} and ${which}` }
  const known = [...new Set(pairs.map((pair) => pair.id))]
  return {
    ...kind,
    accountIds: [...new Set(pairs.map(({ account }) => account))],
    person: sql`from ${from} where ${of} and ${isOneOf(id, known)} and ${living}`,
  }
}

/** Who the row was found by: read only where it was not the account itself. */
function firstOf(itself: SQL, kinds: LookUp[]): SQL<FoundBy | null> {
  const each = kinds.map(
    ({ table, id, person, invited }) =>
      sql`(select json_object('name', name, 'email', email, 'invited', json(${String(invited)})) from ${sql.identifier(table)} where id = (select ${id} ${person} limit 1))`,
  )
  return sql<FoundBy | null>`case when ${itself} then null else coalesce(${sql.join(each, sql`, `)}) end`.mapWith(
    (json: string) => JSON.parse(json) as FoundBy,
  )
}
