// npm run bench [-- SIZES [ROUNDS]], by default 1000,100000,1000000 customers and 12 rounds.
// How the panel does on many customers, as ratios within a round: each page against the same bytes from a
// bare server and against a page written by hand, and each size against the smallest. In a round each
// place is asked of all panels and references in turn, so that what else the machine does falls on all.
// “As browsers” is the rate of a page sent with Brotli, of its rate as it is; “stall” is the longest time for which the panel did
// nothing else, the machine’s own pauses and the 10 ms between two looks included. Of a form, “of commit” compares the whole request with a bare commit of the same rows, and “write” the
// panel's transactions alone (those of letters too) as its metrics tell them.
// Closes with a table, and writes it to bench.json in the folder for temporary files.
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bulk } from './bulk.ts'
import { closedLoop, median, openLoop, percentile } from './load.ts'
import { besidePages } from './programs.ts'
import { type Stage, setStage } from './stage.ts'

const sizes = (process.argv[2] ?? '1000,100000,1000000').split(',').map(Number)
const rounds = Number(process.argv[3] ?? 12)
const each = 30
const warm = 40

type Ratios = {
  hand: number[]
  bare: number[]
  browsers: number[]
  handOpen: number[]
  commit: number[]
  write: number[]
  smallest: number[]
  smallest99: number[]
}
type Figures = Ratios & { times: number[]; open: number[]; stall: number[] }
const newFigures = (): Figures => ({
  hand: [],
  bare: [],
  browsers: [],
  handOpen: [],
  commit: [],
  write: [],
  smallest: [],
  smallest99: [],
  times: [],
  open: [],
  stall: [],
})

/** Asks every stage for one place, once in each loop; what is measured goes to the stage's figures. */
async function round(name: string, stages: Stage[], figures: Map<Stage, Figures>, from: number): Promise<void> {
  const first: { closed: number[]; open: number[] } = { closed: [], open: [] }
  for (const stage of stages) {
    const targets = stage.targets[name]
    const figure = figures.get(stage)
    if (!targets || !figure) throw new Error(name)
    const expected = targets.place.act ? 303 : 200
    const times = {} as Record<'panel' | 'bare' | 'hand', number[]>
    let committed: number[] = []
    const before = await metricsOf(stage)
    let written = Number.NaN
    for (const target of ['panel', 'bare', 'hand'] as const) {
      const answers = await closedLoop(targets[target], each, from)
      const wrong = answers.find(({ status }) => status !== expected)
      if (wrong) throw new Error(`${name} at ${stage.size}: ${target} answers ${wrong.status}`)
      times[target] = answers.map(({ time }) => time)
      if (target === 'panel') {
        const after = await metricsOf(stage)
        written = ((after.seconds - before.seconds) / (after.count - before.count)) * 1_000
        figure.stall.push(after.stall * 1_000)
      }
      if (target === 'hand') committed = answers.map(({ committed }) => committed)
    }
    if (!targets.place.act) {
      const compressed = await closedLoop({ ...targets.panel, encoding: 'br' }, each, from)
      figure.browsers.push(median(times.panel) / median(compressed.map(({ time }) => time)))
    }
    // Half of what the panel bears, for the panel and the page by hand alike.
    const pace = median(times.panel) * 2
    const open = await openLoop(targets.panel, each, pace, from + each)
    const byHand = await openLoop(targets.hand, each, pace, from + each)
    figure.times.push(...times.panel)
    figure.open.push(...open)
    figure.hand.push(median(times.hand) / median(times.panel))
    figure.handOpen.push(median(byHand) / median(open))
    figure.bare.push(median(times.bare) / median(times.panel))
    if (targets.place.act) {
      figure.commit.push(median(committed) / median(times.panel))
      figure.write.push(mean(committed) / written)
    }
    if (first.closed.length === 0) Object.assign(first, { closed: times.panel, open })
    figure.smallest.push(median(times.panel) / median(first.closed))
    figure.smallest99.push(percentile(open, 0.99) / percentile(first.open, 0.99))
  }
}

const mean = (some: number[]) => some.reduce((sum, one) => sum + one, 0) / some.length

/** How many write transactions a panel has made, how long they took, and the longest stall since it was asked last, in seconds. */
async function metricsOf({ panel }: Stage): Promise<{ seconds: number; count: number; stall: number }> {
  const metrics = await (await fetch(`${panel.url}/metrics`)).text()
  const value = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(metrics)?.[1])
  return {
    seconds: value('meshpanel_write_seconds_sum'),
    count: value('meshpanel_write_seconds_count'),
    stall: value('nodejs_eventloop_lag_max_seconds'),
  }
}

const stages: Stage[] = []
for (const size of sizes) stages.push(await setStage(size))
const rows: Record<string, string | number>[] = []
for (const name of Object.keys(stages[0]?.targets ?? {})) {
  const figures = new Map(stages.map((stage) => [stage, newFigures()]))
  // A form is sent with another number each time: the rounds go on where the warming ended.
  for (const stage of stages) {
    const { panel, bare, hand } = stage.targets[name] ?? {}
    for (const target of [panel, bare, hand]) if (target) await closedLoop(target, warm, 0)
  }
  for (let n = 0; n < rounds; n++) await round(name, stages, figures, warm + n * each * 2)
  for (const [stage, figure] of figures) {
    rows.push({
      customers: stage.size,
      place: name,
      bytes: stage.targets[name]?.bytes ?? 0,
      p50: median(figure.times),
      p99: percentile(figure.times, 0.99),
      openP50: median(figure.open),
      openP99: percentile(figure.open, 0.99),
      ofHand: median(figure.hand),
      ofHandOpen: median(figure.handOpen),
      ofBare: median(figure.bare),
      asBrowsers: figure.browsers.length > 0 ? median(figure.browsers) : Number.NaN,
      stall: median(figure.stall),
      ofCommit: figure.commit.length > 0 ? median(figure.commit) : Number.NaN,
      writeOfCommit: figure.write.length > 0 ? median(figure.write) : Number.NaN,
      p50OfSmallest: median(figure.smallest),
      p99OfSmallest: median(figure.smallest99),
    })
  }
}

const others: Record<string, string | number>[] = []
const programs: Record<string, string | number>[] = []
for (const stage of stages) {
  programs.push({ customers: stage.size, ...(await besidePages(stage)) })
  const memory = stage.memory()
  others.push({
    customers: stage.size,
    dataMadeIn: stage.madeIn / 1000,
    firstPageAfter: stage.firstPageAfter / 1000,
    memory,
    database: stage.database(),
    ...(await bulk(stage)),
    memoryAfterBulk: stage.memory(),
  })
}
for (const stage of stages) await stage.stop()

const percent = (part: number) => (Number.isNaN(part) ? '–' : `${(part * 100).toFixed(0)} %`)
const table = [
  [
    'customers',
    'place',
    'size',
    'p50',
    'p99',
    'open p50',
    'open p99',
    'of hand',
    'of hand, open',
    'of bare',
    'as browsers',
    'stall',
    'of commit',
    'write',
    'p50 × smallest',
    'p99 × smallest',
  ],
  ...rows.map((row) => [
    Number(row.customers).toLocaleString('en'),
    String(row.place),
    `${(Number(row.bytes) / 1000).toFixed(1)} kB`,
    ...[row.p50, row.p99, row.openP50, row.openP99].map((time) => `${Number(time).toFixed(2)} ms`),
    ...[row.ofHand, row.ofHandOpen, row.ofBare, row.asBrowsers].map((part) => percent(Number(part))),
    `${Number(row.stall).toFixed(1)} ms`,
    ...[row.ofCommit, row.writeOfCommit].map((part) => percent(Number(part))),
    Number(row.p50OfSmallest).toFixed(2),
    Number(row.p99OfSmallest).toFixed(2),
  ]),
]
for (const line of table)
  console.log(line.map((cell, n) => (n === 1 ? cell.padEnd(16) : cell.padStart(n === 0 ? 9 : 14))).join(' '))
console.log('Programs: the API’s time over that of the page, and pages with deliveries over those without')
for (const { customers = 0, ...figures } of programs)
  console.log(
    `${customers.toLocaleString('en')} customers: ${Object.entries(figures)
      .map(([name, figure]) => `${name} ${Number(figure).toFixed(2)}`)
      .join(', ')}`,
  )
const mebi = (bytes: unknown) => `${(Number(bytes) / 2 ** 20).toFixed(0)} MiB`
for (const other of others)
  console.log(
    `${Number(other.customers).toLocaleString('en')} customers: data made in ${Number(other.dataMadeIn).toFixed(1)} s, first page ${Number(other.firstPageAfter).toFixed(2)} s after the start, database ${mebi(other.database)}, memory ${mebi(other.memory)}, after import and export ${mebi(other.memoryAfterBulk)}; import: ${Number(other.checked).toFixed(0)} rows a second checked, ${Number(other.imported).toFixed(0)} carried out; export: ${Number(other.exported).toFixed(0)} rows a second (${other.exportedRows} rows)`,
  )
writeFileSync(join(tmpdir(), 'bench.json'), JSON.stringify({ rounds, rows, others, programs }, null, 2))
