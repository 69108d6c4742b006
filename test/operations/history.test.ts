import { copyFileSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { readCompanion } from '../../src/db/companion.ts'
import { allOrNothing, type Db, openDatabase, openToRead, write } from '../../src/db/open.ts'
import { makeBackup } from '../../src/operations/backups/make.ts'
import { restoreBackup } from '../../src/operations/backups/restore.ts'
import { verifyChain } from '../../src/records/data/verifying.ts'
import { byItself, record } from '../../src/records/record.ts'
import { newFolder, type Panel, startApp, there } from '../harness.ts'
import { runCommand } from '../process.ts'
import { releases, unpackRelease } from '../releases/releases.ts'
import { until } from '../smtp.ts'

// Each record's hash covers the one before it. Whoever can write to the database can still change a record; it is noticed.

t.setTimeout(600_000)

/** A panel with some history, and what it says of it. */
async function withHistory(t: Test): Promise<Panel> {
  const panel = await startApp(t)
  const stella = await panel.signIn('stella')
  await stella.submit('/projects', 'Create project', { name: 'Till', identifier: 'till' })
  await stella.submit('/projects/till', 'Rename', { name: 'Cash desk' })
  await stella.submit('/projects/till/removal', 'Delete project', { identifier: 'till' })
  return panel
}

/** Does to a copy of the database what its triggers forbid. */
function tampered(panel: Panel, ...statements: string[]): string {
  const file = join(newFolder(), 'panel.db')
  panel.db.$client.prepare('VACUUM INTO ?').run(file)
  const sqlite = new Database(file)
  sqlite.exec('DROP TRIGGER records_never_change; DROP TRIGGER records_never_go; PRAGMA foreign_keys = OFF')
  for (const statement of statements) sqlite.exec(statement)
  sqlite.close()
  return file
}

function problemsOf(file: string, heads: Parameters<typeof verifyChain>[1] = []): string[] {
  const { db, close } = openToRead(file)
  const { problems } = verifyChain(db, heads)
  close()
  return problems
}

t.test('what the panel writes is chained, acts that were taken back included', async (t) => {
  const panel = await withHistory(t)
  const { db } = panel
  const before = verifyChain(db)
  t.ok(before.records > 10)
  t.same(before.problems, [])
  const recordAndThrow = (tx: Db) => {
    record(tx, byItself(1), { kind: 'installation.backed-up' })
    throw new Error('taken back')
  }
  t.throws(() => write(db, byItself(1), recordAndThrow), { message: 'taken back' })
  write(db, byItself(1), (tx) => {
    record(tx, byItself(1), { kind: 'installation.backed-up' })
    t.throws(() => allOrNothing(tx, recordAndThrow), { message: 'taken back' })
    record(tx, byItself(1), { kind: 'installation.backed-up' })
  })
  await (await panel.signIn('tom')).submit('/profile', 'Save name', { name: 'Thomas' })
  const after = verifyChain(db)
  t.same(after.problems, [])
  t.ok(after.records > before.records)
})

const columns =
  'at, kind, account_id, actor_id, actor_account_id, by_support, user_id, invitation_id, project_id, letter_id, change, ip, request_id, token_id'

t.test('a changed, removed, inserted or moved record is noticed', async (t) => {
  const panel = await withHistory(t)
  const newest = verifyChain(panel.db).head.record
  const [row, next] = [newest - 3, newest - 2]
  const swap = columns
    .split(', ')
    .map((column) => `${column} = (SELECT ${column} FROM swapped WHERE id = 2 * ${row} + 1 - records.id)`)
  const ways: Record<string, [statements: string[], problem: RegExp]> = {
    'another actor': [
      [`UPDATE records SET actor_id = 1 WHERE id = ${row}`],
      new RegExp(`^Record ${row} is not what was written`),
    ],
    'another time': [
      [`UPDATE records SET at = at - 1 WHERE id = ${row}`],
      new RegExp(`^Record ${row} is not what was written`),
    ],
    'another change': [
      [`UPDATE records SET change = '{}' WHERE id = ${row}`],
      new RegExp(`^Record ${row} is not what was written`),
    ],
    'another address': [
      [`UPDATE records SET ip = '192.0.2.1' WHERE id = ${row}`],
      new RegExp(`^Record ${row} is not what was written`),
    ],
    'as Support': [
      [`UPDATE records SET by_support = 1 WHERE id = ${row}`],
      new RegExp(`^Record ${row} is not what was written`),
    ],
    'another hash': [
      [`UPDATE records SET hash = 'x' WHERE id = ${row}`],
      new RegExp(`^Record ${row} is not what was written`),
    ],
    removed: [[`DELETE FROM records WHERE id = ${row}`], new RegExp(`^Record ${row} is missing\\.$`)],
    'removed, and the others moved up': [
      [`DELETE FROM records WHERE id = ${row}`, `UPDATE records SET id = id - 1 WHERE id > ${row}`],
      new RegExp(`^Record ${row} is not what was written`),
    ],
    'the first ones removed': [['DELETE FROM records WHERE id < 4'], /^Records 1 to 3 are missing\.$/],
    inserted: [
      [
        `UPDATE records SET id = -id - 1 WHERE id > ${row}`,
        'UPDATE records SET id = -id WHERE id < 0',
        `INSERT INTO records (id, at, kind, by_support, change) VALUES (${next}, 1, 'user.created', 0, '{}')`,
      ],
      new RegExp(`^Record ${next} was inserted by something other than the panel`),
    ],
    'added at the end': [
      [`INSERT INTO records (at, kind, by_support, change) VALUES (1, 'user.created', 0, '{}')`],
      new RegExp(`^Record ${newest + 1} was inserted`),
    ],
    'added before the first': [
      [`INSERT INTO records (id, at, kind, by_support, change) VALUES (-5, 1, 'user.created', 0, '{}')`],
      /^Record -5 was inserted/,
    ],
    'two in each other’s place': [
      [
        'CREATE TEMP TABLE swapped AS SELECT * FROM records',
        `UPDATE records SET ${swap.join(', ')} WHERE id IN (${row}, ${next})`,
      ],
      new RegExp(`^Record ${row} is not what was written`),
    ],
  }
  for (const [way, [statements, problem]] of Object.entries(ways))
    t.match(problemsOf(tampered(panel, ...statements))[0], problem, way)
  t.same(problemsOf(tampered(panel)), [], 'and nothing where nothing was done')
})

t.test(
  'an end that was cut off, and a history that was written anew, are noticed by what a backup remembers',
  async (t) => {
    const panel = await withHistory(t)
    const { head } = verifyChain(panel.db)
    const remembered = [{ ...head, name: 'a.db' }]
    const cut = tampered(panel, `DELETE FROM records WHERE id > ${head.record - 2}`)
    t.same(problemsOf(cut), [], 'it looks whole by itself')
    t.same(problemsOf(cut, remembered), [
      `Records ${head.record - 1} to ${head.record} are missing at the end: a.db holds them.`,
    ])
    // As the migration does with the records of earlier versions.
    const { chainRecords } = await import('../../src/db/chaining.ts')
    const anew = tampered(panel, 'UPDATE records SET actor_id = 1 WHERE id = 5')
    const sqlite = new Database(anew)
    chainRecords(sqlite)
    sqlite.close()
    t.same(problemsOf(anew), [])
    t.match(problemsOf(anew, remembered), [`The history up to record ${head.record} differs from the backup a.db.`])
  },
)

t.test('a backup’s companion says where the history ended, and the command compares with all of them', async (t) => {
  const panel = await withHistory(t)
  const olga = await panel.signIn('olga')
  await olga.submit('/support/backups', 'Back up now')
  const folder = join(panel.dataDir, 'backups')
  const named = () => readdirSync(folder).find((name) => name.endsWith('.db'))
  await until('the backup is there', () => {
    try {
      return named() !== undefined
    } catch {
      return false
    }
  })
  const backup = join(folder, there(named()))
  const { history } = there(readCompanion(backup))
  const remembered = there(history)
  t.ok(remembered.record > 10)
  t.same(verifyChain(panel.db, [{ ...remembered, name: 'a.db' }]).problems, [])

  const whole = await runCommand(['verify-history'], panel.dataDir).done
  t.match(whole, {
    code: 0,
    out: /records, none was changed; compared with 1 backup\.\nHead: record \d+, [\w-]{43}\n$/,
  })
  t.match(await runCommand(['verify-history', backup], panel.dataDir).done, { code: 0, out: /compared with 0 backups/ })

  const other = newFolder()
  copyFileSync(tampered(panel, `DELETE FROM records WHERE id >= ${remembered.record}`), join(other, 'panel.db'))
  t.match(await runCommand(['verify-history'], other).done, { code: 0 }, 'without a backup it cannot be seen')
  const against = await runCommand(['verify-history', '--against', backup], other).done
  t.match(against, { code: 1, out: new RegExp(`^Record ${remembered.record} is missing at the end: `) })
})

t.test('after an older backup was restored, the backups that it left behind are not held against it', async (t) => {
  const panel = await withHistory(t)
  const at = panel.app.now()
  const old = join(newFolder(), 'old.db')
  await makeBackup(panel.dataDir, old, { at: at - 2_000 })
  await (await panel.signIn('tom')).submit('/profile', 'Save name', { name: 'Thomas' })
  const later = join(newFolder(), 'later.db')
  await makeBackup(panel.dataDir, later, { at: at - 1_000 })

  const dataDir = newFolder()
  await restoreBackup(dataDir, old, { key: undefined, at, replica: undefined })
  const { db, close } = openDatabase(dataDir)
  t.same(verifyChain(db).problems, [])
  const { head } = verifyChain(db)
  close()
  t.match(await runCommand(['verify-history', '--against', later], dataDir).done, { code: 1 })
  t.match(await runCommand(['verify-history'], dataDir).done, { code: 0, out: `record ${head.record}` })
})

t.test(
  'what the panel writes after a record that something else added is chained with all before that one',
  async (t) => {
    const panel = await withHistory(t)
    const { db } = panel
    db.run("INSERT INTO records (at, kind, by_support, change) VALUES (1, 'user.created', 0, '{}')")
    await (await panel.signIn('tom')).submit('/profile', 'Save name', { name: 'Thomas' })
    const { problems, head } = verifyChain(db)
    t.match(problems, [/was inserted by something other than the panel/])
    t.equal(problems.length, 1, 'the panel’s own are as it wrote them')
    const anew = tampered(panel, 'UPDATE records SET actor_id = 1 WHERE id = 5')
    t.match(problemsOf(anew)[0], /^Record 5 is not what was written/)
    t.same(verifyChain(db, [{ ...head, name: 'a.db' }]).problems.length, 1)
  },
)

t.test('a database of an earlier version, and a damaged companion, are told in a line', async (t) => {
  const [release] = releases
  const dataDir = newFolder()
  unpackRelease(there(release), dataDir)
  for (const command of ['verify-history', 'history'])
    t.match(await runCommand([command], dataDir).done, { code: 2, err: /^The records of .* are not chained: .*\n$/ })

  const panel = await withHistory(t)
  const backup = join(panel.dataDir, 'backups', 'one.db')
  mkdirSync(join(panel.dataDir, 'backups'), { recursive: true })
  writeFileSync(backup, '')
  writeFileSync(`${backup}.json`, '{}')
  t.match(await runCommand(['verify-history'], panel.dataDir).done, { code: 1, out: /one\.db\.json is damaged/ })
})

t.test('a reader that follows goes on with the restoration of an earlier backup', async (t) => {
  const panel = await withHistory(t)
  const at = panel.app.now()
  const backup = join(newFolder(), 'old.db')
  await makeBackup(panel.dataDir, backup, { at })
  const { head } = verifyChain(panel.db)
  await (await panel.signIn('tom')).submit('/profile', 'Save name', { name: 'Thomas' })
  const newest = verifyChain(panel.db).head.record
  t.ok(newest > head.record)
  const dataDir = newFolder()
  panel.db.$client.prepare('VACUUM INTO ?').run(join(dataDir, 'panel.db'))

  const following = runCommand(['history', '--after', String(head.record), '--follow'], dataDir)
  const said = { out: '', err: '' }
  following.child.stdout.on('data', (piece) => {
    said.out += piece
  })
  following.child.stderr.on('data', (piece) => {
    said.err += piece
  })
  await until('the rename is told', () => said.out.includes('user.renamed'))
  renameSync(join(dataDir, 'panel.db'), join(dataDir, 'earlier.db'))
  await wait(1_500)
  await restoreBackup(dataDir, backup, { key: undefined, at, replica: undefined })
  await until('the restoration is told', () => said.out.includes('installation.restored'))
  following.child.kill('SIGTERM')
  await following.done
  t.match(said.err, `Going on with record ${head.record + 1}.`)
  const [, ...later] = said.out.split('user.renamed')
  t.match(later.join(''), new RegExp(`"id":${head.record + 1},[^\\n]*installation\\.restored`))
})

t.test('the records of earlier versions are chained when they are migrated', async (t) => {
  for (const release of releases) {
    const dataDir = newFolder()
    unpackRelease(release, dataDir)
    const { db, close } = openDatabase(dataDir)
    const { records, problems } = verifyChain(db)
    t.ok(records > 0)
    t.same(problems, [], release)
    close()
  }
})

t.test('the history is printed as JSON Lines, and goes on after the last number that was read', async (t) => {
  const panel = await withHistory(t)
  const lines = (text: string) =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  const all = lines((await runCommand(['history'], panel.dataDir).done).out)
  const { head, records } = verifyChain(panel.db)
  t.equal(all.length, records)
  t.match(all.at(-1), { id: head.record, hash: head.hash, kind: 'project.deleted', bySupport: false })
  t.notMatch(JSON.stringify(all), /stella@acme|"Stella"/, 'no names of people')
  t.match(await runCommand(['history', '--after', 'x'], panel.dataDir).done, { code: 2 })

  const following = runCommand(['history', '--after', String(head.record), '--follow'], panel.dataDir)
  let out = ''
  following.child.stdout.on('data', (piece) => {
    out += piece
  })
  await (await panel.signIn('tom')).submit('/profile', 'Save name', { name: 'Thomas' })
  await until('the rename is told', () => out.includes('user.renamed'))
  await (await panel.signIn('stella')).submit('/projects', 'Create project', { name: 'Till', identifier: 'till-2' })
  await until('the project is told', () => out.includes('project.created'))
  following.child.kill('SIGTERM')
  await following.done
  const told = lines(out)
  t.same(
    told.map(({ id }) => id),
    told.map((_, n) => head.record + 1 + n),
    'each once, in order',
  )
})
