import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { Secret, TOTP } from 'otpauth'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { readConfig, root } from '../../src/config.ts'
import { openDatabase } from '../../src/db/open.ts'
import { StartError } from '../../src/db/start-error.ts'
import { findWrongTriggers } from '../../src/db/triggers.ts'
import { type CastName, cast } from '../../src/demo.ts'
import { openInstallation } from '../../src/operations/installation/open.ts'
import { unseal } from '../../src/secrets.ts'
import { version } from '../../src/version.ts'
import { Client, newFolder, type Page } from '../harness.ts'
import { launch } from '../process.ts'
import { releasedAt, releases, tablesOf, unpackRelease } from '../releases/releases.ts'

// Every released version left a database here. This version must take each over without loss, and a
// migration that fails must leave it to the version before.

const migrationsFolder = join(root, 'migrations')
const migrations = readMigrationFiles({ migrationsFolder })

t.test('the databases of released versions become this version’s, whole', async (t) => {
  t.ok(releases.includes('0.1.0'))
  for (const release of releases) {
    const dataDir = newFolder()
    unpackRelease(release, dataDir)
    const old = look(dataDir)
    for (const [table, rows] of old.rows) t.ok(rows > 0, `${release} has rows in ${table}`)

    openDatabase(dataDir).close()
    const now = look(dataDir)
    t.same(now.applied, hashes(migrations), `${release} has every migration`)
    t.equal(now.integrity, 'ok')
    t.same(now.broken, [])
    t.same(now.wrongTriggers, [], `${release} has the triggers and search indexes of this version`)
    for (const [table, rows] of old.rows) {
      const left = now.rows.get(table)
      if (left !== undefined) t.ok(left >= rows, `${release} keeps the ${rows} rows of ${table}`)
    }
    t.equal(existsSync(join(dataDir, 'backups')), old.applied.length < migrations.length, 'a migration makes a copy')
  }
})

t.test('people of every released version log in, and every page that they are led to opens', async (t) => {
  for (const release of releases) {
    const dataDir = newFolder()
    unpackRelease(release, dataDir)
    const { db, secrets, close } = openInstallation(dataDir, releasedAt)
    const config = { ...readConfig({}, { LOG_LEVEL: 'silent', TWO_FACTOR: 'optional' }), dataDir }
    let clock = releasedAt + 3_600_000
    const app = await buildApp({ config, db, secrets, now: () => clock })
    t.teardown(async () => {
      await app.close()
      close()
    })

    const opened = new Set<string>()
    for (const who of Object.keys(cast) as CastName[]) {
      clock += 60_000
      const client = new Client(app)
      const first = await client.logIn(cast[who].email)
      t.equal(first.status, 303, `${who} of ${release} logs in`)
      if (first.location === '/login/second-factor') {
        const sealed = db.$client.prepare('SELECT totp_secret FROM users WHERE email = ?').pluck().get(cast[who].email)
        const secret = Secret.fromBase32(unseal(secrets, String(sealed)))
        const code = new TOTP({ secret }).generate({ timestamp: clock })
        t.equal((await client.submit('/login/second-factor', 'Log in', { code })).status, 303, `${who} has a code`)
      }
      for (const account of [undefined, ...accountsOf(await client.open('/'))]) {
        if (account) await client.switchTo(account)
        await walk(client, (url, { status, title }) => {
          opened.add(url.split('?', 1)[0] ?? url)
          if (status !== 200) t.fail(`${who} of ${release} opens ${url}: ${status} ${title}`)
        })
      }
    }

    // Probes, what only leads on or is led to by a letter, what needs ticked rows or a provider, and the API.
    const others =
      /^\/(\.well-known\/.*|health\/.*|metrics|login.*|password-reset|active-account|unsent-forms|customer|support|profile\/data|profile\/passkeys\/new|profile\/sso.*|partner\/ticked-customers\/.*|customer\/ticked-invitations\/.*|api\/v1\/.*|customer\/account\/export|customer\/log-in\/(people|removal))$/
    const missed = app.routeTable
      .filter(({ method, url }) => method === 'GET' && !/:|^\/assets\//.test(url) && !others.test(url))
      .filter(({ url }) => !opened.has(url))
    t.same(
      missed.map(({ url }) => url),
      [],
      'no page is left out',
    )
  }
})

const failures = [
  {
    title: 'a migration that fails half-way',
    sql: ['DELETE FROM throttles', 'ALTER TABLE users ADD COLUMN colour text', 'DROP TABLE shades'],
    reason: 'no such table: shades',
  },
  {
    title: 'a migration that loses rows',
    sql: ['DELETE FROM recovery_codes WHERE rowid % 2'],
    reason: '5 of 10 rows of recovery_codes would be lost',
  },
  {
    title: 'a migration that leaves rows without what they point to',
    sql: ['UPDATE sessions SET user_id = 4711'],
    reason: 'rows of sessions would point to no row of users',
  },
  {
    title: 'a migration that the disk has no room for',
    sql: ['PRAGMA max_page_count = 1', 'CREATE TABLE larger AS SELECT * FROM records'],
    reason: 'database or disk is full',
  },
]

for (const { title, sql, reason } of failures) {
  t.test(`${title} is undone, and says how to go back`, async (t) => {
    const dataDir = newFolder()
    const old = withMigrations([])
    const wrong = withMigrations([sql])
    unpackRelease('0.1.0', dataDir)
    openDatabase(dataDir, old).close()
    const before = hashOf(join(dataDir, 'panel.db'))
    const copies = () => readdirSync(join(dataDir, 'backups'))
    const earlier = existsSync(join(dataDir, 'backups')) ? copies() : []

    const problem = thrown(() => openDatabase(dataDir, wrong))
    t.type(problem, StartError)
    const [copy = ''] = copies().filter((name) => !earlier.includes(name))
    const file = join(dataDir, 'panel.db')
    t.equal(
      problem.message,
      `The migration failed and was undone: ${reason}. ${file} is as it was: go back to the version that ran before. A copy of it is in ${join(dataDir, 'backups', copy)}.`,
    )
    t.equal(hashOf(file), before, 'byte for byte')
    t.notOk(existsSync(`${file}-wal`), 'nothing waits in a log')
    t.same(look(dataDir), look(dataDir, join('backups', copy)), 'the copy is whole')

    openDatabase(dataDir, old).close()
    t.equal(look(dataDir).applied.length, migrations.length, 'the version before goes on with it')
    openDatabase(dataDir, withMigrations([['ALTER TABLE users ADD COLUMN colour text']])).close()
    t.equal(look(dataDir).applied.length, migrations.length + 1, 'a mended version migrates it')
  })
}

t.test('several migrations are one step: when the second fails, the first is undone too', async (t) => {
  const dataDir = newFolder()
  openDatabase(dataDir).close()
  const before = look(dataDir)
  const second = withMigrations([['CREATE TABLE shades (id integer)'], ['nonsense']])
  t.type(
    thrown(() => openDatabase(dataDir, second)),
    StartError,
  )
  t.same(look(dataDir), before)
})

t.test('a migration may rebuild a table that others point to', async (t) => {
  const dataDir = newFolder()
  unpackRelease('0.1.0', dataDir)
  openDatabase(dataDir).close()
  const before = look(dataDir)
  const rebuild = [
    'PRAGMA foreign_keys = OFF',
    'CREATE TABLE new_imports AS SELECT * FROM imports',
    'DROP TABLE imports',
    'CREATE TABLE imports (id integer PRIMARY KEY, account_id integer)',
    'INSERT INTO imports SELECT id, account_id FROM new_imports',
    'DROP TABLE new_imports',
    'PRAGMA foreign_keys = ON',
  ]
  const { db, close } = openDatabase(dataDir, withMigrations([rebuild]))
  t.equal(db.$client.pragma('foreign_keys', { simple: true }), 1)
  close()
  t.same([...look(dataDir).rows], [...before.rows])
})

t.test(
  'a migration may rebuild each table, as drizzle-kit does for a changed CHECK, and every promise is kept',
  async (t) => {
    const dataDir = newFolder()
    unpackRelease('0.2.0', dataDir)
    openDatabase(dataDir).close()
    const before = look(dataDir)
    for (const table of before.rows.keys()) {
      const sqlite = new Database(join(dataDir, 'panel.db'))
      const parts = sqlite
        .prepare(
          "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('table', 'index') AND sql IS NOT NULL",
        )
        .all(table) as { type: string; sql: string }[]
      sqlite.close()
      const [own = ''] = parts.filter(({ type }) => type === 'table').map(({ sql }) => sql)
      const rebuild = [
        own.replace(/^CREATE TABLE ["`]?\w+["`]?/, `CREATE TABLE __new_${table}`),
        `INSERT INTO __new_${table} SELECT * FROM ${table}`,
        `DROP TABLE ${table}`,
        `ALTER TABLE __new_${table} RENAME TO ${table}`,
        ...parts.filter(({ type }) => type === 'index').map(({ sql }) => sql),
      ]
      const place = newFolder()
      cpSync(join(dataDir, 'panel.db'), join(place, 'panel.db'))
      openDatabase(place, withMigrations([rebuild])).close()
      const after = look(place)
      t.same([...after.rows], [...before.rows], table)
      t.same(after.wrongTriggers, [], table)
    }
  },
)

t.test('search indexes follow what a migration writes', async (t) => {
  const dataDir = newFolder()
  unpackRelease('0.2.0', dataDir)
  const { $client } = openDatabase(dataDir, withMigrations([["UPDATE users SET search = 'quo vadis'"]])).db
  const found = $client.prepare("SELECT count(*) FROM users_index WHERE users_index MATCH 'quo'").pluck().get()
  t.equal(found, $client.prepare('SELECT count(*) FROM users').pluck().get())
  $client.exec("INSERT INTO users_index (users_index, rank) VALUES ('integrity-check', 1)")
})

t.test('a start puts triggers and search indexes right that are missing, changed or not of the panel', async (t) => {
  const changes = {
    missing: 'DROP TRIGGER records_never_go',
    changed:
      "DROP TRIGGER records_never_go; CREATE TRIGGER records_never_go BEFORE DELETE ON records WHEN old.id < 0 BEGIN SELECT RAISE(ABORT, 'no'); END",
    foreign: 'CREATE TRIGGER strange AFTER INSERT ON records BEGIN DELETE FROM sessions; END',
    'without an index': 'DROP TABLE users_index',
    'with another index':
      "DROP TABLE users_index; CREATE VIRTUAL TABLE users_index USING fts5(search, content='users', content_rowid='id')",
  }
  for (const [what, sql] of Object.entries(changes)) {
    const dataDir = newFolder()
    unpackRelease('0.2.0', dataDir)
    openDatabase(dataDir).close()
    const copies = () => readdirSync(join(dataDir, 'backups')).filter((name) => name.endsWith('.db')).length
    const [before, earlier] = [look(dataDir), copies()]
    const sqlite = new Database(join(dataDir, 'panel.db'))
    sqlite.exec(sql)
    sqlite.close()
    t.not(look(dataDir).wrongTriggers.length, 0, what)
    const { db, close } = openDatabase(dataDir)
    t.throws(() => db.$client.exec('DELETE FROM records'), { message: 'records are never deleted' }, what)
    t.ok(db.$client.prepare("SELECT count(*) FROM users_index WHERE users_index MATCH 'acm'").pluck().get(), what)
    close()
    t.same(look(dataDir), before, what)
    t.equal(copies(), earlier + 1, `${what}: a copy from before the upgrade is kept`)
  }
})

t.test('without a copy nothing is migrated', async (t) => {
  const dataDir = newFolder()
  openDatabase(dataDir).close()
  const before = hashOf(join(dataDir, 'panel.db'))
  writeFileSync(join(dataDir, 'backups'), 'in the way')
  t.match(
    thrown(() => openDatabase(dataDir, withMigrations([['CREATE TABLE shades (id integer)']]))),
    {
      constructor: StartError,
      message:
        /^The copy of the database before its migration could not be made in .*backups: .*Nothing was changed\.$/,
    },
  )
  t.equal(hashOf(join(dataDir, 'panel.db')), before)
})

t.test('a database of a newer version is refused, and left as it is', async (t) => {
  const dataDir = newFolder()
  openDatabase(dataDir, withMigrations([['CREATE TABLE shades (id integer)']])).close()
  const before = hashOf(join(dataDir, 'panel.db'))
  const answer = spawnSync(process.execPath, [launch, 'start'], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: '0' },
    encoding: 'utf8',
  })
  t.match(answer, { status: 2, stderr: /^This database was made by a newer version of the panel\. .*\n$/ })
  t.equal(hashOf(join(dataDir, 'panel.db')), before)
  t.notOk(existsSync(join(dataDir, 'backups')))
})

t.test(
  'migrations come in the order of their times, stay as they were released, and leave their transaction alone',
  async (t) => {
    const times = migrations.map(({ folderMillis }) => folderMillis)
    t.same(
      times,
      [...times].sort((one, other) => one - other),
    )
    t.equal(new Set(times).size, times.length)

    for (const release of releases) {
      const dataDir = newFolder()
      unpackRelease(release, dataDir)
      const { applied } = look(dataDir)
      t.same(hashes(migrations).slice(0, applied.length), applied, `those of ${release} are never edited`)
    }

    for (const { sql } of migrations.slice(4))
      for (const statement of sql) t.notMatch(statement, /\b(TRIGGER|VIRTUAL TABLE)\b/i, 'triggers.ts makes them')

    const ends = /^\s*(--.*\n\s*)*(BEGIN|COMMIT|END|ROLLBACK|VACUUM)\b/i
    for (const { sql } of migrations) for (const statement of sql) t.notMatch(statement, ends)
  },
)

t.test('the version has its section in CHANGELOG.md, and each says what an operator must do', async (t) => {
  const sections = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^## /m).slice(1)
  t.ok(sections[0]?.startsWith(`${version} · `), `${version} comes first`)
  for (const release of releases)
    t.ok(
      sections.some((section) => section.startsWith(`${release} · `)),
      release,
    )
  for (const section of sections) {
    t.match(section, /^\d+\.\d+\.\d+(-[\w.]+)? · (\d{4}-\d\d-\d\d|unreleased)\n/)
    t.match(section, /\n\n\*\*An operator must:\*\* \S/)
  }
})

/** The migrations of this version and some more: a folder, as drizzle-kit would leave it. */
function withMigrations(more: string[][]): string {
  const folder = newFolder()
  cpSync(migrationsFolder, folder, { recursive: true })
  const journal = join(folder, 'meta/_journal.json')
  const { entries, ...rest } = JSON.parse(readFileSync(journal, 'utf8'))
  const last = entries.at(-1)
  for (const [index, statements] of more.entries()) {
    const tag = `9${index}_wrong`
    writeFileSync(join(folder, `${tag}.sql`), statements.join(';\n--> statement-breakpoint\n'))
    entries.push({ ...last, idx: entries.length, when: last.when + index + 1, tag })
  }
  writeFileSync(journal, JSON.stringify({ ...rest, entries }))
  return folder
}

/** Opens what a person is led to, each address once, whatever its query. */
async function walk(client: Client, found: (url: string, page: Page) => void): Promise<void> {
  const seen = new Set<string>()
  const ahead = ['/']
  for (let url = ahead.shift(); url !== undefined; url = ahead.shift()) {
    const page = await client.open(url)
    found(url, page)
    const links = page.root.querySelectorAll('a[href^="/"]').map((link) => link.getAttribute('href') ?? '')
    for (const link of links) {
      const path = link.split('?', 1)[0] ?? link
      if (seen.has(path) || link.includes('account=')) continue
      seen.add(path)
      ahead.push(link)
    }
  }
}

function accountsOf(page: Page): string[] {
  return page.root.querySelectorAll('.switcher button[name="account"]').map((one) => one.getAttribute('value') ?? '')
}

function look(dataDir: string, file = 'panel.db') {
  const sqlite = new Database(join(dataDir, file), { readonly: true })
  const count = (table: string) => Number(sqlite.prepare(`SELECT count(*) FROM "${table}"`).pluck().get())
  const found = {
    rows: new Map(
      tablesOf(sqlite)
        .sort()
        .map((table) => [table, count(table)]),
    ),
    applied: sqlite.prepare('SELECT hash FROM __drizzle_migrations ORDER BY created_at').pluck().all(),
    integrity: sqlite.pragma('integrity_check', { simple: true }),
    broken: sqlite.pragma('foreign_key_check'),
    wrongTriggers: findWrongTriggers(sqlite),
  }
  sqlite.close()
  return found
}

function hashes(of: typeof migrations): string[] {
  return of.map(({ hash }) => hash)
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

function thrown(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('Nothing was thrown.')
}
