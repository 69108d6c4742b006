import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { cast, demoPassword } from '../../src/demo.ts'
import type { Client } from '../harness.ts'
import { freePort, type PanelProcess, startProcess } from '../process.ts'
import { makeData } from './data.ts'
import { send, type Target } from './load.ts'
import { formOf, type Place, places, type Who } from './places.ts'
import type { Reference } from './reference.ts'

export type Targets = { panel: Target; bare: Target; hand: Target }

/** A panel and its references, at work on data of one size. */
export type Stage = {
  size: number
  panel: PanelProcess
  /** Its database. */
  file: string
  clients: Record<Who, Client>
  targets: Record<string, Targets & { place: Place; bytes: number }>
  /** Milliseconds until the data was made, and from the start of the process until the first page. */
  madeIn: number
  firstPageAfter: number
  database: () => number
  memory: () => number
  stop: () => Promise<void>
}

/** So many projects are kept ready for each of the panel and its reference, to give access to. */
const spare = 5_000

/** Makes the data, and starts a panel and its references on it. */
export async function setStage(size: number): Promise<Stage> {
  const making = performance.now()
  const dataDir = await makeData(size)
  const madeIn = performance.now() - making
  const file = join(dataDir, 'panel.db')
  const ids = prepare(file)

  const starting = performance.now()
  // The first backup would be made beside what is measured.
  const settings = { TWO_FACTOR: 'optional', LOG_LEVEL: 'silent', BACKUP_EVERY_HOURS: '0' }
  const panel = await startProcess(dataDir, { settings })
  await panel.visit().get('/login')
  const firstPageAfter = performance.now() - starting
  countNoMail(file)

  const clients = {
    partner: await logIn(panel, 'admin-0@bench.example', 'bench-partner-0'),
    // Its customers lie among those of others.
    scattered: await logIn(panel, 'admin-5@bench.example', 'bench-partner-5'),
    support: await logIn(panel, cast.olga.email),
    customer: await logIn(panel, 'user-0-0@bench.example'),
    other: await logIn(panel, 'user-1-0@bench.example'),
    visitor: panel.visit(),
  }
  const at = Buffer.from(JSON.stringify(['customers', 'created', 'after', ids.deep.created, ids.deep.id]))
  const all = places(size, ids, `/partner/customers?at=${at.toString('base64url')}`)

  const references: Record<string, Reference> = {}
  const forms: Record<string, Record<string, string>> = {}
  for (const [name, place] of Object.entries(all)) {
    const page = await clients[place.who].get(place.path)
    if (page.status !== 200) throw new Error(`${place.path} answers ${page.status}`)
    references[slug(name)] = { html: page.body, place }
    if (!place.button) continue
    const { form } = page.form(place.button)
    const value = (field: string) => form.querySelector(`input[name="${field}"]`)?.getAttribute('value') ?? ''
    forms[name] = { _csrf: value('_csrf'), _account: value('_account') }
  }
  const placesFile = join(dataDir, 'places.json')
  writeFileSync(placesFile, JSON.stringify(references))
  const port = await freePort()
  const reference = spawn(
    process.execPath,
    [new URL('./reference.ts', import.meta.url).pathname, file, String(port), placesFile],
    { stdio: 'inherit' },
  )
  const base = `http://127.0.0.1:${port}`
  await untilUp(base, reference)

  const targets = Object.entries(all).map(([name, place]) => {
    const cookie = [...clients[place.who].cookies].map((pair) => pair.join('=')).join('; ')
    const { act } = place
    const bytes = Buffer.byteLength(references[slug(name)]?.html ?? '')
    const reference = (kind: string): Target => ({
      url: () => `${base}/${kind}/${slug(name)}`,
      cookie,
      ...(act ? { form: (n) => String(new URLSearchParams({ ...forms[name], ...formOf(act, n, ids).fields })) } : {}),
    })
    const own: Target = act
      ? {
          url: (n) => panel.url + formOf(act, n, ids).path,
          cookie,
          form: (n) =>
            String(new URLSearchParams({ ...forms[name], _once: `${name} ${n}`, ...formOf(act, n, ids).fields })),
        }
      : { url: () => panel.url + place.path, cookie }
    return [name, { panel: own, bare: reference('bare'), hand: reference('hand'), place, bytes }]
  })

  return {
    size,
    panel,
    file,
    clients,
    targets: Object.fromEntries(targets),
    madeIn,
    firstPageAfter,
    database: () => statSync(file).size,
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${panel.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    stop: async () => {
      const ended = once(reference, 'exit')
      reference.kill()
      await ended
      await panel.stop()
    },
  }
}

/** Invitations are counted, and never too many. A start removes triggers that are not the panel’s, so this comes after it. */
function countNoMail(file: string): void {
  const sqlite = new Database(file)
  sqlite.exec(
    "CREATE TRIGGER bench_forgets AFTER INSERT ON throttles WHEN new.key LIKE 'mail %' BEGIN DELETE FROM throttles WHERE key = new.key; END",
  )
  sqlite.close()
}

/** What the places need to know of the data; and projects to give access to, in the account of customer 1. */
function prepare(file: string) {
  const sqlite = new Database(file)
  const id = (sql: string, ...values: (string | number)[]) =>
    sqlite
      .prepare(sql)
      .pluck()
      .get(...values) as number
  const account = (identifier: string) => id('SELECT id FROM accounts WHERE identifier = ?', identifier)
  const [partner, scattered] = [account('bench-partner-0'), account('bench-partner-5')]
  const [customer, other] = [account('bench-0'), account('bench-1')]
  const user = id("SELECT id FROM users WHERE email_key = 'user-1-1@bench.example'")
  const project = sqlite.prepare(
    'INSERT INTO projects (account_id, name, identifier, search, created_at) VALUES (?, ?, ?, ?, 1)',
  )
  sqlite.transaction(() => {
    for (let n = 0; n < spare; n++)
      for (const whose of ['spare', 'hand']) project.run(other, `${whose} ${n}`, `${whose}-${n}`, `${whose} ${n}`)
  })()
  const own = id('SELECT count(*) FROM accounts WHERE partner_id = ?', partner)
  const deep = sqlite
    .prepare(
      'SELECT created_at AS created, id FROM accounts WHERE partner_id = ? ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?',
    )
    .get(partner, Math.floor(own / 2)) as { created: number; id: number }
  sqlite.close()
  return { partner, scattered, customer, deep, user }
}

async function logIn(panel: PanelProcess, email: string, account?: string): Promise<Client> {
  const client = panel.visit()
  await client.logIn(email, demoPassword)
  const answer = account ? await client.switchTo(account) : undefined
  if (answer && answer.status !== 303) throw new Error(`cannot work in ${account}: ${answer.status}`)
  return client
}

const slug = (name: string) => name.replaceAll(/[^a-z]+/g, '-')

async function untilUp(base: string, reference: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 400 && reference.exitCode === null; tries++) {
    const up = await send({ url: () => `${base}/`, cookie: '' }).then(
      () => true,
      () => false,
    )
    if (up) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the reference does not start')
}
