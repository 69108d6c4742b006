import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { cast } from '../../src/demo.ts'
import { castDatabase, newFolder } from '../harness.ts'
import { runCommand, startProcess } from '../process.ts'
import { type Promised, writers } from '../proofs/crash.ts'
import { deadAddress, until } from '../smtp.ts'

t.setTimeout(600_000)

// What an operator would live through: a backup while people work, a crash, and a restore elsewhere.

t.test('a backup made under load is restored after a crash: every row of every table', async (t) => {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  const settings = { TWO_FACTOR: 'optional', SMTP_URL: await deadAddress(), LOG_LEVEL: 'silent' }
  const panel = await startProcess(dataDir, { settings })
  t.teardown(panel.kill)

  const acknowledged: Promised[] = []
  let running = true
  const work = writers.flatMap(([who, , act]) =>
    [0, 1].map(async (n) => {
      const client = panel.visit()
      await client.logIn(cast[who].email)
      for (let step = 0; running; step++) {
        const name = `${act.name.toLowerCase()}-${n}-${step}`
        const done = await act(client, name).catch(() => undefined)
        if (done) acknowledged.push(done)
      }
    }),
  )
  await until('writes', () => acknowledged.length >= 40)
  const before = [...acknowledged]
  const backup = join(newFolder(), 'drill.db')
  t.match(await runCommand(['backup', backup], dataDir).done, { code: 0, err: '' })
  const during = acknowledged.length - before.length
  await until('more writes', () => acknowledged.length >= before.length + during + 10)
  await panel.kill()
  running = false
  await Promise.all(work)
  t.comment(`${before.length} writes before the backup, ${during} while it was made`)
  t.ok(during > 0, 'writing went on during the drill')

  const place = newFolder()
  t.match(await runCommand(['restore', backup], place).done, { code: 0, err: '' })

  const kept = new Database(backup, { readonly: true })
  const restored = new Database(join(place, 'panel.db'), { readonly: true })
  const tables = tablesOf(kept).filter((table) => table !== '__backup')
  t.ok(tables.length > 20)
  t.same(tablesOf(restored), tables, 'the same tables')
  for (const table of tables) {
    const [was, is] = [rowsOf(kept, table), rowsOf(restored, table)]
    if (['sessions', 'throttles', 'password_resets', 'email_changes'].includes(table)) {
      t.same(is, [], `${table} is empty`)
    } else if (table === 'invitation_tokens') {
      t.ok(
        is.every(({ superseded_at }) => superseded_at !== null),
        'every link has ended',
      )
      t.same(without(is, 'superseded_at'), without(was, 'superseded_at'), 'and is otherwise as it was')
    } else if (table === 'letters') {
      const changed = ['state', 'body', 'done_at', 'error'] as const
      t.same(without(is, ...changed), without(was, ...changed), 'the letters are those of the backup')
      t.ok(
        is.every(
          ({ state, invitation_id, error }) =>
            invitation_id === null || (state === 'withdrawn' && /^Not sent: its link ended/.test(String(error))),
        ),
        'and wait no more, and say why',
      )
    } else if (table === 'records') {
      t.same(is.slice(0, -1), was, 'every record')
      t.match(is.at(-1), { kind: 'installation.restored' }, 'and one of the restore')
    } else {
      t.same(is, was, `${table}: ${was.length} rows`)
    }
  }
  const lost = before.filter(({ query, value }) => restored.prepare(query).pluck().get(value) !== 1)
  t.same(lost, [], 'what was acknowledged before the backup began is there')
  const later = acknowledged.slice(-5).filter(({ query, value }) => restored.prepare(query).pluck().get(value) === 1)
  t.same(later, [], 'what came after it is not')
  t.equal(restored.pragma('integrity_check', { simple: true }), 'ok')
  kept.close()
  restored.close()

  const again = await startProcess(place, { settings })
  t.teardown(again.kill)
  const petra = again.visit()
  t.equal((await petra.logIn(cast.petra.email)).status, 303)
  t.match((await petra.get('/partner/customers?q=createcustomer-0-0')).row('createcustomer-0-0'), 'Customer Users')
  await again.stop()
})

function tablesOf(sqlite: Database.Database): string[] {
  return sqlite
    .prepare(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name NOT LIKE 'sqlite_%' ORDER BY 1",
    )
    .pluck()
    .all() as string[]
}

type Row = Record<string, unknown>

function rowsOf(sqlite: Database.Database, table: string): Row[] {
  return sqlite.prepare(`SELECT * FROM "${table}" ORDER BY 1, 2`).all() as Row[]
}

function without(rows: Row[], ...columns: string[]): Row[] {
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name))))
}
