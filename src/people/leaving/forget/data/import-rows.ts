import { setImmediate as turn } from 'node:timers/promises'
import { and, eq, gt, isNull, not, or, type SQL, sql } from 'drizzle-orm'
import { searchText } from '../../../../db/fold.ts'
import type { AccountId } from '../../../../db/ids.ts'
import type { Db } from '../../../../db/open.ts'
import { importRows, imports } from '../../../../db/schema.ts'
import { mentionsOf } from '../../mentions.ts'
import { deletedName, importRowsAbout, type Known, mentioned } from './recognising.ts'

// Rows of imports that name somebody. There may be millions, and no index knows which: they are looked at in turns, before
// the transaction that forgets them. What a row holds does not change once its import has been checked.

type Place = { importId: number; line: number }

/** What a look at the rows has found: who was looked for, up to which import, and which rows name them. */
export type LookedAt = { person: string; upTo: number; places: Place[] }

/** So many rows are looked at before others have their turn. */
const rowsAtOnce = 2_000

/** Looks for somebody in the rows of all imports that have been checked. */
export async function lookAtImportRows(db: Db, person: Known): Promise<LookedAt> {
  const { upTo } = db.get<{ upTo: number }>(sql`select coalesce(
    (select min(id) - 1 from imports where state = 'checking'), (select max(id) from imports), 0) as "upTo"`)
  const places: Place[] = []
  let place: Place = { importId: 0, line: 0 }
  for (;;) {
    const behind = and(beyondPlace(place), sql`${importRows.importId} <= ${upTo}`)
    const [last] = db
      .select({ importId: importRows.importId, line: importRows.line })
      .from(importRows)
      .where(behind)
      .orderBy(importRows.importId, importRows.line)
      .limit(1)
      .offset(rowsAtOnce - 1)
      .all()
    const part = and(behind, last && not(beyondPlace(last)))
    for (const { row } of [...readUnclear(db, person, part), ...readBeside(db, person, part)])
      places.push({ importId: row.importId, line: row.line })
    if (!last) return { person: JSON.stringify(person), upTo, places }
    place = last
    await turn()
  }
}

const beyondPlace = ({ importId, line }: Place) =>
  sql`(${importRows.importId}, ${importRows.line}) > (${importId}, ${line})`

/** Rows of imports about somebody lose what they hold; what was not carried out yet will not be. */
export function forgetImports(tx: Db, person: Known, looked: LookedAt | undefined): void {
  const known = looked?.person === JSON.stringify(person) ? looked : undefined
  const parts = known ? [gt(importRows.importId, known.upTo), areAt(known.places)] : [undefined]
  const about = tx
    .select({ row: importRows })
    .from(importRows)
    .innerJoin(imports, eq(imports.id, importRows.importId))
    .where(importRowsAbout(person))
    .all()
  const unclear = parts.flatMap((part) => readUnclear(tx, person, part))
  for (const { importId, line, state } of [...about, ...unclear].map(({ row }) => row))
    tx.update(importRows)
      .set({
        input: '',
        subject: deletedName,
        emailKey: null,
        cells: null,
        search: searchText(deletedName),
        ...(state === 'ready' ? { state: 'failed' as const } : {}),
        words: state === 'done' ? 'done' : 'The user was deleted.',
      })
      .where(and(eq(importRows.importId, importId), eq(importRows.line, line)))
      .run()
  for (const { row } of parts.flatMap((part) => readBeside(tx, person, part)))
    tx.update(importRows)
      .set({ cells: null })
      .where(and(eq(importRows.importId, row.importId), eq(importRows.line, row.line)))
      .run()
  tx.update(imports).set({ ip: null }).where(eq(imports.createdBy, person.id)).run()
}

function areAt(places: Place[]): SQL {
  const pairs = JSON.stringify(places.map(({ importId, line }) => [importId, line]))
  return sql`(${importRows.importId}, ${importRows.line}) in (select value ->> 0, value ->> 1 from json_each(${pairs}))`
}

/** Rows of 0.2.0 do not say whose e-mail they hold, and in a wrong row it may be none. */
function readUnclear(db: Db, person: Known, part: SQL | undefined) {
  const { byMail, byName } = mentionsApart(person)
  const columns = [importRows.input, importRows.subject, importRows.words, importRows.cells]
  const unclear = or(isNull(importRows.emailKey), eq(importRows.state, 'wrong'))
  return readRows(db, and(part, unclear, mentioned(columns, person))).filter(({ row, accountId }) => {
    const text = [row.input, row.subject, row.words, row.cells].join('\n')
    return byMail.in(text) || (row.state === 'wrong' && person.accountIds.includes(accountId) && byName.in(text))
  })
}

/** Columns that the panel does not know may name somebody in rows about others. */
function readBeside(db: Db, person: Known, part: SQL | undefined) {
  const { byMail, byName } = mentionsApart(person)
  return readRows(db, and(part, mentioned([importRows.cells], person))).filter(({ row: { cells }, accountId }) => {
    const text = cells ?? ''
    return byMail.in(text) || (person.accountIds.includes(accountId) && byName.in(text))
  })
}

function readRows(db: Db, where: SQL | undefined): { row: typeof importRows.$inferSelect; accountId: AccountId }[] {
  return db
    .select({ row: importRows, accountId: imports.accountId })
    .from(importRows)
    .innerJoin(imports, eq(imports.id, importRows.importId))
    .where(where)
    .all()
}

const mentionsApart = ({ names, emails }: Known) => ({
  byMail: mentionsOf({ names: [], emails }),
  byName: mentionsOf({ names, emails: [] }),
})
