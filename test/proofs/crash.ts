// node test/proofs/crash.ts [ROUNDS=300] [SEED]
// Kills a panel at random moments under 16 writers, again and again: no write that was answered is
// lost, and the database is whole each time.
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Database from 'better-sqlite3'
import { type CastName, cast } from '../../src/demo.ts'
import { type Client, castDatabase, newFolder } from '../harness.ts'
import { type PanelProcess, startProcess } from '../process.ts'
import { deadAddress, pause } from '../smtp.ts'
import { randomFrom } from './random.ts'

export type CrashReport = {
  rounds: number
  seed: number
  acknowledged: number
  /** What was promised and did not hold; empty when all is well. */
  broken: string[]
  /** Milliseconds from the start of the process until its first page, per round. */
  restarts: number[]
}

/** What a writer was told is done: a query that must find one row. */
export type Promised = { query: string; value: string }

/** How many of the 16 do what. */
export const writers: [CastName, number, (client: Client, name: string) => Promise<Promised | undefined>][] = [
  ['petra', 5, createCustomer],
  ['stella', 5, invite],
  ['stella', 3, createProject],
  ['ines', 3, rename],
]

export async function crash(rounds: number, seed = Date.now() % 1_000_000): Promise<CrashReport> {
  const random = randomFrom(seed)
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  // A mail server that is not there, so that letters are tried all the while.
  const settings = { TWO_FACTOR: 'optional', SMTP_URL: await deadAddress(), LOG_LEVEL: 'silent' }
  const report: CrashReport = { rounds, seed, acknowledged: 0, broken: [], restarts: [] }
  const promised: Promised[] = []
  let cookies: Map<string, string>[] | undefined

  for (let round = 0; round < rounds && report.broken.length === 0; round++) {
    const began = performance.now()
    const panel = await startProcess(dataDir, { settings })
    report.restarts.push(performance.now() - began)
    const clients = await logIn(panel, cookies)
    cookies = clients.map((client) => client.cookies)
    let running = true
    const work = clients.map(async (client, n) => {
      const [, , act] = writerOf(n)
      for (let step = 0; running; step++) {
        const done = await act(client, `r${round}-w${n}-s${step}`).catch(() => undefined)
        if (done) promised.push(done)
      }
    })
    await pause(50 + random() * 400)
    await panel.kill()
    running = false
    await Promise.all(work)
    report.broken.push(...check(join(dataDir, 'panel.db'), promised))
  }
  report.acknowledged = promised.length
  rmSync(dataDir, { recursive: true, force: true })
  return report
}

function writerOf(n: number) {
  const all = writers.flatMap((writer) => Array.from({ length: writer[1] }, () => writer))
  const writer = all[n]
  if (!writer) throw new Error(`there is no writer ${n}`)
  return writer
}

/** In the first round through the form; later the sessions, which outlive every crash, go on. */
async function logIn(panel: PanelProcess, cookies: Map<string, string>[] | undefined): Promise<Client[]> {
  const clients: Client[] = []
  for (let n = 0; n < 16; n++) {
    const client = panel.visit()
    const known = cookies?.[n]
    if (known) for (const [name, value] of known) client.cookies.set(name, value)
    else await client.logIn(cast[writerOf(n)[0]].email)
    clients.push(client)
  }
  return clients
}

async function createCustomer(client: Client, name: string): Promise<Promised | undefined> {
  const answer = await client.submit('/partner/customers', 'Create customer', { name, identifier: name })
  return answer.status === 303
    ? { query: "SELECT count(*) FROM accounts WHERE identifier = ? AND kind = 'customer'", value: name }
    : undefined
}

async function invite(client: Client, name: string): Promise<Promised | undefined> {
  const email = `${name}@acme.example`
  const answer = await client.submit('/customer/users', 'Invite', { name, email })
  return answer.status === 303 ? { query: 'SELECT count(*) FROM invitations WHERE email = ?', value: email } : undefined
}

async function createProject(client: Client, name: string): Promise<Promised | undefined> {
  const answer = await client.submit('/projects', 'Create project', { name, identifier: name })
  return answer.status === 303
    ? { query: 'SELECT count(*) FROM projects WHERE identifier = ?', value: name }
    : undefined
}

async function rename(client: Client, name: string): Promise<Promised | undefined> {
  const answer = await client.submit('/profile', 'Save name', { name })
  return answer.status === 303
    ? { query: 'SELECT count(*) FROM personal_changes WHERE "after" = ?', value: name }
    : undefined
}

/** What must hold in the file after every crash. */
function check(file: string, promised: Promised[]): string[] {
  const sqlite = new Database(file)
  const one = (sql: string, ...values: string[]) =>
    sqlite
      .prepare(sql)
      .pluck()
      .get(...values)
  const broken: string[] = []
  const none = (what: string, sql: string) => {
    const count = one(sql)
    if (count !== 0) broken.push(`${count} ${what}`)
  }
  if (one('PRAGMA integrity_check') !== 'ok') broken.push('integrity_check')
  if (sqlite.prepare('PRAGMA foreign_key_check').all().length > 0) broken.push('foreign_key_check')
  none(
    'invitations without a letter',
    'SELECT count(*) FROM invitations i WHERE NOT EXISTS (SELECT 1 FROM letters l WHERE l.invitation_id = i.id)',
  )
  none(
    'accounts without a record',
    "SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.account_id = a.id AND r.kind = 'account.created')",
  )
  none(
    'invitations without a record',
    "SELECT count(*) FROM invitations i WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.invitation_id = i.id AND r.kind = 'invitation.sent')",
  )
  none(
    'projects without a record or a Project Admin',
    `SELECT count(*) FROM projects p WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.project_id = p.id AND r.kind = 'project.created')
      OR NOT EXISTS (SELECT 1 FROM project_access a WHERE a.project_id = p.id AND a.role = 'admin')`,
  )
  const queries = new Map<string, Database.Statement>()
  for (const { query, value } of promised) {
    const statement = queries.get(query) ?? sqlite.prepare(query).pluck()
    queries.set(query, statement)
    if (statement.get(value) !== 1) broken.push(`lost or doubled: ${value}`)
  }
  sqlite.close()
  return broken
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [rounds = '300', seed] = process.argv.slice(2)
  const report = await crash(Number(rounds), seed === undefined ? undefined : Number(seed))
  const sorted = [...report.restarts].sort((a, b) => a - b)
  console.log(`seed ${report.seed}: ${report.restarts.length} crashes, ${report.acknowledged} writes acknowledged`)
  console.log(
    `start until the first page: median ${sorted[sorted.length >> 1]?.toFixed(0)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms`,
  )
  console.log(
    report.broken.length > 0 ? `BROKEN: ${report.broken.join('; ')}` : 'nothing was lost, the database is whole',
  )
  process.exit(report.broken.length > 0 ? 1 : 0)
}
