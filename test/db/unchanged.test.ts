import { join } from 'node:path'
import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { openFile } from '../../src/db/open.ts'
import { untilWritten } from '../../src/db/unchanged.ts'
import { newFolder } from '../harness.ts'

t.test('what was read is kept until this connection or another writes, and never from a transaction', async (t) => {
  const file = join(newFolder(), 'kept.db')
  const { db, close } = openFile(file)
  t.teardown(close)
  db.run(sql`create table things (name text)`)
  db.run(sql`insert into things values ('one')`)
  let reads = 0
  const names = untilWritten<string | undefined>()
  const read = (key: string) =>
    names(db, key, () => {
      reads++
      return db.get<{ name: string }>(sql`select name from things where name <> ${key}`)?.name
    })
  const ask = () => read('x')
  t.equal(ask(), 'one')
  t.equal(ask(), 'one')
  t.equal(reads, 1)
  t.equal(read('one'), undefined)
  t.equal(read('one'), undefined)
  t.equal(reads, 2, 'also that there is nothing')
  for (let n = 0; n < 1_000; n++) read(`made up ${n}`)
  t.equal(ask(), 'one')
  const before = reads
  t.equal(ask(), 'one')
  t.equal(reads, before, 'made-up keys do not keep others out')

  db.run(sql`update things set name = 'two'`)
  t.equal(ask(), 'two', 'this connection wrote')

  const other = new Database(file)
  t.teardown(() => other.close())
  other.exec("update things set name = 'three'")
  t.equal(ask(), 'three', 'another wrote')
  t.equal(ask(), 'three')

  db.run(sql`begin`)
  t.equal(ask(), 'three')
  db.run(sql`update things set name = 'four'`)
  t.equal(ask(), 'four', 'in the transaction')
  db.run(sql`rollback`)
  t.equal(ask(), 'three', 'it was taken back')

  db.run(sql`savepoint s`)
  db.run(sql`delete from things`)
  t.equal(ask(), undefined)
  db.run(sql`rollback to s`)
  t.equal(ask(), 'three')
  db.run(sql`release s`)
})
