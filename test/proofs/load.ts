// node test/proofs/load.ts [SECONDS=60] [PER_SECOND=200]
// 100 partners, 20,000 customers and 200,000 users; 85 % reads, 14 % writes and 1 % log-ins come at a
// fixed rate, whether the panel keeps up or not: no 5xx, and 99 of 100 answered within 150 ms.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Database from 'better-sqlite3'
import { demoPassword } from '../../src/demo.ts'
import { type Client, castDatabase, newFolder, type Page } from '../harness.ts'
import { startProcess } from '../process.ts'
import { deadAddress, pause } from '../smtp.ts'
import { randomFrom } from './random.ts'

export type Load = { seconds: number; perSecond: number; partners: number; customersEach: number; usersEach: number }

export type LoadReport = {
  /** Milliseconds from when a request was due until it was answered, by kind. */
  times: Map<string, number[]>
  /** Answers of 4xx or 5xx, and requests without an answer. */
  failed: number
}

type Workers = { visit: () => Client; partners: Client[]; customers: Client[]; random: () => number }
type Act = [kind: string, weight: number, act: (workers: Workers, n: number) => Promise<Page>]

/** What is done, out of a hundred times. */
const acts: Act[] = [
  ['customers', 20, ({ partners }, n) => of(partners, n).get('/partner/customers')],
  ['customers, by name', 10, ({ partners }, n) => of(partners, n).get('/partner/customers?sort=name&size=50')],
  ['customers, search', 10, ({ partners }, n) => of(partners, n).get(`/partner/customers?q=${n % 10}`)],
  [
    'customer users',
    10,
    ({ partners }, n) => of(partners, n).get(`/partner/customers/customer-${n % partners.length}-${n % 10}/users`),
  ],
  ['projects', 15, ({ customers }, n) => of(customers, n).get('/projects')],
  ['users', 10, ({ customers }, n) => of(customers, n).get('/customer/users')],
  ['history', 5, ({ customers }, n) => of(customers, n).get('/customer/history')],
  ['home', 5, ({ customers }, n) => of(customers, n).get('/')],
  [
    'create customer',
    5,
    ({ partners }, n) => post(of(partners, n), '/partner/customers', { name: `New ${n}`, identifier: `new-${n}` }),
  ],
  [
    'create project',
    5,
    ({ customers }, n) => post(of(customers, n), '/projects', { name: `New ${n}`, identifier: `new-${n}` }),
  ],
  [
    'invite',
    4,
    ({ customers }, n) =>
      post(of(customers, n), '/customer/users', { name: 'Guest', email: `guest-${n}@x.example`, role: 'member' }),
  ],
  [
    'log in',
    1,
    async (workers, n) =>
      (await logIn(workers, `user-${n % workers.partners.length}-${n % 10}-1@customer.example`)).get('/'),
  ],
]

/** Runs the load on a panel of its own. Open loop: a request is sent when it is due, whatever came of those before. */
export async function load(wanted: Load): Promise<LoadReport> {
  const dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  fill(join(dataDir, 'panel.db'), wanted)
  const settings = {
    TWO_FACTOR: 'optional',
    SMTP_URL: await deadAddress(),
    LOG_LEVEL: 'silent',
    TRUST_PROXY: '127.0.0.1,::1',
  }
  const panel = await startProcess(dataDir, { settings })
  const workers: Workers = { visit: panel.visit, partners: [], customers: [], random: randomFrom(1) }
  for (let n = 0; n < Math.min(20, wanted.partners); n++) {
    workers.partners.push(await logIn(workers, `admin-${n}@partner.example`))
    workers.customers.push(await logIn(workers, `user-${n}-${n % 10}-0@customer.example`))
  }

  const report: LoadReport = { times: new Map(acts.map(([kind]) => [kind, []])), failed: 0 }
  const wheel = acts.flatMap((act) => Array.from({ length: act[1] }, () => act))
  const pending: Promise<void>[] = []
  const began = performance.now()
  for (let n = 0; n < wanted.seconds * wanted.perSecond; n++) {
    const due = began + (n * 1_000) / wanted.perSecond
    const wait = due - performance.now()
    if (wait > 0) await pause(wait)
    const [kind, , act] = of(wheel, Math.floor(workers.random() * wheel.length))
    pending.push(
      act(workers, n).then(
        ({ status }) => {
          if (status >= 400) report.failed++
          report.times.get(kind)?.push(performance.now() - due)
        },
        () => {
          report.failed++
        },
      ),
    )
  }
  await Promise.all(pending)
  await panel.stop()
  return report
}

function of<Item>(items: Item[], n: number): Item {
  const item = items[n % items.length]
  if (item === undefined) throw new Error('there is none')
  return item
}

/** Each from an address of its own, so that the throttle does not take the load for an attack. */
async function logIn({ visit, random }: Workers, email: string): Promise<Client> {
  const client = visit()
  const from = { 'x-forwarded-for': `10.${Math.floor(random() * 255)}.${Math.floor(random() * 255)}.1` }
  const page = await client.get('/login', from)
  await send(client, page, { path: '/login', fields: { email, password: demoPassword }, headers: from })
  return client
}

async function post(client: Client, path: string, fields: Record<string, string>): Promise<Page> {
  return send(client, await client.get(path), { path, fields })
}

function send(
  client: Client,
  page: Page,
  { path, fields, headers = {} }: { path: string; fields: Record<string, string>; headers?: Record<string, string> },
): Promise<Page> {
  const hidden = (name: string) => /value="([^"]*)"/.exec(page.body.split(`name=${name}`)[1] ?? '')?.[1] ?? ''
  const account = hidden('_account')
  const all = { _csrf: hidden('_csrf'), ...(account ? { _account: account } : {}), ...fields }
  return client.postRaw(path, new URLSearchParams(all).toString(), headers)
}

/** Writes the accounts, users and memberships, everybody with the cast’s password. */
function fill(file: string, { partners, customersEach, usersEach }: Load): void {
  const sqlite = new Database(file)
  const hash = sqlite.prepare('SELECT password_hash FROM users LIMIT 1').pluck().get()
  const user = sqlite.prepare(
    'INSERT INTO users (email, email_key, name, search, password_hash, created_at) VALUES (?, ?, ?, ?, ?, 1)',
  )
  const account = sqlite.prepare(
    'INSERT INTO accounts (kind, name, identifier, search, partner_id, created_at) VALUES (?, ?, ?, ?, ?, 1)',
  )
  const member = sqlite.prepare(
    'INSERT INTO memberships (account_id, user_id, role, created_at, last_used_at) VALUES (?, ?, ?, 1, 1)',
  )
  const addUser = (email: string, name: string) =>
    user.run(email, email, name, `${name.toLowerCase()}\n${email}`, hash).lastInsertRowid
  sqlite.transaction(() => {
    for (let p = 0; p < partners; p++) {
      const partnerId = account.run('partner', `Partner ${p}`, `partner-${p}`, `partner ${p}`, null).lastInsertRowid
      member.run(partnerId, addUser(`admin-${p}@partner.example`, `Admin ${p}`), 'admin')
      for (let c = 0; c < customersEach; c++) {
        const [name, identifier] = [`Customer ${p} ${c}`, `customer-${p}-${c}`]
        const id = account.run(
          'customer',
          name,
          identifier,
          `${name.toLowerCase()}\n${identifier}`,
          partnerId,
        ).lastInsertRowid
        for (let u = 0; u < usersEach; u++)
          member.run(id, addUser(`user-${p}-${c}-${u}@customer.example`, `User ${u}`), u === 0 ? 'admin' : 'member')
      }
    }
  })()
  sqlite.close()
}

function percentile(some: number[], part: number): number {
  const sorted = [...some].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [seconds = '60', perSecond = '200'] = process.argv.slice(2)
  const size = { partners: 100, customersEach: 200, usersEach: 10 }
  const { times, failed } = await load({ seconds: Number(seconds), perSecond: Number(perSecond), ...size })
  const all = [...times.values()].flat()
  console.log('kind'.padEnd(22), 'requests', '  p50 ms', '  p95 ms', '  p99 ms')
  for (const [kind, some] of [...times, ['all', all] as const])
    console.log(
      kind.padEnd(22),
      String(some.length).padStart(8),
      ...[0.5, 0.95, 0.99].map((part) => percentile(some, part).toFixed(1).padStart(8)),
    )
  console.log(`${failed} answers of 4xx or 5xx, or none`)
  process.exit(failed > 0 || percentile(all, 0.99) > 150 ? 1 : 0)
}
