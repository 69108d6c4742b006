import { join } from 'node:path'
import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { accounts, importRows, imports, letters } from '../../src/db/schema.ts'
import { accountId, type Panel, startApp } from '../harness.ts'
import { until } from '../smtp.ts'

// What fails in a way that nobody foresaw is set aside, and the rest goes on.

t.setTimeout(600_000)

const importOf = ({ db }: Panel, id: number) => db.select().from(imports).where(eq(imports.id, id)).get()
const rowsOf = ({ db }: Panel, id: number) =>
  db
    .select({ line: importRows.line, state: importRows.state, words: importRows.words })
    .from(importRows)
    .where(eq(importRows.importId, id))
    .all()

t.test('a row of an import that throws what nobody foresaw fails alone', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const checked = await petra.submitAndFollow('/partner/imports', 'Check the file', {
    text: 'name,identifier\nOne,one\nTwo,two\nThree,three\nFour,four',
  })
  const id = Number(checked.path.split('/').at(-1))
  panel.db.update(importRows).set({ input: '{"name":' }).where(eq(importRows.line, 3)).run()
  await petra.press(checked, 'Import 4 customers')
  await until('it is done', () => importOf(panel, id)?.state === 'done')
  t.match(rowsOf(panel, id), [
    { line: 2, state: 'done' },
    { line: 3, state: 'failed', words: /The panel could not do this. Support finds the reason in its log/ },
    { line: 4, state: 'done' },
    { line: 5, state: 'done' },
  ])
  for (const identifier of ['one', 'three', 'four'])
    t.ok(panel.db.select().from(accounts).where(eq(accounts.identifier, identifier)).get(), identifier)
  const olga = await panel.signIn('olga')
  t.match((await olga.get('/')).text, new RegExp(`Line 3 of import ${id} was set aside: .*JSON`))
  t.notMatch((await petra.get('/')).text, 'set aside')
})

t.test('what a failing row had begun is undone', async (t) => {
  const panel = await startApp(t)
  const petra = await panel.signIn('petra')
  const sqlite = new Database(join(panel.dataDir, 'panel.db'))
  sqlite.exec(
    `CREATE TRIGGER odd BEFORE INSERT ON invitations WHEN new.email LIKE 'ann@%' BEGIN SELECT json('odd'); END`,
  )
  sqlite.close()
  const checked = await petra.submitAndFollow('/partner/imports', 'Check the file', {
    text: 'name,identifier,admin name,admin e-mail\nOne,one,Ann,ann@one.example\nTwo,two,Bob,bob@two.example',
  })
  const id = Number(checked.path.split('/').at(-1))
  await petra.press(checked, 'Import 2 customers')
  await until('it is done', () => importOf(panel, id)?.state === 'done')
  t.match(rowsOf(panel, id), [{ state: 'failed' }, { state: 'done' }])
  t.notOk(panel.db.select().from(accounts).where(eq(accounts.identifier, 'one')).get(), 'no customer is left behind')
  t.ok(panel.db.select().from(accounts).where(eq(accounts.identifier, 'two')).get())
})

t.test('an import that cannot even be begun holds up no other', async (t) => {
  const panel = await startApp(t)
  const [stella, petra] = [await panel.signIn('stella'), await panel.signIn('petra')]
  const odd = await stella.submitAndFollow('/customer/imports', 'Check the file', {
    text: 'name,e-mail\nA,a@x.example',
  })
  const fine = await petra.submitAndFollow('/partner/imports', 'Check the file', { text: 'name,identifier\nOne,one' })
  const [oddId, fineId] = [odd, fine].map(({ path }) => Number(path.split('/').at(-1)))
  // Whatever is done with its rows fails, also to mark them.
  const sqlite = new Database(join(panel.dataDir, 'panel.db'))
  sqlite.exec(
    `CREATE TRIGGER odd BEFORE UPDATE ON import_rows WHEN old.import_id = ${oddId} BEGIN SELECT json('odd'); END`,
  )
  sqlite.close()
  await stella.press(odd, 'Import 1 user')
  await petra.press(fine, 'Import 1 customer')
  await until('the other is done', () => importOf(panel, fineId ?? 0)?.state === 'done')
  t.equal(importOf(panel, oddId ?? 0)?.state, 'running')
  t.match((await stella.get(odd.path)).text, 'The panel could not do this')
})

t.test('an account that cannot be purged holds up no other', async (t) => {
  const panel = await startApp(t)
  const at = panel.app.now() - 31 * 24 * 3_600_000
  for (const identifier of ['initech', 'umbrella'])
    panel.db.update(accounts).set({ deletedAt: at }).where(eq(accounts.identifier, identifier)).run()
  const odd = accountId(panel, 'initech')
  await panel.close()
  const sqlite = new Database(join(panel.dataDir, 'panel.db'))
  // A start puts triggers right, so a row that nobody knows of holds on to the account.
  sqlite.exec(
    `CREATE TABLE odd (user_id, account_id, FOREIGN KEY (user_id, account_id) REFERENCES memberships (user_id, account_id));
     INSERT INTO odd SELECT user_id, account_id FROM memberships WHERE account_id = ${odd}`,
  )
  sqlite.close()
  const again = await startApp(t, { dataDir: panel.dataDir })
  const purgedAt = (identifier: string) =>
    again.db.select().from(accounts).where(eq(accounts.identifier, identifier)).get()?.purgedAt
  await until('the other is purged', () => purgedAt('umbrella'))
  t.equal(purgedAt('initech'), null)
  t.match((await (await again.signIn('olga')).get('/')).text, 'Something that was deleted 30 days ago was set aside')
  t.match((await again.visit().get('/health/ready')).body, 'ready, but 1 item failed unexpectedly and was set aside')
  t.match((await again.visit().get('/metrics')).body, /^meshpanel_set_aside 1$/m)
})

t.test('one damaged record hides the others neither in the history nor in a download', async (t) => {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/projects', 'Create project', { name: 'First', identifier: 'first' })
  await stella.submit('/projects', 'Create project', { name: 'Second', identifier: 'second' })
  const { $client } = panel.db
  $client.exec(
    "DROP TRIGGER records_never_change; UPDATE records SET change = '{' WHERE id = (SELECT max(id) FROM records)",
  )
  const history = await stella.open('/customer/history')
  t.match(history.text, 'cannot be read')
  t.match(history.text, 'First')
  const csv = await stella.get('/customer/history?format=csv')
  t.equal(csv.status, 200)
})

t.test('an e-mail that can no longer be opened still has its page', async (t) => {
  const panel = await startApp(t, { settings: { SMTP_URL: '' } })
  await panel.visit().submit('/password-reset', 'Send link', { email: 'tom@acme.example' })
  const letter = await until('the e-mail', () => panel.db.select().from(letters).all()[0])
  panel.db.update(letters).set({ body: 'damaged', state: 'kept' }).where(eq(letters.id, letter.id)).run()
  t.match((await (await panel.signIn('olga')).open(`/support/mail/${letter.id}`)).text, 'or it is damaged')
})
