// node test/proofs/fuzz.ts [INPUTS=2000] [SEED]
// Sends seeded nonsense to every route that the running application has, as a visitor and as an
// admin: no 5xx, nothing slower than two seconds, whole HTML, and GET changes nothing. A form has the
// fields that the pages show for its route, so that most of the nonsense reaches what handles it.
import { pathToFileURL } from 'node:url'
import { valid } from 'node-html-parser'
import t, { type Test } from 'tap'
import { throttles } from '../../src/db/schema.ts'
import { type CastName, cast, demoPassword } from '../../src/demo.ts'
import { type Action, policy, type Standing } from '../../src/policy.ts'
import { type Client, type Page, type Panel, startApp, withOptionsEnded } from '../harness.ts'
import { randomFrom } from './random.ts'

export type FuzzReport = {
  requests: number
  seed: number
  /** What the slowest took, in milliseconds of CPU: other programs do not count. */
  slowest: number
  broken: string[]
  /** Of the forms sent by those who may send them: how many got past guard and field names to their handler. */
  handled: { of: number; n: number }
}

/** The fields of a route’s form with the values that its page gives them. */
type FormFields = Map<string, Map<string, string[]>>

const admins: [CastName, Standing][] = [
  ['stella', 'customer admin'],
  ['petra', 'partner admin'],
  ['olga', 'support'],
]

/** In milliseconds of CPU. */
const slow = 2_000

export async function fuzz(t: Test, inputs: number, seed = Date.now() % 1_000_000): Promise<FuzzReport> {
  const panel = await startApp(t)
  const random = randomFrom(seed)
  const report: FuzzReport = { requests: 0, seed, slowest: 0, broken: [], handled: { of: 0, n: 0 } }
  const routes = panel.routes.flatMap(({ method, url, config }) =>
    method === 'HEAD' || url.startsWith('/assets/') ? [] : [{ method, url, action: config?.can as Action }],
  )
  const clients = new Map<CastName | 'visitor', Client>([['visitor', panel.visit()]])
  for (const [who] of admins) clients.set(who, await panel.signIn(who))

  const forms = await readForms(panel, clients)

  for (const method of ['GET', 'POST']) {
    const before = lasting(panel)
    for (const route of routes.filter((one) => one.method === method)) {
      for (let n = 0; n < inputs; n++) {
        const who = n % 2 ? 'visitor' : adminFor(route.action)
        const client = clients.get(who) ?? panel.visit()
        const path = addressOf(route.url, random)
        const input = random() * 2 ** 32
        const timed = async () => {
          const began = process.cpuUsage()
          const answer = await send(client, { method, path, form: forms.get(route.url) }, randomFrom(input))
          const { user, system } = process.cpuUsage(began)
          return { answer, time: (user + system) / 1000 }
        }
        const first = await timed()
        // What else the process does now and then, such as collecting garbage, is not slow twice.
        const { answer, time } = first.time > slow ? await timed() : first
        report.requests++
        if (method === 'POST' && who !== 'visitor') {
          report.handled.of++
          if (wasHandled(answer)) report.handled.n++
        }
        report.slowest = Math.max(report.slowest, time)
        const wrong = whatIsWrong(answer, time)
        if (wrong) report.broken.push(`${who} ${method} ${path}: ${wrong}`)
      }
      await logInAgain(panel, clients)
    }
    if (method === 'GET') report.broken.push(...changes(before, lasting(panel)))
  }
  return report
}

/** Every row but those that a request may touch without a change: who is here, and who tries. */
function lasting(panel: Panel): Record<string, unknown[]> {
  const { sessions, throttles, users, ...rest } = panel.rows()
  return { ...rest, users: users?.map((user) => ({ ...(user as object), last_seen_at: null })) ?? [] }
}

type Rows = ReturnType<typeof lasting>

function changes(before: Rows, after: Rows): string[] {
  return Object.keys(after).flatMap((table) => {
    const old = new Set(before[table]?.map((row) => JSON.stringify(row)))
    const other = after[table]?.map((row) => JSON.stringify(row)).find((row) => !old.has(row))
    const gone = (before[table]?.length ?? 0) > (after[table]?.length ?? 0)
    return other || gone ? [`a GET has changed ${table}: ${other ?? 'a row has gone'}`] : []
  })
}

function adminFor(action: Action): CastName {
  const standings: readonly Standing[] = policy[action]
  return admins.find(([, standing]) => standings.includes(standing))?.[0] ?? 'stella'
}

const known: Record<string, string[]> = {
  ':customer': ['acme', 'initech', 'umbrella'],
  ':identifier': ['acme', 'cloudhaus'],
  ':project': ['website', 'shop'],
  ':user': ['1', '2', '4', '5'],
  ':request': ['1'],
  ':import': ['1', '2'],
  ':key': ['cores', 'ram'],
}

function addressOf(url: string, random: () => number): string {
  const path = url.replaceAll(/:\w+/g, (name) =>
    random() < 0.6 ? pick(known[name] ?? ['1'], random) : encodeBadly(nonsense(random), random),
  )
  if (random() < 0.6) return path
  const names = ['q', 'page', 'next', 'find', 'invited', 'from', 'until', 'person', 'family', '__proto__', 'q[]', '']
  const query = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
    return `${pick(names, random)}=${encodeBadly(nonsense(random), random)}`
  })
  return `${path}?${query.join('&')}`
}

/** Opens every page and notes the fields of its forms, by the route that they are sent to. */
async function readForms(panel: Panel, clients: Map<CastName | 'visitor', Client>): Promise<FormFields> {
  const posts = panel.routes.flatMap(({ method, url }) =>
    method === 'POST' ? [{ url, pattern: new RegExp(`^${url.replaceAll(/:\w+/g, '[^/]+')}$`) }] : [],
  )
  const forms: FormFields = new Map()
  for (const { method, url } of panel.routes) {
    if (method !== 'GET' || url.startsWith('/assets/')) continue
    const path = url.replaceAll(/:\w+/g, (name) => known[name]?.[0] ?? '1')
    for (const client of clients.values()) {
      const page = await client.get(path)
      for (const form of page.root.querySelectorAll('form[method="post"][action], button[formaction]')) {
        // What only opens a page.
        if (form.closest('form')?.getAttribute('method') === 'get') continue
        const action = page.address(form.getAttribute('formaction') ?? form.getAttribute('action'))
        const route = posts.find(({ pattern }) => pattern.test(action))
        if (!route) throw new Error(`${path} has a form that no route takes: ${action}`)
        const fields = forms.get(route.url) ?? new Map<string, string[]>()
        for (const field of [form, ...form.querySelectorAll('input, select, textarea, button')]) {
          const name = field.getAttribute('name')?.split('.')[0] ?? ''
          if (name === '' || name.startsWith('_')) continue
          const values = field.querySelectorAll('option').map((option) => option.getAttribute('value') ?? option.text)
          fields.set(name, [...(fields.get(name) ?? []), ...values, field.getAttribute('value') ?? ''].slice(0, 20))
        }
        forms.set(route.url, fields)
      }
    }
  }
  return forms
}

/** It was no guard and no unknown field that answered. */
function wasHandled({ status, text }: Page): boolean {
  return status < 400 || status === 422 || status === 409 || (status === 404 && text !== '')
}

async function send(
  client: Client,
  { method, path, form }: { method: string; path: string; form: Map<string, string[]> | undefined },
  random: () => number,
): Promise<Page> {
  if (method === 'GET') return client.get(path)
  if (random() < 0.1) return client.postRaw(path, raw(random), { 'content-type': contentType(random) })
  let page = await client.get('/active-account')
  if (page.status !== 200) page = await client.get('/login')
  const hidden = (name: string) => page.root.querySelector(`input[name="${name}"]`)?.getAttribute('value')
  const meta = {
    _csrf: hidden('_csrf') ?? '',
    _account: random() < 0.9 ? (hidden('_account') ?? '') : nonsense(random),
  }
  const fields = Object.entries(meta).map(([name, value]) => `${name}=${encodeBadly(value, () => 1)}`)
  for (const [name, values] of form ?? []) {
    if (random() < 0.1) continue
    const sensible = pick([...values, plausible[name] ?? 'Somebody'], random)
    fields.push(`${name}=${random() < 0.5 ? encodeURIComponent(sensible) : encodeBadly(nonsense(random), random)}`)
    if (random() < 0.03) fields.push(`${name}=again`)
  }
  if (random() < 0.05) fields.push(`${encodeBadly(nonsense(random), random)}=1`)
  return client.postRaw(path, fields.join('&'))
}

/** What a person would type. */
const plausible: Record<string, string> = {
  projects: '3',
  email: 'somebody@acme.example',
  adminEmail: 'somebody@acme.example',
  identifier: 'fuzzed',
}

const oddities = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  'a\udc00b',
  '\u202eevil',
  '\u200b',
  'é\u0301'.repeat(60),
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'; DROP TABLE users; --",
  '<%= it %>',
  '../../../etc/passwd',
  '-1',
  '1e400',
  '0x10',
  '٣',
  '999999999999999999999',
  'NaN',
  'Infinity',
  'x'.repeat(5_000),
  '%',
  '%zz',
  '%c3%28',
  '\r\nSet-Cookie: a=b',
  '👩‍👩‍👧‍👦'.repeat(30),
  '[]',
  '{"a":1}',
]

function nonsense(random: () => number): string {
  if (random() < 0.7) return pick(oddities, random)
  return String.fromCharCode(...Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 65_536)))
}

/** As a browser encodes it, or not: a lone surrogate has no encoding, and bytes need not be UTF-8. */
function encodeBadly(text: string, random: () => number): string {
  if (random() < 0.1)
    return Array.from(
      { length: 5 },
      () =>
        `%${Math.floor(random() * 256)
          .toString(16)
          .padStart(2, '0')}`,
    ).join('')
  if (random() < 0.05) return '%E0%A4%A'
  try {
    return encodeURIComponent(text)
  } catch {
    return '%ED%A0%80'
  }
}

function raw(random: () => number): string {
  if (random() < 0.1) return `name=${'x'.repeat(1_000_000)}`
  if (random() < 0.2) return '&='.repeat(300)
  return nonsense(random)
}

function contentType(random: () => number): string {
  return pick(
    [
      'application/x-www-form-urlencoded',
      'application/json',
      'multipart/form-data',
      'text/plain',
      'application/x-www-form-urlencoded; charset=utf-16',
      'nonsense',
    ],
    random,
  )
}

function whatIsWrong(answer: Page, time: number): string | undefined {
  // The queue of the password hashes may be full: it says so, and when to come back.
  if (answer.status >= 500 && answer.status !== 503) return `answered ${answer.status}`
  if (time > slow) return `took ${time.toFixed(0)} ms of CPU`
  const type = String(answer.response.headers['content-type'] ?? '')
  if (!type.startsWith('text/html')) return undefined
  if (!valid(withOptionsEnded(answer.body))) return 'sent broken HTML'
  if (/\[object |SqliteError|node_modules|>undefined</.test(answer.body)) return 'shows something of the inside'
  return undefined
}

/** Some inputs end sessions; the throttle is not what is tried here. */
async function logInAgain(panel: Panel, clients: Map<CastName | 'visitor', Client>): Promise<void> {
  panel.db.delete(throttles).run()
  for (const [who] of admins) {
    const client = clients.get(who) ?? panel.visit()
    if ((await client.get('/active-account')).status === 200) continue
    client.cookies.clear()
    await client.logIn(cast[who].email, demoPassword)
    clients.set(who, client)
  }
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('there is nothing to pick from')
  return item
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [inputs = '2000', seed] = process.argv.slice(2)
  t.setTimeout(0)
  t.test('nonsense to every route', async (t) => {
    const report = await fuzz(t, Number(inputs), seed === undefined ? undefined : Number(seed))
    t.comment(
      `seed ${report.seed}: ${report.requests} requests, the slowest took ${report.slowest.toFixed(0)} ms of CPU`,
    )
    t.comment(`${report.handled.n} of ${report.handled.of} forms of admins reached their handler`)
    t.same(report.broken.slice(0, 50), [])
  })
}
