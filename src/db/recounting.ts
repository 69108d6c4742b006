import type Database from 'better-sqlite3'
import { poolsCompared } from './pool-sums.ts'
import { makeTriggers } from './triggers.ts'

// Figures and texts that triggers keep beside what they come from: they are compared a part at a time, so that no look at
// the database is long, also while the panel runs. Each comparison is one statement, so that no write comes between.

/** So many rows are compared at once. */
const rowsAtOnce = 10_000

const copies = ['memberships', 'project_access'] as const

const differs = (table: string) => `(${table}.search IS NOT users.search OR ${table}.sort_key IS NOT users.sort_key)`

/** Each figure that is not what a count gives, in words. */
export function findWrongFigures(sqlite: Database.Database): string[] {
  return [...findWrongPools(sqlite), ...copies.flatMap((table) => findWrongCopies(sqlite, table))]
}

function findWrongPools(sqlite: Database.Database): string[] {
  const partners = sqlite.prepare(
    "SELECT id, identifier FROM accounts WHERE kind = 'partner' OR id IN (SELECT partner_id FROM pool_sums) ORDER BY id",
  )
  const compare = sqlite.prepare(poolsCompared)
  return (partners.all() as { id: number; identifier: string }[]).flatMap(({ id, identifier }) =>
    (compare.all({ partner: id }) as { resource: string; noted: number; counted: number }[])
      .filter(({ noted, counted }) => noted !== counted)
      .map(
        ({ resource, noted, counted }) =>
          `the pool of ${identifier} has ${noted} of “${resource}” allocated, but its customers have ${counted}`,
      ),
  )
}

function findWrongCopies(sqlite: Database.Database, table: (typeof copies)[number]): string[] {
  const compare = sqlite
    .prepare(
      `SELECT count(*) FROM ${table} JOIN users ON users.id = ${table}.user_id WHERE ${table}.rowid BETWEEN ? AND ? AND ${differs(table)}`,
    )
    .pluck()
  const last = Number(sqlite.prepare(`SELECT coalesce(max(rowid), 0) FROM ${table}`).pluck().get())
  let wrong = 0
  for (let from = 1; from <= last; from += rowsAtOnce) wrong += Number(compare.get(from, from + rowsAtOnce - 1))
  const rows = wrong === 1 ? '1 row is' : `${wrong} rows are`
  return wrong > 0 ? [`in ${table}, ${rows} searched and sorted by another name than the user has`] : []
}

/** Counts and copies all of it anew, in one transaction; the search indexes, too. */
export function recount(sqlite: Database.Database): void {
  sqlite
    .transaction(() => {
      for (const table of copies)
        sqlite.exec(
          `UPDATE ${table} SET search = users.search, sort_key = users.sort_key FROM users WHERE users.id = ${table}.user_id AND ${differs(table)}`,
        )
      makeTriggers(sqlite)
    })
    .immediate()
}
