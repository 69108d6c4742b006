import { randomUUID } from 'node:crypto'
import Database from 'better-sqlite3'
import { findTokenViewer } from '../../src/accounts/data/membership.ts'
import { openToRead } from '../../src/db/open.ts'
import { isApiToken, newApiToken } from '../../src/people/tokens/token.ts'
import { hashToken } from '../../src/secrets.ts'
import { closedLoop, median, type Target } from './load.ts'
import type { Stage } from './stage.ts'

// What programs cost beside people: the API beside the page that shows the same, what a token’s check takes, and pages while webhooks
// have much to send.

const rounds = 8
const each = 40
const waiting = 10_000

/** A token may ask 60 times at once: so many take turns. */
const tokens = 40

const account = '/api/v1/accounts/bench-partner-0'
const pairs = {
  'list of 50': [`${account}/customers?limit=50`, '/partner/customers?size=50'],
  'single read': [`${account}/customers/bench-0`, '/partner/customers/bench-0'],
} as const

/** The API’s time over the page’s for each pair; the check of a token in microseconds; pages with deliveries over without. */
export async function besidePages({ panel, file, clients: { partner } }: Stage) {
  const made = makeTokens(file)
  const cookie = [...partner.cookies].map((pair) => pair.join('=')).join('; ')
  const page = (path: string): Target => ({ url: () => panel.url + path, cookie })
  const program = (path: string): Target => ({
    url: () => panel.url + path,
    cookie: '',
    headers: (n) => ({ authorization: `Bearer ${made[n % made.length]}` }),
  })
  let asked = 0
  const timed = async (target: Target) => {
    const answers = await closedLoop(target, each, asked)
    asked += each
    const wrong = answers.find(({ status }) => status !== 200)
    if (wrong) throw new Error(`${target.url(0)} answers ${wrong.status}`)
    return median(answers.map(({ time }) => time))
  }

  const ratios = new Map<string, number>()
  for (const [name, [operation, path]] of Object.entries(pairs)) {
    const parts: number[] = []
    for (let n = 0; n < rounds; n++) parts.push((await timed(program(operation))) / (await timed(page(path))))
    ratios.set(name, median(parts))
  }

  for (const path of ['/partner/customers', '/customer/webhooks']) {
    const parts: number[] = []
    await timed(page(path))
    for (let n = 0; n < rounds; n++) {
      // After as large a write: the panel reads its file again after another process has changed it.
      addDeliveries(file)()
      const without = await timed(page(path))
      const remove = addDeliveries(file)
      parts.push((await timed(page(path))) / without)
      remove()
    }
    ratios.set(`${path} with ${waiting} deliveries`, median(parts))
  }
  return { ...Object.fromEntries(ratios), 'token check, µs': tokenCheck(file, made[0] ?? '') }
}

/** Tokens of the first partner’s admin. The panel is at work meanwhile: they are rows like those that it writes. */
function makeTokens(file: string): string[] {
  const sqlite = new Database(file)
  const insert = sqlite.prepare(
    `INSERT INTO api_tokens (hash, last_four, user_id, account_id, name, scopes, networks, created_at, expires_at)
     SELECT ?, ?, users.id, accounts.id, 'bench', 'customers:read', '', ?, ? FROM users, accounts
     WHERE users.email_key = 'admin-0@bench.example' AND accounts.identifier = 'bench-partner-0'`,
  )
  const all = Array.from({ length: tokens }, () => newApiToken('person'))
  sqlite.transaction(() => {
    for (const token of all) insert.run(hashToken(token), token.slice(-4), Date.now(), Date.now() + 30 * 86_400_000)
  })()
  sqlite.close()
  return all
}

/** Deliveries of an address that has its next turn in a day, so that nothing leaves. Returns what takes them away. */
function addDeliveries(file: string): () => void {
  const sqlite = new Database(file)
  const tomorrow = Date.now() + 86_400_000
  sqlite.transaction(() => {
    const { lastInsertRowid: id } = sqlite
      .prepare(
        `INSERT INTO webhooks (account_id, url, events, secret, created_at, next_at)
         SELECT id, 'https://bench.example/', '*', '', ?, ? FROM accounts WHERE identifier = 'bench-partner-0'`,
      )
      .run(Date.now(), tomorrow)
    const insert = sqlite.prepare(
      `INSERT INTO deliveries (webhook_id, message_id, type, body, created_at, due_at) VALUES (?, ?, 'project.created', '{}', ?, ?)`,
    )
    for (let n = 0; n < waiting; n++) insert.run(id, randomUUID(), Date.now(), tomorrow)
  })()
  return () => {
    sqlite.exec('DELETE FROM deliveries; DELETE FROM webhooks')
    sqlite.close()
  }
}

/** What the panel does before each operation, in this process: the form, the hash, and the look-up of everything that decides. */
function tokenCheck(file: string, token: string): number {
  const { db, close } = openToRead(file)
  const check = () => isApiToken(token) && findTokenViewer(db, { hash: hashToken(token), host: 'localhost' })
  if (!check()) throw new Error('the token is not found')
  const parts: number[] = []
  for (let n = 0; n < 50; n++) {
    const began = performance.now()
    for (let one = 0; one < 200; one++) check()
    parts.push(((performance.now() - began) / 200) * 1_000)
  }
  close()
  return median(parts)
}
