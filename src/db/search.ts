import { and, type Column, type GetColumnData, or, type Placeholder, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { fold, readingsOf } from './fold.ts'
import type { Db } from './open.ts'
import { perConnection } from './prepared.ts'
import type { Searched } from './triggers.ts'
import { untilWritten } from './unchanged.ts'

// A search finds every word of it at any place of a row’s `search` text. Rare words are looked up in an
// index of trigrams (FTS5), frequent and short ones are found fast by reading rows in the list’s order.

/** A search with more candidates in the whole installation is frequent. */
export const frequent = 2_000
/** So many trigrams narrow a search down; the words themselves are compared anyway. */
const mostTrigrams = 24
/** And first so many of one word, the rarest: the index reads all rows of each. */
const mostOfWord = 3
/** What is in so many of the newest texts is frequent: of these trigrams one that leaves as many as another is not asked for. */
const oftenSampled = 25
/** The newest texts say which trigrams are rare; so many searches later they are read again. */
const sampled = 500
const sampledFor = 1_000

/** A table with its id and its search text, each under the name that they have in a query. */
type Searchable = { table: Searched; id: SQLiteColumn; text: SQLWrapper }

/** A condition on a row of this table, by its id and its `search` column. Undefined for an empty search. */
export function matches(db: Db, { table, id, text }: Searchable, q: string): SQL | undefined {
  return match(db, { table, id, text }, q).found
}

/** The same, and whether the few rows that it may be are known by their ids. */
export function match(db: Db, { table, id, text }: Searchable, q: string): { found: SQL | undefined; few: boolean } {
  const words = searchWords(q)
  if (words.length === 0) return { found: undefined, few: false }
  const ids = candidates(db, table, words)
  return { found: and(ids && isOneOf(id, ids), holds(text, words)), few: ids !== undefined }
}

/**
 * A list’s condition for when few rows are known by their ids: they are read one by one and then sorted,
 * instead of being looked for, in the list’s order, among all rows of a large tenant.
 */
export function amongFew(condition: SQL): SQL {
  return sql`+(${condition})`
}

/** The ids of all rows whose text matches, in the whole installation; undefined where these may be many. */
export function findMatches(db: Db, table: Searched, text: SQLWrapper, q: string): number[] | undefined {
  const words = searchWords(q)
  const ids = candidates(db, table, words)
  if (!ids) return undefined
  const where = and(isOneOf(sql`id`, ids), holds(text, words))
  return db.all<{ id: number }>(sql`select id from ${sql.identifier(table)} where ${where}`).map(({ id }) => id)
}

/** Of a `search` column, whose texts are a line each: the first one, which is a name. */
export function firstText(text: SQLWrapper): SQL {
  return sql`substr(${text}, 1, instr(${text} || char(10), char(10)) - 1)`
}

/** And those after it. */
export function otherTexts(text: SQLWrapper): SQL {
  return sql`substr(${text}, instr(${text} || char(10), char(10)) + 1)`
}

type IdOf<Of> = Of extends Column ? GetColumnData<Of, 'raw'> : number

/** Whether a column holds one of these ids, however many there are: one placeholder takes them as JSON. */
export function isOneOf<Of extends SQLWrapper>(column: Of, ids: IdOf<Of>[] | Placeholder): SQL {
  return sql`${column} in (select value from json_each(${Array.isArray(ids) ? JSON.stringify(ids) : ids}))`
}

/** A search word: the spellings that it may mean. */
export type Word = string[]

/** The words of a search. */
export function searchWords(q: string): Word[] {
  return q
    .replaceAll(/\p{Cc}/gu, ' ')
    .split(/\s+/)
    .map((word) => readingsOf(word).map((reading) => reading.trim()))
    .filter((readings) => readings.every(Boolean) && readings.length > 0)
}

/** Whether a `search` text, or a part of it, has all these words. */
export function holds(text: SQLWrapper, words: Word[]): SQL | undefined {
  return and(...words.map((readings) => or(...readings.map((reading) => sql`instr(${text}, ${reading}) > 0`))))
}

/** Whether each search word is the beginning of a word in this text. */
export function beginsWords(text: string, q: string): boolean {
  const folded = ` ${fold(text)}`
  return searchWords(q).every((readings) => readings.some((reading) => folded.includes(` ${reading}`)))
}

/** The ids of the rows with all trigrams of these words; undefined where these are many, or the words too short. */
export function candidates(db: Db, table: Searched, words: Word[]): number[] | undefined {
  const usual = usualTrigrams(db, table)
  const narrow = withTrigrams(words, usual, mostOfWord)
  if (narrow === '') return undefined
  const ids = idsWith(db, table, narrow)
  if (ids) return ids
  // What none of the newest texts has may be in all older ones.
  const whole = withTrigrams(words, usual, Number.POSITIVE_INFINITY)
  return whole === narrow ? undefined : idsWith(db, table, whole)
}

/** What the index is asked for: these words, with at most so many trigrams of each. */
function withTrigrams(words: Word[], usual: Usual, most: number): string {
  const wanted: string[] = []
  let trigrams = 0
  for (const readings of words) {
    const each = readings.map((reading) => {
      const trigrams = trigramsOf(reading, usual)
      return most === Number.POSITIVE_INFINITY ? trigrams : narrowing(trigrams, usual).slice(0, most)
    })
    if (each.some((reading) => reading.length === 0) || trigrams >= mostTrigrams) continue
    trigrams += each.flat().length
    wanted.push(`(${each.map((reading) => `(${reading.map(quoted).join(' AND ')})`).join(' OR ')})`)
  }
  return wanted.join(' AND ')
}

/** A search asks the same of an index twice: for what it finds, and for the person that a row was found by. */
const idsOf = untilWritten<number[] | undefined>()

function idsWith(db: Db, table: Searched, wanted: string): number[] | undefined {
  return idsOf(db, `${table} ${wanted}`, () => {
    const index = sql.identifier(`${table}_index`)
    const rows = db.all<{ id: number }>(
      sql`select rowid as id from ${index} where ${index} match ${wanted} limit ${frequent + 1}`,
    )
    return rows.length > frequent ? undefined : rows.map(({ id }) => id)
  })
}

/** The rarest first. */
function trigramsOf(word: string, usual: Usual): string[] {
  const often = (trigram: string) => usual.get(trigram)?.often ?? 0
  return [...new Set(trigramsIn(word))].sort((first, other) => often(first) - often(other))
}

/** As FTS5 takes it. */
const quoted = (trigram: string) => `"${trigram.replaceAll('"', '""')}"`

/** Without those of a frequent word that, as far as the newest texts show, are only where the others are too. */
function narrowing(trigrams: string[], usual: Usual): string[] {
  let left: Set<number> | undefined
  return trigrams.filter((trigram) => {
    const among = usual.get(trigram)?.texts ?? new Set()
    const next = left ? new Set([...left].filter((text) => among.has(text))) : among
    const isWanted = left === undefined || next.size < left.size || left.size < oftenSampled
    left = next
    return isWanted
  })
}

function trigramsIn(text: string): string[] {
  const letters = [...text]
  return letters.slice(2).map((_, n) => letters.slice(n, n + 3).join(''))
}

/** In which of the newest texts a trigram is, and how often in all. */
type Usual = Map<string, { often: number; texts: Set<number> }>

const samples = perConnection(() => new Map<Searched, { searches: number; usual: Usual }>())

/** Where trigrams are in the newest texts of a table. */
function usualTrigrams(db: Db, table: Searched): Usual {
  const known = samples(db).get(table)
  if (known && known.searches++ < sampledFor) return known.usual
  const usual: Usual = new Map()
  const name = sql.identifier(table)
  const newest = db.all<{ search: string }>(
    sql`select search from ${name} where id > (select max(id) from ${name}) - ${sampled}`,
  )
  for (const [n, { search }] of newest.entries())
    for (const trigram of trigramsIn(search)) {
      const known = usual.get(trigram) ?? { often: 0, texts: new Set() }
      known.often++
      known.texts.add(n)
      usual.set(trigram, known)
    }
  samples(db).set(table, { searches: 1, usual })
  return usual
}
