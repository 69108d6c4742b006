// npm run bench [-- SIZES=1000,100000,1000000]
// How the panel does on many customers, as ratios: each page against the same bytes from a bare server
// and against a page written by hand, and each size against the smallest. Rounds of the panel and its
// references are interleaved, so that what else the machine does falls on all of them. Closes with a
// table, and writes it to bench.json in the folder for temporary files.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { demoPassword } from '../../src/demo.ts'
import type { Client } from '../harness.ts'
import { freePort, startProcess } from '../process.ts'
import { makeData } from './data.ts'
import type { ReferencePage } from './reference.ts'

const sizes = (process.argv[2] ?? '1000,100000,1000000').split(',').map(Number)
const rounds = 15
const each = 40

type Figures = { panel: number[]; bare: number[]; hand: number[] }
type Row = { size: number; page: string; kB: number; p50: number; p99: number; ofBare: number; ofHand: number | null }
type Place = { path: string; who: 'partner' | 'customer' | 'visitor'; sql?: string; values?: (string | number)[] }

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

async function bench(customers: number): Promise<{ rows: Row[]; others: Record<string, string> }> {
  const made = performance.now()
  const dataDir = await makeData(customers)
  const others: Record<string, string> = { 'data set made in': `${((performance.now() - made) / 1000).toFixed(1)} s` }
  const file = join(dataDir, 'panel.db')
  const settings = { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent' }
  const began = performance.now()
  const panel = await startProcess(dataDir, { settings })
  const partner = panel.visit()
  await partner.get('/login')
  others['start until the first page'] = `${((performance.now() - began) / 1000).toFixed(2)} s`
  await partner.logIn('admin-0@bench.example', demoPassword)
  await switchTo(partner, 'bench-partner-0')
  const customer = panel.visit()
  await customer.logIn('user-0-0@bench.example', demoPassword)
  const visitor = panel.visit()
  const clients = { partner, customer, visitor }

  const deep = await deepPage(partner, Math.min(40, customers / 10 / 25 - 1))
  const sqlite = new Database(file, { readonly: true })
  const id = (identifier: string) =>
    sqlite.prepare('SELECT id FROM accounts WHERE identifier = ?').pluck().get(identifier) as number
  const [partnerId, first] = [id('bench-partner-0'), id('bench-0')]
  const ofPartner = 'SELECT * FROM accounts WHERE partner_id = ? ORDER BY created_at DESC, id DESC LIMIT 26'
  const places: Record<string, Place> = {
    'log-in form': { path: '/login', who: 'visitor' },
    customers: { path: '/partner/customers', who: 'partner', sql: ofPartner, values: [partnerId] },
    'customers, deep': { path: deep, who: 'partner', sql: ofPartner, values: [partnerId] },
    'search, common': { path: '/partner/customers?q=haus', who: 'partner', sql: ofPartner, values: [partnerId] },
    'search, rare': {
      path: `/partner/customers?q=bench-${Math.floor(customers / 10) - 1}`,
      who: 'partner',
      sql: 'SELECT * FROM accounts WHERE identifier = ?',
      values: [`bench-${Math.floor(customers / 10) - 1}`],
    },
    'customer users': {
      path: '/partner/customers/bench-0/users',
      who: 'partner',
      sql: 'SELECT users.* FROM memberships JOIN users ON users.id = memberships.user_id WHERE account_id = ? ORDER BY memberships.search LIMIT 26',
      values: [first],
    },
    projects: {
      path: '/projects',
      who: 'customer',
      sql: 'SELECT * FROM projects WHERE account_id = ? AND deleted_at IS NULL ORDER BY id DESC LIMIT 26',
      values: [first],
    },
    history: {
      path: '/customer/history',
      who: 'customer',
      sql: 'SELECT records.*, users.name FROM records LEFT JOIN users ON users.id = records.actor_id WHERE account_id = ? ORDER BY records.id DESC LIMIT 26',
      values: [first],
    },
    switcher: {
      path: '/active-account',
      who: 'partner',
      sql: 'SELECT accounts.* FROM memberships JOIN accounts ON accounts.id = memberships.account_id WHERE user_id = (SELECT id FROM users WHERE email = ?) ORDER BY last_used_at DESC LIMIT 26',
      values: ['admin-0@bench.example'],
    },
  }
  sqlite.close()

  const pages: Record<string, ReferencePage> = {}
  for (const [name, { path, who, ...query }] of Object.entries(places)) {
    const page = await clients[who].get(path)
    if (page.status !== 200) throw new Error(`${path} answers ${page.status}`)
    pages[slug(name)] = { html: page.body, session: '', ...query }
  }
  const pagesFile = join(dataDir, 'pages.json')
  writeFileSync(pagesFile, JSON.stringify(pages))
  const port = await freePort()
  const reference = spawn(
    process.execPath,
    ['--import', 'tsx', new URL('./reference.ts', import.meta.url).pathname, file, String(port), pagesFile],
    { stdio: 'inherit' },
  )
  const base = `http://127.0.0.1:${port}`
  await untilUp(`${base}/bare/customers`)

  const rows: Row[] = []
  for (const [name, { path, who }] of Object.entries(places)) {
    const cookie = cookieOf(clients[who])
    const figures: Figures = { panel: [], bare: [], hand: [] }
    const ratios = { bare: [] as number[], hand: [] as number[] }
    const targets = { panel: panel.url + path, bare: `${base}/bare/${slug(name)}`, hand: `${base}/hand/${slug(name)}` }
    for (const url of Object.values(targets)) for (let n = 0; n < 60; n++) await timed(url, cookie)
    for (let round = 0; round < rounds; round++) {
      const medians = {} as Record<keyof Figures, number>
      for (const target of ['panel', 'bare', 'hand'] as const) {
        const times: number[] = []
        for (let n = 0; n < each; n++) times.push(await timed(targets[target], cookie))
        figures[target].push(...times)
        medians[target] = percentile(times, 0.5)
      }
      ratios.bare.push(medians.bare / medians.panel)
      ratios.hand.push(medians.hand / medians.panel)
    }
    rows.push({
      size: customers,
      page: name,
      kB: Buffer.byteLength(pages[slug(name)]?.html ?? '') / 1000,
      p50: percentile(figures.panel, 0.5),
      p99: percentile(figures.panel, 0.99),
      ofBare: percentile(ratios.bare, 0.5),
      ofHand: places[name]?.sql ? percentile(ratios.hand, 0.5) : null,
    })
  }
  const memory = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${panel.pid}/status`, 'utf8'))?.[1] ?? '0'
  others['memory of the panel'] = `${(Number(memory) / 1024).toFixed(0)} MiB`
  others.database = `${(statSync(file).size / 1e6).toFixed(0)} MB`
  const exported = performance.now()
  const lines = (await partner.get('/partner/customers?download=csv')).body.split('\r\n').length - 2
  others.export = `${Math.round(lines / ((performance.now() - exported) / 1000))} rows a second`
  reference.kill()
  await once(reference, 'exit')
  await panel.stop()
  return { rows, others }
}

async function switchTo(client: Client, identifier: string): Promise<void> {
  const answer = await client.switchTo(identifier)
  if (answer.status !== 303) throw new Error(`cannot work in ${identifier}: ${answer.status}`)
}

async function deepPage(client: Client, pages: number): Promise<string> {
  let path = '/partner/customers'
  for (let n = 0; n < pages; n++) path = (await client.get(path)).link('Next') ?? path
  return path
}

const slug = (name: string) => name.replaceAll(/[^a-z]+/g, '-')
const cookieOf = (client: Client) => [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; ')

/** Milliseconds until the last byte of an answer. */
function timed(url: string, cookie: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const sent = request(url, { agent, headers: { cookie } }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(performance.now() - began))
    })
    sent.on('error', reject)
    sent.end()
  })
}

async function untilUp(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const up = await timed(url, '').then(
      () => true,
      () => false,
    )
    if (up) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the reference does not start')
}

function percentile(some: number[], part: number): number {
  const sorted = [...some].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}

const all: Row[] = []
const notes: Record<string, Record<string, string>> = {}
for (const size of sizes) {
  const { rows, others } = await bench(size)
  all.push(...rows)
  notes[size] = others
}
const smallest = (page: string) => all.find((row) => row.page === page)
const cells = (row: Row) => [
  row.size.toLocaleString('en'),
  row.page,
  `${row.kB.toFixed(1)} kB`,
  `${row.p50.toFixed(2)} ms`,
  `${row.p99.toFixed(2)} ms`,
  `${(row.ofBare * 100).toFixed(0)} %`,
  row.ofHand === null ? '–' : `${(row.ofHand * 100).toFixed(0)} %`,
  (row.p50 / (smallest(row.page)?.p50 ?? row.p50)).toFixed(2),
  (row.p99 / (smallest(row.page)?.p99 ?? row.p99)).toFixed(2),
]
const table = [
  ['customers', 'page', 'size', 'p50', 'p99', 'of bare', 'of hand', 'p50 × smallest', 'p99 × smallest'],
  ...all.map(cells),
]
for (const line of table) console.log(line.map((cell, n) => (n === 1 ? cell.padEnd(18) : cell.padStart(14))).join(' '))
for (const [size, others] of Object.entries(notes))
  console.log(
    `${Number(size).toLocaleString('en')} customers: ${Object.entries(others)
      .map(([what, figure]) => `${what} ${figure}`)
      .join(', ')}`,
  )
writeFileSync(join(tmpdir(), 'bench.json'), JSON.stringify({ rows: all, notes }, null, 2))
