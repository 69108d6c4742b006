// node test/bench/peers/peers.ts [CUSTOMERS [ROUNDS]], by default 100000 customers and 6 rounds.
// The panel beside programs that people use for the same: better-auth (npm) with its organizations, and Django’s admin where
// Debian’s packages python3-django and gunicorn are installed. Each has the same accounts and users, runs in one process,
// and is asked in turn: for so many pages at 16 connections, and for one at a time. What they show and check differs, so the
// figures say what a page or an act of each costs, not which code is better.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../../../src/config.ts'
import { freePort } from '../../process.ts'
import { closedLoop, median, send, type Target } from '../load.ts'
import { setStage } from '../stage.ts'

const [size, rounds] = [Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? 6)]
const here = fileURLToPath(new URL('.', import.meta.url))
const connections = 16
const inTurn = 15
const together = 96

type Peer = { name: string; target: Target; expected: number }
type Place = { name: string; peers: Peer[] }
type Started = { url: string; cookie: string; form: string; child: ChildProcess }

const installed = install()
const stage = await setStage(size)
const peers = [await betterAuth(), await django()].filter((peer) => peer !== undefined)
try {
  for (const { name, peers } of places()) await measure(name, peers)
} finally {
  for (const { child } of peers) child.kill()
  await stage.stop()
}

/** Outside of the tests: packages bring tests of their own. */
function install(): string {
  const folder = join(root, 'dist/peers')
  mkdirSync(folder, { recursive: true })
  for (const file of ['package.json', 'package-lock.json', 'better-auth.mjs'])
    copyFileSync(join(here, file), join(folder, file))
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' })
  return folder
}

/** What is comparable: a session, a list of 50, a search, and three acts. */
function places(): Place[] {
  const panel = (name: string, at: string, change: Partial<Target> = {}): Peer => {
    const target = stage.targets[at]?.panel
    if (!target) throw new Error(at)
    return { name, target: { ...target, ...change }, expected: target.form ? 303 : 200 }
  }
  const of50 = '/partner/customers?size=50'
  const [auth, admin] = [peers[0], peers[1]]
  const ofAuth = (path: string, body?: (n: number) => object): Peer[] =>
    auth
      ? [
          {
            name: 'better-auth',
            expected: 200,
            target: {
              url: () => `${auth.url}/api/auth/${path}`,
              cookie: auth.cookie,
              headers: () => ({ origin: auth.url }),
              ...(body && { json: (n: number) => JSON.stringify(body(n)) }),
            },
          },
        ]
      : []
  const ofAdmin = (query: string, form?: (n: number) => Record<string, string>): Peer[] =>
    admin
      ? [
          {
            name: 'Django admin',
            expected: form ? 302 : 200,
            target: {
              url: () => `${admin.url}/admin/admin/account/${query}`,
              cookie: admin.cookie,
              ...(form && {
                form: (n: number) => String(new URLSearchParams({ csrfmiddlewaretoken: admin.form, ...form(n) })),
              }),
            },
          },
        ]
      : []
  const account = (n: number) => ({ name: `New Customer ${n}`, identifier: `peer-${n}`, kind: 'customer' })
  return [
    {
      name: 'a small page, or who asks',
      peers: [panel('panel, projects', 'projects'), ...ofAuth('get-session')],
    },
    {
      name: 'a list of 50',
      peers: [
        panel('panel, customers', 'customers', { url: () => stage.panel.url + of50 }),
        ...ofAuth('organization/list-members?limit=50'),
        ...ofAdmin(''),
      ],
    },
    {
      name: 'a search',
      peers: [
        panel('panel, customers', 'search, common', { url: () => `${stage.panel.url}${of50}&q=haus` }),
        ...ofAdmin('?q=haus'),
      ],
    },
    {
      name: 'create an account',
      peers: [
        panel('panel', 'create customer'),
        ...ofAuth('organization/create', (n) => ({ name: account(n).name, slug: account(n).identifier })),
        ...ofAdmin('add/', (n) => ({
          ...account(n),
          search: account(n).name,
          sort_key: account(n).name,
          created_at: '1',
        })),
      ],
    },
    {
      name: 'invite somebody',
      peers: [
        panel('panel, with its e-mail', 'invite'),
        ...ofAuth('organization/invite-member', (n) => ({ email: `peer-${n}@guest.example`, role: 'member' })),
      ],
    },
  ]
}

async function measure(name: string, peers: Peer[]): Promise<void> {
  const figures = new Map(peers.map((peer) => [peer, { alone: [] as number[], rate: [] as number[], bytes: 0 }]))
  for (let round = -1; round < rounds; round++)
    for (const peer of peers) {
      const from = (round + 1) * (inTurn + together)
      const answers = await closedLoop(peer.target, inTurn, from)
      const began = performance.now()
      answers.push(...(await manyTogether(peer.target, from + inTurn)))
      const rate = together / ((performance.now() - began) / 1000)
      const wrong = answers.find(({ status }) => status !== peer.expected)
      if (wrong) throw new Error(`${name}: ${peer.name} answers ${wrong.status}`)
      // The first round warms up.
      if (round < 0) continue
      figures.get(peer)?.alone.push(median(answers.slice(0, inTurn).map(({ time }) => time)))
      figures.get(peer)?.rate.push(rate)
    }
  const [first] = figures.values()
  for (const [peer, { alone, rate }] of figures) {
    const times = median((first?.rate ?? []).map((panel, round) => panel / (rate[round] ?? Number.NaN)))
    console.log(
      `${name.padEnd(26)} ${peer.name.padEnd(24)} ${median(alone).toFixed(2).padStart(8)} ms alone ${median(rate).toFixed(0).padStart(7)}/s at ${connections} connections, ${times.toFixed(2)} × as many by the panel`,
    )
  }
}

/** So many requests, at most 16 at once. */
async function manyTogether(target: Target, from: number) {
  let n = from
  const answers: Awaited<ReturnType<typeof send>>[] = []
  const oneAfterAnother = async () => {
    while (n < from + together) answers.push(await send(target, n++))
  }
  await Promise.all(Array.from({ length: connections }, oneAfterAnother))
  return answers
}

async function betterAuth(): Promise<Started> {
  const port = await freePort()
  const child = spawn(process.execPath, [join(installed, 'better-auth.mjs'), stage.file, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const started = await saidBy(child, port)
  // It acts in an organization that is chosen first.
  const answer = await fetch(`${started.url}/api/auth/organization/set-active`, {
    method: 'POST',
    headers: { cookie: started.cookie, origin: started.url, 'content-type': 'application/json' },
    body: JSON.stringify({ organizationSlug: 'bench-partner-0' }),
  })
  if (!answer.ok) throw new Error(await answer.text())
  return started
}

async function django(): Promise<Started | undefined> {
  const [python, ...args] = ['/usr/bin/python3', '-m', 'gunicorn']
  if (spawnSync(python, ['-c', 'import django, gunicorn']).status !== 0) {
    console.log('Django is left out: install Debian’s packages python3-django and gunicorn.')
    return undefined
  }
  const port = await freePort()
  const options = ['--workers', '1', '--log-level', 'error', '--bind', `127.0.0.1:${port}`, '--chdir', here]
  const child = spawn(python, [...args, ...options, 'admin_site:application'], {
    env: { ...process.env, PANEL_DATABASE: stage.file, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return await saidBy(child, port)
}

/** What a peer prints once it can be asked. */
function saidBy(child: ChildProcess, port: number): Promise<Started> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`a peer ended with ${code}`)))
    child.stdout?.once('data', (line) =>
      resolve({ form: '', ...JSON.parse(String(line)), url: `http://127.0.0.1:${port}`, child }),
    )
  })
}
