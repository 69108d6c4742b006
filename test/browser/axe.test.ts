import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { AxeResults, RunOptions } from 'axe-core'
import t from 'tap'
import { type LivePanel, launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'
import { sightsOf } from './pages.ts'
import { startStories } from './stories.ts'

declare global {
  interface Window {
    axe: typeof import('axe-core')
  }
}

needsChromium()
// Some 150 pages in four looks each; a busy machine takes several times as long as an idle one.
t.setTimeout(1_800_000)

/** Routes that answer with a redirect, a file or a text, and the page of an empty panel, which has a test of its own. */
const noPages = [
  '/.well-known/change-password',
  '/.well-known/security.txt',
  '/assets/:version/*',
  '/customer',
  '/customer/account/export',
  '/health/live',
  '/health/ready',
  '/metrics',
  '/partner',
  '/partner/customers/:customer',
  '/partner/quotas.csv',
  '/profile/data',
  '/setup/:token',
  '/support',
]

/** Whether a route is that of an address; `/projects/:project` is. */
const isAt = (route: string, address: string) =>
  new RegExp(`^${route.replaceAll(/:\w+/g, '[^/]+')}$`).test(address.split('?')[0] ?? '')

/** Half the size of the package's `source`, which each page has to read. */
const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
const wide = 1280
const narrow = 360
/** All that can differ between light and dark: the style sheet changes nothing but colours. */
const rulesOfColours = ['color-contrast', 'link-in-text-block']

t.test(
  'every page is free of axe violations, wide and narrow, light and dark, and none scrolls sideways',
  async (t) => {
    const browser = await launchBrowser(t)
    const panel = await startLivePanel(t)
    const people = new Set<Person>()
    const seen = new Set<string>()

    for (const { name, who, path, act } of await sightsOf(browser, panel)) {
      people.add(who)
      await who.page.setViewportSize({ width: wide, height: 800 })
      await who.page.emulateMedia({ colorScheme: 'light' })
      await who.goto(path)
      await act?.(who)
      await look(t, who, name)
      for (const address of [path, who.path]) {
        const route = panel.routes.find(({ method, url }) => method === 'GET' && isAt(url, address))
        if (route) seen.add(route.url)
      }
      if (name === 'other-account') await who.goto('/?account=cloudhaus')
    }
    const unseen = panel.routes.filter(
      ({ method, url }) => method === 'GET' && !seen.has(url) && !noPages.includes(url),
    )
    t.same(
      unseen.map(({ url }) => url),
      [],
      'every page of the panel was looked at',
    )
    for (const person of people) t.same(person.complaints, [], 'the console is quiet')
  },
)

t.test('the set-up page of an empty panel, too', async (t) => {
  const browser = await launchBrowser(t)
  const panel = await startLivePanel(t, true)
  const operator = await Person.open(browser, panel)
  await operator.goto(`/setup/${panel.app.setupToken}`)
  await look(t, operator, 'set-up')
  await operator.press('Create operator')
  await look(t, operator, 'set-up with errors')
})

t.test('the stories: every partial in all its states', async (t) => {
  const browser = await launchBrowser(t)
  const stories = await startStories()
  t.teardown(() => stories.close())
  const { port } = stories.server.address() as AddressInfo
  const reader = await Person.open(browser, { url: `http://localhost:${port}` } as LivePanel)
  await reader.goto('/')
  await look(t, reader, 'stories')
  await reader.page.setViewportSize({ width: wide, height: 800 })
  await reader.page.locator('main tbody .menu > summary').first().click()
  t.same(await violations(reader), [], 'a row’s menu')
  t.same(reader.complaints, [], 'the console is quiet')
})

async function look(t: Tap, who: Person, name: string): Promise<void> {
  for (const width of [wide, 1000, 800, narrow]) {
    await who.page.setViewportSize({ width, height: 800 })
    const over = await who.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    t.ok(over <= 0, `${name} does not scroll sideways at a width of ${width} (by ${over} px)`)
    if (width !== wide && width !== narrow) continue
    await who.page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
    t.same(await violations(who), [], `${name}, ${width} wide, light`)
    await who.page.emulateMedia({ colorScheme: 'dark' })
    t.same(await violations(who, { runOnly: rulesOfColours }), [], `${name}, ${width} wide, dark`)
  }
}

type Tap = {
  ok: (value: unknown, message: string) => void
  same: (found: unknown, wanted: unknown, message: string) => void
}

async function violations(who: Person, only: RunOptions = {}): Promise<string[]> {
  if (!(await who.page.evaluate(() => 'axe' in window))) await who.page.evaluate(axe)
  const options: RunOptions = { resultTypes: ['violations'], ...only }
  const results: AxeResults = await who.page.evaluate((options) => window.axe.run(options), options)
  return results.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
  )
}
