// node --import tsx test/proofs/load.ts [SECONDS=60] [PER_SECOND=200]
// 100 partners, 20,000 customers and 200,000 users; 85 % reads, 14 % writes and 1 % log-ins come at a
// fixed rate, whether the panel keeps up or not: no 5xx, and 99 of 100 answered within 150 ms.
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { demoPassword } from '../../src/demo.ts'
import { type Client, castDatabase, newFolder, type Page } from '../harness.ts'
import { startProcess } from '../process.ts'
import { deadAddress, pause } from '../smtp.ts'
import { randomFrom } from './random.ts'

const seconds = Number(process.argv[2] ?? 60)
const perSecond = Number(process.argv[3] ?? 200)
const partners = 100
const customersEach = 200
const usersEach = 10
const random = randomFrom(1)

const dataDir = newFolder()
copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
fill(join(dataDir, 'panel.db'))
const panel = await startProcess(dataDir, {
  settings: {
    TWO_FACTOR: 'optional',
    SMTP_URL: await deadAddress(),
    LOG_LEVEL: 'silent',
    TRUST_PROXY: '127.0.0.1,::1',
  },
})

// Twenty partners and twenty customers’ admins work at once.
const partnerClients = await Promise.all(Array.from({ length: 20 }, (_, n) => logIn(`admin-${n}@partner.example`)))
const customerClients = await Promise.all(
  Array.from({ length: 20 }, (_, n) => logIn(`user-${n}-${n}-0@customer.example`)),
)

type Act = [kind: string, weight: number, act: (n: number) => Promise<Page>]
const acts: Act[] = [
  ['customers', 20, (n) => partner(n).get('/partner/customers')],
  ['customers, page 3', 10, (n) => partner(n).get('/partner/customers?page=3')],
  ['customers, search', 10, (n) => partner(n).get(`/partner/customers?q=${n % customersEach}`)],
  ['customer users', 10, (n) => partner(n).get(`/partner/customers/customer-${n % 20}-${n % customersEach}/users`)],
  ['projects', 15, (n) => customer(n).get('/projects')],
  ['users', 10, (n) => customer(n).get('/customer/users')],
  ['history', 5, (n) => customer(n).get('/customer/history')],
  ['home', 5, (n) => customer(n).get('/')],
  ['create customer', 5, (n) => post(partner(n), '/partner/customers', { name: `New ${n}`, identifier: `new-${n}` })],
  ['create project', 5, (n) => post(customer(n), '/projects', { name: `New ${n}`, identifier: `new-${n}` })],
  [
    'invite',
    4,
    (n) => post(customer(n), '/customer/users', { name: 'Guest', email: `guest-${n}@x.example`, role: 'member' }),
  ],
  ['log in', 1, async (n) => (await logIn(`user-${n % 50}-${n % 100}-1@customer.example`)).get('/')],
]
const wheel = acts.flatMap((act) => Array.from({ length: act[1] }, () => act))

const times = new Map<string, number[]>()
let failed = 0
const pending: Promise<void>[] = []
const began = performance.now()
for (let n = 0; n < seconds * perSecond; n++) {
  const due = began + (n * 1_000) / perSecond
  const wait = due - performance.now()
  if (wait > 0) await pause(wait)
  const [kind, , act] = wheel[Math.floor(random() * wheel.length)] ?? missing()
  pending.push(
    // Open loop: the time counts from when the request was due, not from when it was sent.
    act(n).then(
      (page) => {
        if (page.status >= 400) failed++
        times.set(kind, [...(times.get(kind) ?? []), performance.now() - due])
      },
      () => {
        failed++
      },
    ),
  )
}
await Promise.all(pending)

const all = [...times.values()].flat()
console.log('kind'.padEnd(22), 'requests', '  p50 ms', '  p95 ms', '  p99 ms')
for (const [kind, some] of [...times, ['all', all] as const])
  console.log(
    kind.padEnd(22),
    String(some.length).padStart(8),
    ...[0.5, 0.95, 0.99].map((part) => percentile(some, part).toFixed(1).padStart(8)),
  )
console.log(`${failed} answers of 4xx or 5xx, or none`)
await panel.stop()
rmSync(dataDir, { recursive: true, force: true })
process.exit(failed > 0 || percentile(all, 0.99) > 150 ? 1 : 0)

function partner(n: number): Client {
  return partnerClients[n % partnerClients.length] ?? missing()
}

function customer(n: number): Client {
  return customerClients[n % customerClients.length] ?? missing()
}

/** Each from an address of its own, so that the throttle does not take the load for an attack. */
async function logIn(email: string): Promise<Client> {
  const client = panel.visit()
  const from = { 'x-forwarded-for': `10.${Math.floor(random() * 255)}.${Math.floor(random() * 255)}.1` }
  const page = await client.get('/login', from)
  await send(client, page, '/login', { email, password: demoPassword }, from)
  return client
}

async function post(client: Client, path: string, fields: Record<string, string>): Promise<Page> {
  return send(client, await client.get(path), path, fields)
}

function send(client: Client, page: Page, path: string, fields: Record<string, string>, headers = {}): Promise<Page> {
  const hidden = (name: string) => /value="([^"]*)"/.exec(page.body.split(`name="${name}"`)[1] ?? '')?.[1] ?? ''
  const account = hidden('_account')
  const all = { _csrf: hidden('_csrf'), ...(account ? { _account: account } : {}), ...fields }
  return client.postRaw(path, new URLSearchParams(all).toString(), headers)
}

/** Writes the accounts, users and memberships, everybody with the cast’s password. */
function fill(file: string): void {
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

function missing(): never {
  throw new Error('there is none')
}
