import { and, asc, inArray } from 'drizzle-orm'
import t from 'tap'
import { asUserId } from '../../src/db/ids.ts'
import { openDatabase } from '../../src/db/open.ts'
import { equals, type Placeholders, placeholdersOf, prepared, preparedInsert } from '../../src/db/prepared.ts'
import { memberships, resources, users } from '../../src/db/schema.ts'
import { newFolder } from '../harness.ts'

const one = prepared((db, { key, unit }: Placeholders<{ key: string; unit: string }>) =>
  db
    .select({ name: resources.name })
    .from(resources)
    .where(and(equals(resources.key, key), equals(resources.unit, unit)))
    .prepare(),
)
const all = prepared((db) => db.select({ key: resources.key }).from(resources).orderBy(asc(resources.id)).prepare())
const newUser = preparedInsert(users, (insert) => insert.onConflictDoNothing().returning().prepare())

const tom = {
  email: 'tom@x.example',
  emailKey: 'tom@x.example',
  name: 'Tom',
  search: 'tom',
  passwordHash: 'h',
  createdAt: 5,
}

t.test('a prepared query runs with its values', async (t) => {
  const { db, close } = openDatabase(newFolder())
  t.teardown(close)
  t.same(one(db).get({ key: 'cores', unit: '' }), { name: 'Cores' })
  t.equal(one(db).get({ key: 'cores', unit: 'GB' }), undefined)
  t.ok(all(db).all().length > 1)
  t.match(
    db.transaction((tx) => one(tx).all({ key: 'cores', unit: '' })),
    [{ name: 'Cores' }],
  )
})

t.test('a prepared insert writes every column, and the default of those that are left out', async (t) => {
  const { db, close } = openDatabase(newFolder())
  t.teardown(close)
  const nothing = {
    emailProvedAt: null,
    lastSeenAt: null,
    disabledAt: null,
    deletedAt: null,
    totpSecret: null,
    totpStep: null,
    passkeyHandle: null,
  }
  const plain = {
    id: asUserId(1),
    ...tom,
    ...nothing,
    sortKey: '',
    operator: false,
    service: false,
    theme: '',
    timeZone: '',
    zoneByBrowser: true,
    numbers: '',
    version: 1,
  } as const
  t.same(newUser(db).all(tom), [plain])
  t.same(newUser(db).all(tom), [], 'and what comes behind the values holds')
  const full = {
    ...plain,
    id: asUserId(9),
    email: 'o@x.example',
    emailKey: 'o@x.example',
    operator: true,
    version: 3,
    totpStep: 7,
  }
  t.same(newUser(db).get(full), full)
  const { operator, ...rest } = { ...full, id: asUserId(10), emailKey: 'p@x.example' }
  t.equal(newUser(db).get({ ...rest, operator: undefined })?.operator, false)
})

// What the compiler has to refuse; it fails where it does not.
t.test('what is missing, misspelt or of another type does not run', async (t) => {
  const { db, close } = openDatabase(newFolder())
  t.teardown(close)
  const wrong: (() => unknown)[] = [
    // @ts-expect-error: a value is missing
    () => one(db).get({ key: 'cores' }),
    // @ts-expect-error: all are
    () => one(db).all(),
    // @ts-expect-error: it is called unit
    () => one(db).run({ key: 'cores', units: '' }),
    // @ts-expect-error: a row needs a name
    () => newUser(db).run({ ...tom, name: undefined }),
  ]
  for (const run of wrong) t.throws(run)
  const values = { userId: 1, role: 'admin' }
  // @ts-expect-error: a key is a text
  t.same(one(db).all({ key: 5, unit: '' }), [])
  // @ts-expect-error: there is nothing to fill in
  t.ok(all(db).all({ key: 'cores' }))
  // @ts-expect-error: a list has no such value
  t.equal(placeholdersOf(values).accountId, undefined)
  // @ts-expect-error: a user’s id is no text
  t.ok(equals(memberships.userId, placeholdersOf(values).role))
})

t.test('values are signed, so that SQLite does not plan a query for them again', async (t) => {
  const { db, close } = openDatabase(newFolder())
  t.teardown(close)
  const { sql, params } = db
    .select()
    .from(users)
    .where(and(equals(users.emailKey, placeholdersOf({ emailKey: '' }).emailKey), inArray(users.id, [asUserId(1)])))
    .limit(2)
    .toSQL()
  t.equal(params.length, 3)
  t.same(sql.match(/.\?/g), ['+?', '+?', '+?'])
})
