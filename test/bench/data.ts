import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { chainRecords } from '../../src/db/chaining.ts'
import { searchText, sortKey } from '../../src/db/fold.ts'
import { dropTriggers, makeTriggers } from '../../src/db/triggers.ts'
import { castDatabase, newFolder } from '../harness.ts'

/**
 * A database folder with the cast, 100 partners and so many customers, the same each time: the first
 * partner owns a tenth of them; each has two users, two projects and five records. Its partner’s admin
 * logs in as admin-0@bench.example, and the admin of customer 0 as user-0-0@bench.example, with the
 * cast’s password. What is newer has a later time, as in a real panel. Everything is written in bulk:
 * triggers and indexes are made again afterwards.
 */
export async function makeData(customers: number): Promise<string> {
  const folder = newFolder()
  const file = join(folder, 'panel.db')
  copyFileSync(await castDatabase(), file)
  const sqlite = new Database(file)
  sqlite.pragma('journal_mode = OFF')
  sqlite.pragma('synchronous = OFF')
  sqlite.pragma('foreign_keys = OFF')
  sqlite.pragma('cache_size = -400000')

  dropTriggers(sqlite)
  const later = sqlite
    .prepare(
      "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type = 'index' AND sql NOT LIKE 'CREATE UNIQUE%'",
    )
    .all() as { name: string; sql: string }[]
  for (const { name } of later) sqlite.exec(`DROP INDEX "${name}"`)

  const hash = sqlite.prepare('SELECT password_hash FROM users LIMIT 1').pluck().get() as string
  const top = (table: string) => sqlite.prepare(`SELECT coalesce(max(id), 0) FROM ${table}`).pluck().get() as number
  const [account, user, project] = [top('accounts'), top('users'), top('projects')]
  const partners = 100
  const now = Date.now()
  sqlite.function('word', { deterministic: true }, (n: unknown) => words[Number(n) % words.length] ?? '')
  sqlite.function('search_text', { deterministic: true }, (name, other) => searchText(String(name), String(other)))
  sqlite.function('sort_key', { deterministic: true }, (name) => sortKey(String(name)))
  const fill = (sql: string, values: Record<string, number | string>) => sqlite.prepare(sql).run(values)
  const upTo = (n: string) => `WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n + 1 < ${n})`
  const base = { account, user, project, partners, customers, now, hash, firstCustomer: account + partners }

  const run = sqlite.transaction(() => {
    fill(
      `${upTo('@partners')} INSERT INTO accounts (id, kind, name, identifier, search, created_at)
       SELECT @account + n + 1, 'partner', 'Partner ' || n, 'bench-partner-' || n, 'partner ' || n || char(10) || 'bench-partner-' || n, @now FROM i`,
      base,
    )
    fill(
      `${upTo('@customers')}, named AS (SELECT n, word(n * 7919) || ' ' || word(n * 104729 + 7) || ' ' || n AS name FROM i)
       INSERT INTO accounts (id, kind, name, identifier, search, partner_id, created_at)
       SELECT @firstCustomer + n + 1, 'customer', name, 'bench-' || n, lower(name) || char(10) || 'bench-' || n,
         @account + 1 + CASE WHEN n < @customers / 10 THEN 0 ELSE 1 + n % (@partners - 1) END, @now - (@customers - n) * 1000 FROM named`,
      base,
    )
    // The partners' admins, and two users a customer.
    fill(
      `${upTo('@partners')} INSERT INTO users (id, email, email_key, name, search, password_hash, created_at)
       SELECT @user + n + 1, 'admin-' || n || '@bench.example', 'admin-' || n || '@bench.example', 'Admin ' || n,
         'admin ' || n || char(10) || 'admin-' || n || '@bench.example', @hash, @now - (@customers + @partners - n) * 1000 FROM i`,
      base,
    )
    fill(
      `${upTo('@customers * 2')} INSERT INTO users (id, email, email_key, name, search, password_hash, created_at)
       SELECT @user + @partners + n + 1, 'user-' || (n / 2) || '-' || (n % 2) || '@bench.example', 'user-' || (n / 2) || '-' || (n % 2) || '@bench.example',
         word(n) || ' User', lower(word(n)) || ' user' || char(10) || 'user-' || (n / 2) || '-' || (n % 2) || '@bench.example', @hash, @now - (@customers * 2 - n) * 500 FROM i`,
      base,
    )
    const member = 'INSERT INTO memberships (account_id, user_id, role, search, created_at, last_used_at)'
    fill(
      `${upTo('@partners')} ${member} SELECT @account + n + 1, @user + n + 1, 'admin', 'admin ' || n || char(10) || 'admin-' || n || '@bench.example', @now - (@customers + @partners - n) * 1000, @now - n FROM i`,
      base,
    )
    fill(
      `${upTo('@customers * 2')} ${member} SELECT @firstCustomer + n / 2 + 1, @user + @partners + n + 1, CASE n % 2 WHEN 0 THEN 'admin' ELSE 'member' END,
         lower(word(n)) || ' user' || char(10) || 'user-' || (n / 2) || '-' || (n % 2) || '@bench.example', @now - (@customers * 2 - n) * 500, @now - n FROM i`,
      base,
    )
    // The first partner's admin works in many customers: what the switcher has to bear.
    fill(
      `${upTo('min(10000, @customers / 10)')} INSERT INTO memberships (account_id, user_id, role, from_partner, search, created_at, last_used_at)
       SELECT @firstCustomer + n + 1, @user + 1, 'admin', 1, 'admin 0' || char(10) || 'admin-0@bench.example', @now - (@customers - n) * 1000, @now - n - 1 FROM i`,
      base,
    )
    fill(
      `${upTo('@customers * 2')} INSERT INTO projects (id, account_id, name, identifier, search, created_at)
       SELECT @project + n + 1, @firstCustomer + n / 2 + 1, 'Project ' || (n % 2), 'project-' || (n % 2), 'project ' || n % 2 || char(10) || 'project-' || (n % 2), @now - (@customers * 2 - n) * 500 FROM i`,
      base,
    )
    fill(
      `${upTo('@customers * 2')} INSERT INTO project_access (account_id, project_id, user_id, role, search, created_at)
       SELECT @firstCustomer + n / 2 + 1, @project + n + 1, @user + @partners + (n / 2) * 2 + 1, 'admin', '', @now - (@customers * 2 - n) * 500 FROM i`,
      base,
    )
    fill(
      `${upTo('@customers * 5')} INSERT INTO records (at, kind, account_id, actor_id, actor_account_id, by_support, change)
       SELECT @now - (@customers * 5 - n) * 200, 'account.renamed', @firstCustomer + n / 5 + 1, @user + @partners + (n / 5) * 2 + 1, @firstCustomer + n / 5 + 1, 0, '{"name":["Before","After"]}' FROM i`,
      base,
    )
    for (const [table, other] of [
      ['accounts', 'identifier'],
      ['projects', 'identifier'],
      ['users', 'email'],
    ])
      sqlite.exec(`UPDATE ${table} SET search = search_text(name, ${other}), sort_key = sort_key(name)`)
    for (const copy of ['memberships', 'project_access'])
      sqlite.exec(
        `UPDATE ${copy} SET (search, sort_key) = (SELECT search, sort_key FROM users WHERE id = ${copy}.user_id)`,
      )
    chainRecords(sqlite)
    for (const { sql } of later) sqlite.exec(sql)
    makeTriggers(sqlite)
  })
  run()
  sqlite.pragma('journal_mode = WAL')
  sqlite.close()
  return folder
}

/** Names are made of these; the last is rare on purpose, since so few numbers meet it. */
const words = [
  'Harbour',
  'Northwind',
  'Müller',
  'Sonnenhaus',
  'Atelier',
  'Blue',
  'Granit',
  'Lumen',
  'Ostsee',
  'Panorama',
  'Quartz',
  'Riverside',
  'Söderberg',
  'Tannen',
  'Union',
  'Vento',
  'Waldhaus',
  'Xenon',
  'Ypsilon',
  'Zenith',
  'Acorn',
  'Birch',
  'Cedar',
]
