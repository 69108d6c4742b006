import { and, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { type AccountId, asAccountId } from './ids.ts'
import type { Db } from './open.ts'
import { accounts } from './schema.ts'
import { candidates, frequent, holds, isOneOf, match, otherTexts, searchWords, type Word } from './search.ts'

// A list of accounts is also searched by their people: users, and those with a pending invitation. A partner also finds
// its customers by what it keeps about them (ties).

/** The person by which a row was found, if the row itself does not show the search term. */
export type FoundBy = {
  name: string
  email: string
  invited: boolean
  /** Not a person: the contact, the reference or a tag that the partner keeps. */
  kept: boolean
}

export type AccountMatch = {
  found: SQL | undefined
  /** The few accounts that it may be are known by their ids. */
  few: boolean
  /** A column: who it was found by, null where that was the account itself. */
  foundBy: SQL<FoundBy | null>
}

type People = {
  table: 'users' | 'invitations' | 'ties'
  /** Rows of an account's people, as `person`: its condition for `accounts.id`, and what else holds of them. */
  from: SQL
  of: SQL
  id: SQL
  living: SQL
  /** What is searched, of the row. */
  text: SQLWrapper
  /** Who it is, as JSON. */
  found: SQL
}

const personOf = (invited: boolean) =>
  sql`json_object('name', name, 'email', email, 'invited', json(${String(invited)}), 'kept', json('false'))`

/** An account’s people, searched by this text of theirs. */
const people = (text: SQLWrapper): People[] => [
  {
    table: 'users',
    from: sql`memberships as person`,
    of: sql`person.account_id = accounts.id`,
    id: sql`person.user_id`,
    living: sql`true`,
    text,
    found: personOf(false),
  },
  {
    table: 'invitations',
    from: sql`invitations as person`,
    of: sql`person.account_id = accounts.id`,
    id: sql`person.id`,
    living: sql`person.state = 'pending'`,
    text,
    found: personOf(true),
  },
]

/** What a partner keeps about its customers. */
const keptBy = (partnerId: AccountId): People => ({
  table: 'ties',
  from: sql`ties as person`,
  of: sql`person.account_id = accounts.id`,
  id: sql`person.id`,
  living: sql`person.partner_id = ${partnerId}`,
  text: sql`person.search`,
  found: sql`json_object('name', contact_name, 'email', contact_email, 'invited', json('false'), 'kept', json('true'))`,
})

/**
 * A condition on accounts: every word is in the account's own texts, or in those of one person: for a partner the e-mail, for
 * Support the name as well; or in what the partner keeps about it. People are looked for from three letters on.
 * Undefined for an empty search.
 */
export function matchWithPeople(db: Db, q: string, by: 'Support' | { partnerId: AccountId }): AccountMatch {
  const words = searchWords(q)
  const byAccount = match(db, { table: 'accounts', id: accounts.id, text: accounts.search }, q)
  const itself = holds(accounts.search, words)
  if (!itself || !words.some((readings) => readings.every((reading) => [...reading].length > 2)))
    return { ...byAccount, foundBy: sql`null` }

  const searched =
    by === 'Support' ? people(sql`person.search`) : [...people(otherTexts(sql`person.search`)), keptBy(by.partnerId)]
  const kinds = searched.map((kind) => lookUp(db, kind, words))
  const accountIds = candidates(db, 'accounts', words)?.map(asAccountId)
  const isFew = accountIds !== undefined && kinds.every(({ accountIds }) => accountIds)
  const all = [accountIds ?? [], ...kinds.map(({ accountIds = [] }) => accountIds)].flat()
  const either = or(
    byAccount.found,
    ...kinds.map(({ accountIds, person }) =>
      accountIds ? isOneOf(accounts.id, accountIds) : sql`exists (select 1 ${person})`,
    ),
  )
  return {
    found: isFew ? and(isOneOf(accounts.id, all), either) : either,
    few: isFew,
    foundBy: firstOf(itself, kinds),
  }
}

type LookUp = People & {
  /** Of the few there are; undefined where these may be many. */
  accountIds: AccountId[] | undefined
  /** From a person of the row's account who matches this condition. */
  person: SQL
}

/** At most so many are looked up in the whole installation, however many accounts anybody has. */
function lookUp(db: Db, kind: People, words: Word[]): LookUp {
  const { table, from, of, id, living, text } = kind
  const which = and(holds(text, words), living) ?? living
  const ids = candidates(db, table, words)
  const pairs =
    ids &&
    db.all<{ account: AccountId; id: number }>(
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
    ({ table, id, person, found }) =>
      sql`(select ${found} from ${sql.identifier(table)} where id = (select ${id} ${person} limit 1))`,
  )
  return sql<FoundBy | null>`case when ${itself} then null else coalesce(${sql.join(each, sql`, `)}) end`.mapWith(
    (json: string) => JSON.parse(json) as FoundBy,
  )
}
