import t from 'tap'
import { importRows, imports } from '../../src/db/schema.ts'
import { cast } from '../../src/demo.ts'
import { deleteUser, prepareDeletion } from '../../src/people/leaving/data.ts'
import { byItself } from '../../src/records/record.ts'
import { accountId, startApp, userId } from '../harness.ts'

t.test('rows of imports are looked at before a deletion, and those that came since in it', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const [tom, petra, partner] = [userId(panel, 'tom'), userId(panel, 'petra'), accountId(panel, 'cloudhaus')]
  const addImport = (state: 'checking' | 'ready') =>
    db
      .insert(imports)
      .values({
        accountId: partner,
        kind: 'customers',
        fileName: 'f.csv',
        state,
        createdBy: petra,
        createdAt: app.now(),
      })
      .returning({ id: imports.id })
      .get().id
  const addRows = (importId: number, first: number) => {
    for (let line = first; line < first + 3_000; line++) {
      const [subject, cells] = line % 1_000 === 0 ? [cast.tom.email, `["${cast.tom.email}"]`] : [`Row ${line}`, null]
      db.insert(importRows).values({ importId, line, input: '{}', subject, cells, state: 'ready', words: '' }).run()
    }
  }
  const naming = () =>
    db
      .select()
      .from(importRows)
      .all()
      .filter((row) => JSON.stringify(row).includes(cast.tom.email))
      .map(({ importId, line }) => `${importId} ${line}`)
  const checked = addImport('ready')
  addRows(checked, 1)
  const checking = addImport('checking')
  addRows(checking, 1)
  t.equal(naming().length, 6)

  const { secrets } = app
  const prepared = await prepareDeletion(db, byItself(app.now()), tom, secrets)
  t.equal(prepared.rowsLookedAt?.upTo, checked)
  t.same(prepared.rowsLookedAt?.places.slice(0, 1), [{ importId: checked, line: 1_000 }])
  addRows(checking, 4_000)
  addRows(addImport('ready'), 1)
  t.equal(naming().length, 12)
  deleteUser(db, byItself(app.now()), tom, { secrets, removeFiles: () => {}, eraseTraces: () => {}, ...prepared })
  t.same(naming(), [])
  t.equal(db.select().from(importRows).all().length, 12_000)
})

t.test('what was looked for under another name is looked for again', async (t) => {
  const panel = await startApp(t)
  const { db, app } = panel
  const [tom, petra, partner] = [userId(panel, 'tom'), userId(panel, 'petra'), accountId(panel, 'cloudhaus')]
  const { id } = db
    .insert(imports)
    .values({
      ...{ accountId: partner, kind: 'customers' as const, fileName: 'f.csv', state: 'ready' as const },
      ...{ createdBy: petra, createdAt: app.now() },
    })
    .returning({ id: imports.id })
    .get()
  const row = { importId: id, line: 2, input: '{}', state: 'ready' as const, words: '' }
  db.insert(importRows)
    .values({ ...row, subject: cast.tom.email })
    .run()
  const rowsLookedAt = { person: 'another', upTo: id, places: [] }
  const erasing = { secrets: app.secrets, removeFiles: () => {}, eraseTraces: () => {}, rowsLookedAt }
  t.equal(deleteUser(db, byItself(app.now()), tom, erasing), 'deleted')
  t.same(
    db
      .select()
      .from(importRows)
      .all()
      .map(({ subject }) => subject),
    ['Deleted user'],
  )
})
