// node test/proofs/replica.ts [ROUNDS=50] [SEED] [SLICES=8]
// Loses a machine again and again: kills a panel and its Litestream under writers, removes the data folder, and restores
// the replica into an empty place. No write that was answered a second before is lost, and the database is whole. Then
// compares how long pages take with a replica and without, in turns.
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Database from 'better-sqlite3'
import { cast } from '../../src/demo.ts'
import { castDatabase, newFolder } from '../harness.ts'
import { type PanelProcess, runCommand, startProcess } from '../process.ts'
import { deadAddress, pause } from '../smtp.ts'
import { type Promised, writers } from './crash.ts'
import { randomFrom } from './random.ts'

type Answered = Promised & { at: number }

export type ReplicaReport = {
  seed: number
  rounds: number
  acknowledged: number
  /** Writes that were answered and are gone, and by how many milliseconds before the end the oldest of each round. */
  lost: number
  oldestLost: number[]
  /** What was promised and did not hold; empty when all is well. */
  broken: string[]
}

export const settingsFor = async (replica: string | undefined) => ({
  TWO_FACTOR: 'optional',
  SMTP_URL: await deadAddress(),
  LOG_LEVEL: 'silent',
  BACKUP_EVERY_HOURS: '0',
  ...(replica === undefined ? {} : { REPLICATE_TO: `file://${replica}` }),
})

export async function loseMachines(rounds: number, seed = Date.now() % 1_000_000): Promise<ReplicaReport> {
  const random = randomFrom(seed)
  const replica = newFolder()
  const settings = await settingsFor(replica)
  const report: ReplicaReport = { seed, rounds: 0, acknowledged: 0, lost: 0, oldestLost: [], broken: [] }
  let dataDir = newFolder()
  copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
  let kept: Answered[] = []

  for (let round = 0; round < rounds && report.broken.length === 0; round++) {
    const panel = await startProcess(dataDir, { settings })
    const answered = await work(
      panel,
      `r${round}`,
      () => eventually('the replica', () => isReplicated(panel)),
      1_500 + random() * 1_500,
    )
    const killedAt = await loseMachine(panel, dataDir)
    const secrets = join(newFolder(), 'secrets')
    copyFileSync(join(dataDir, 'secrets'), secrets)
    rmSync(dataDir, { recursive: true })

    dataDir = join(newFolder(), 'new')
    mkdirSync(dataDir)
    copyFileSync(secrets, join(dataDir, 'secrets'))
    const restored = await runCommand(['restore', '--from', `file://${replica}`], dataDir, '', settings).done
    if (restored.code !== 0) report.broken.push(`round ${round}: ${restored.err}`)
    else {
      const there = check(join(dataDir, 'panel.db'), [...kept, ...answered], report.broken)
      const lost = answered.filter((one) => !there.has(one))
      for (const one of kept.filter((one) => !there.has(one))) report.broken.push(`lost later: ${one.value}`)
      report.lost += lost.length
      if (lost.length > 0) report.oldestLost.push(killedAt - Math.min(...lost.map(({ at }) => at)))
      kept = [...kept, ...answered].filter((one) => there.has(one))
    }
    report.rounds += 1
    report.acknowledged += answered.length
  }
  for (const time of report.oldestLost)
    if (time > 1_000) report.broken.push(`a write was lost ${time.toFixed(0)} ms after it was answered`)
  rmSync(dataDir, { recursive: true, force: true })
  return report
}

/** Waits until something that takes a while to look at is so. */
export async function eventually<Result>(
  what: string,
  look: () => Promise<Result | undefined | false>,
): Promise<Result> {
  for (let tries = 0; tries < 1_200; tries++) {
    const seen = await look()
    if (seen) return seen
    await pause(100)
  }
  throw new Error(`Timed out waiting for ${what}`)
}

export async function isReplicated({ url }: PanelProcess): Promise<boolean> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const [, lag] = /^meshpanel_replica_lag_seconds (\S+)$/m.exec(metrics) ?? []
  return Number(lag ?? -1) >= 0
}

/** Lets writers work until the panel is ready and for a time longer. Returns what was answered, and when. */
async function work(
  panel: PanelProcess,
  name: string,
  ready: () => Promise<unknown>,
  time: number,
): Promise<Answered[]> {
  const answered: Answered[] = []
  const clients = await Promise.all(
    writers.map(async ([who]) => {
      const client = panel.visit()
      await client.logIn(cast[who].email)
      return client
    }),
  )
  await ready()
  clients.forEach(async (client, n) => {
    const [, , act] = writers[n] ?? []
    for (let step = 0; act; step++) {
      const done = await act(client, `${name}-w${n}-s${step}`).catch(() => null)
      if (done === null) return
      if (done) answered.push({ ...done, at: Date.now() })
    }
  })
  await pause(time)
  return answered
}

/** As a machine goes that loses its power: the panel and Litestream at once. Returns when. */
export async function loseMachine(panel: PanelProcess, dataDir: string): Promise<number> {
  const litestream = Number(readFileSync(join(dataDir, 'replica/litestream.pid'), 'utf8'))
  process.kill(litestream, 'SIGKILL')
  const at = Date.now()
  await panel.kill()
  await pause(50)
  return at
}

function check(file: string, answered: Answered[], broken: string[]): Set<Answered> {
  const sqlite = new Database(file, { readonly: true })
  try {
    if (sqlite.pragma('integrity_check', { simple: true }) !== 'ok') broken.push('integrity_check')
    return new Set(answered.filter(({ query, value }) => sqlite.prepare(query).pluck().get(value) === 1))
  } finally {
    sqlite.close()
  }
}

/** How long pages take, in milliseconds: the 99th percentile without and with a replica, of slices in turns. */
export async function comparePages(slices: number): Promise<{ without: number; with: number; ratio: number }> {
  const times: Record<'without' | 'with', number[]> = { without: [], with: [] }
  for (let slice = 0; slice < slices; slice++)
    for (const kind of slice % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)) {
      const dataDir = newFolder()
      copyFileSync(await castDatabase(), join(dataDir, 'panel.db'))
      const panel = await startProcess(dataDir, {
        settings: await settingsFor(kind === 'with' ? newFolder() : undefined),
      })
      if (kind === 'with') await eventually('the replica', () => isReplicated(panel))
      times[kind].push(...(await pagesOf(panel)))
      await panel.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  const p99 = (all: number[]) => all.sort((one, other) => one - other)[Math.floor(all.length * 0.99)] ?? 0
  const [without, withIt] = [p99(times.without), p99(times.with)]
  return { without, with: withIt, ratio: withIt / without }
}

/** 600 pages; ten in a hundred follow a write. */
async function pagesOf(panel: PanelProcess): Promise<number[]> {
  const petra = panel.visit()
  await petra.logIn(cast.petra.email)
  const times: number[] = []
  for (let n = -50; n < 600; n++) {
    if (n % 10 === 0)
      await petra.submit('/partner/customers', 'Create customer', { name: `n${n + 50}`, identifier: `n${n + 50}` })
    const began = performance.now()
    await petra.get('/partner/customers')
    // The first pages of a process warm it up.
    if (n >= 0) times.push(performance.now() - began)
    await pause(2)
  }
  return times
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [rounds = '50', seed, slices = '8'] = process.argv.slice(2)
  const report = await loseMachines(Number(rounds), seed === undefined ? undefined : Number(seed))
  const longest = Math.max(0, ...report.oldestLost)
  console.log(
    `seed ${report.seed}: ${report.rounds} machines lost, ${report.acknowledged} writes acknowledged, ${report.lost} lost, the oldest ${longest.toFixed(0)} ms before the end`,
  )
  console.log(report.broken.length > 0 ? `BROKEN: ${report.broken.join('; ')}` : 'each database was whole')
  const pages = await comparePages(Number(slices))
  console.log(
    `pages, p99: ${pages.without.toFixed(1)} ms without a replica, ${pages.with.toFixed(1)} ms with one: ${pages.ratio.toFixed(2)} times`,
  )
  process.exit(report.broken.length > 0 ? 1 : 0)
}
