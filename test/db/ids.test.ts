import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { is } from 'drizzle-orm'
import { getTableConfig, type SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import t from 'tap'
import { findMember } from '../../src/accounts/members/data.ts'
import { root } from '../../src/config.ts'
import * as schema from '../../src/db/schema.ts'
import { findAccess } from '../../src/projects/access/data/giving.ts'
import { accountId, projectId, startApp, userId } from '../harness.ts'

// Ids of one kind are never taken for those of another. The compiler looks at this file, too: where a swap compiles,
// the error that is expected here is missing, and that is one itself.

t.test('ids that are swapped find nothing, and do not compile', async (t) => {
  const panel = await startApp(t)
  const { db } = panel
  const [acme, website, tom] = [accountId(panel, 'acme'), projectId(panel, 'website'), userId(panel, 'tom')]

  t.equal(findAccess(db, { accountId: acme, projectId: website, userId: tom })?.name, 'Tom')
  // @ts-expect-error: a user’s id for a project’s
  t.equal(findAccess(db, { accountId: acme, projectId: tom, userId: website }), undefined)
  // @ts-expect-error: a project’s id for an account’s, and the other way round
  t.equal(findAccess(db, { accountId: website, projectId: acme, userId: tom }), undefined)
  // @ts-expect-error: any number for a project’s id
  t.equal(findAccess(db, { accountId: acme, projectId: 1_000, userId: tom }), undefined)

  t.equal(findMember(db, acme, tom)?.name, 'Tom')
  // @ts-expect-error: a user’s id for an account’s
  t.equal(findMember(db, tom, tom), undefined)
  // @ts-expect-error: an account’s id for a user’s, and the other way round
  t.equal(findMember(db, tom, acme), undefined)
  // @ts-expect-error: a project’s id for a user’s
  t.equal(findMember(db, acme, website), undefined)
})

const folder = join(root, 'src/db/schema')
const source = readdirSync(folder)
  .map((file) => readFileSync(join(folder, file), 'utf8'))
  .join('')
const types: Record<string, string> = { accounts: 'AccountId', projects: 'ProjectId', users: 'UserId' }

/** Records refer to what may be gone, without a foreign key: there the name tells. */
const named: [RegExp, string][] = [
  [/(^|_)(account|partner)_id$/, 'AccountId'],
  [/^project_id$/, 'ProjectId'],
  [/^(user|actor)_id$/, 'UserId'],
]

/** The type that a column's values must have, where it holds such an id. */
function typeOf(column: SQLiteColumn): string | undefined {
  const { name, foreignKeys } = getTableConfig(column.table)
  if (column.name === 'id') return types[name]
  for (const key of foreignKeys) {
    const { columns, foreignColumns } = key.reference()
    const of = foreignColumns[columns.indexOf(column)]
    const type = of && typeOf(of)
    if (type) return type
  }
  return named.find(([pattern]) => pattern.test(column.name))?.[1]
}

t.test('every column that holds such an id has its type', async (t) => {
  const tables = Object.values(schema).filter((value) => is(value, SQLiteTable))
  for (const table of tables) {
    const { name, columns } = getTableConfig(table)
    const [own = ''] = new RegExp(`sqliteTable\\(\\s*'${name}',.*?\\n  \\}`, 's').exec(source) ?? []
    for (const column of columns) {
      const type = typeOf(column)
      const place =
        column.name === 'id'
          ? /\bid: integer\(\)\.primaryKey\(\)\.\$type<(\w+)>/
          : new RegExp(`'${column.name}'\\)\\s*\\.\\$type<(\\w+)>`)
      if (type) t.equal(place.exec(own)?.[1], type, `${name}.${column.name}`)
    }
  }
})
