// node test/bench/first-view.ts [ROUNDS]: how long a phone with an empty cache waits for its first view over slow 4G, as
// Lighthouse has it: 150 ms there and back, 1.6 Mbit/s down, 750 kbit/s up. Chromium adds the delay to each request, and does
// not count the opening of a connection: DNS, TCP and TLS take three more of them (+ 450 ms), which the last column adds.
import t from 'tap'
import { launchBrowser, needsChromium, Person, startLivePanel } from '../browser/chromium.ts'
import { fillLists } from '../web/full-lists.ts'
import { median } from './load.ts'

const rounds = Number(process.argv[2] ?? 5)
const delay = 150
const bytesOf = (megabits: number) => (megabits * 1_000_000) / 8
const slow4G = {
  offline: false,
  latency: delay,
  downloadThroughput: bytesOf(1.6),
  uploadThroughput: bytesOf(0.75),
}
/** A first view of this many milliseconds is the goal. */
const goal = 1_500

const pages = [
  { name: 'log-in', path: '/login' },
  { name: 'Home', path: '/', who: 'petra' },
  { name: 'customers, 50 rows', path: '/partner/customers?size=50', who: 'petra' },
  { name: 'projects', path: '/projects', who: 'stella' },
] as const

needsChromium()
t.setTimeout(0)
t.test('first views', async (t) => {
  const browser = await launchBrowser(t)
  const panel = await startLivePanel(t)
  fillLists(panel)
  const table: Record<string, object> = {}
  for (const { name, path, ...as } of pages) {
    const views: View[] = []
    for (let round = 0; round < rounds; round++) {
      // Each has a profile of its own, and so an empty cache.
      const person = 'who' in as ? await Person.loggedIn(browser, panel, as.who) : await Person.open(browser, panel)
      views.push(await firstView(person, path))
      await person.context.close()
    }
    const of = (measure: (view: View) => number) => Math.round(median(views.map(measure)))
    table[name] = {
      'first paint (ms)': of(({ first }) => first),
      'largest paint (ms)': of(({ largest }) => largest),
      'kB in all': of(({ bytes }) => bytes / 1_000),
      'with a new connection (ms)': of(({ largest }) => largest) + 3 * delay,
    }
    t.comment(`${name}: ${of(({ largest }) => largest) + 3 * delay <= goal ? 'within' : 'NOT within'} ${goal} ms`)
  }
  console.table(table)
})

type View = { first: number; largest: number; bytes: number }

async function firstView(person: Person, path: string): Promise<View> {
  const { page, context } = person
  await page.setViewportSize({ width: 360, height: 740 })
  const devtools = await context.newCDPSession(page)
  await devtools.send('Network.enable')
  await devtools.send('Network.emulateNetworkConditions', slow4G)
  let bytes = 0
  devtools.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  await person.goto(path)
  await page.waitForLoadState('networkidle')
  const [first, largest] = await page.evaluate(
    () =>
      new Promise<[number, number]>((resolve) => {
        const [paint] = performance.getEntriesByName('first-contentful-paint')
        new PerformanceObserver((list) => {
          resolve([paint?.startTime ?? Number.NaN, list.getEntries().at(-1)?.startTime ?? Number.NaN])
        }).observe({ type: 'largest-contentful-paint', buffered: true })
      }),
  )
  return { first, largest, bytes }
}
