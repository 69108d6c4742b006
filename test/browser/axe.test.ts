import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { AxeResults, RunOptions } from 'axe-core'
import t from 'tap'
import { type LivePanel, launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'
import { type Sight, sightsOf } from './pages.ts'
import { startStories } from './stories.ts'

declare global {
  interface Window {
    axe: typeof import('axe-core')
  }
}

needsChromium()
// Some 150 pages in two widths each; a busy machine takes several times as long as an idle one.
t.setTimeout(1_800_000)

/** Routes that answer with a redirect, a file or a text, and the page of an empty panel, which has a test of its own. */
const noPages = [
  '/.well-known/change-password',
  '/.well-known/security.txt',
  '/customer',
  '/customer/account/export',
  '/health/live',
  '/health/ready',
  '/metrics',
  '/partner',
  '/partner/customers/:customer',
  '/partner/quotas.csv',
  '/partner/ticked-customers/file',
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
/** All that can differ between light and dark: the style sheet changes only colours. */
const rulesOfColours = ['color-contrast', 'link-in-text-block']
const withoutColours = Object.fromEntries(rulesOfColours.map((rule) => [rule, { enabled: false }]))

t.test(
  'every page is free of axe violations, wide and narrow, light and dark, and none scrolls sideways',
  async (t) => {
    const browser = await launchBrowser(t)
    const panel = await startLivePanel(t)
    const people = new Set<Person>()
    const seen = new Set<string>()
    /** The page that was looked at last, if nothing was done on it. */
    let open: Pick<Sight, 'who' | 'path'> | undefined

    for (const { name, who, path, act } of await sightsOf(browser, panel)) {
      people.add(who)
      await who.page.setViewportSize({ width: wide, height: 800 })
      if (open?.who !== who || open.path !== path) await who.goto(path)
      open = act ? undefined : { who, path }
      await act?.(who)
      await look(t, who, name)
      for (const address of [path, who.path]) {
        const routes = panel.routes.filter(({ method, url }) => method === 'GET' && isAt(url, address))
        // The router, too, prefers a part that is written out to a parameter.
        const [route] = routes.sort((one, other) => one.url.split(':').length - other.url.split(':').length)
        if (route) seen.add(route.url)
      }
      if (name === 'choose-partner') await who.goto('/?account=cloudhaus')
    }
    const unseen = panel.routes.filter(
      ({ method, url }) => method === 'GET' && !seen.has(url) && !noPages.includes(url) && !url.startsWith('/assets/'),
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
  t.same(await violations(reader, {}), [], 'a row’s menu')
  t.same(reader.complaints, [], 'the console is quiet')
})

/** Looks at what a page shows: each rule wide and narrow, and contrasts wherever there is one that was not seen yet. */
async function look(t: Tap, who: Person, name: string): Promise<void> {
  for (const width of [wide, 1000, 800, narrow]) {
    await who.page.setViewportSize({ width, height: 800 })
    const over = await who.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    t.ok(over <= 0, `${name} does not scroll sideways at a width of ${width} (by ${over} px)`)
    if (width !== wide && width !== narrow) continue
    t.same(await violations(who, { rules: withoutColours }), [], `${name}, ${width} wide`)
    for (const colorScheme of ['light', 'dark'] as const) {
      await who.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const shades = (await who.page.evaluate(shadesOf)).filter((shade) => !seenShades.has(shade))
      if (shades.length === 0) continue
      t.same(await violations(who, { runOnly: rulesOfColours }), [], `${name}, ${width} wide, ${colorScheme}`)
      for (const shade of shades) seenShades.add(shade)
    }
  }
}

/** What decides about contrasts, of each text that was found well legible. */
const seenShades = new Set<string>()

/**
 * The colour of each text that is shown, and whether that is large, with all that is painted behind it, and how it stands out from
 * the text around it. Where none of that is new, nor can a violation be. Runs in the page.
 */
function shadesOf(): string[] {
  const behind = new Map<Element | null, string>([[null, '']])
  /** What an element paints, and each that it lies in. */
  const paintedBy = (element: Element | null): string => {
    const known = behind.get(element)
    if (known !== undefined || !element) return known ?? ''
    const { backgroundColor, backgroundImage, opacity, filter, mixBlendMode } = getComputedStyle(element)
    const own = [backgroundColor, backgroundImage, opacity, filter, mixBlendMode].join(' ')
    const around = paintedBy(element.parentElement)
    const painted = own === 'rgba(0, 0, 0, 0) none 1 none normal' ? around : `${own} | ${around}`
    behind.set(element, painted)
    return painted
  }
  const texts = [...document.body.querySelectorAll('*')].filter(
    (element) =>
      element.matches('input, select, textarea') ||
      [...element.childNodes].some((node) => node instanceof Text && node.data.trim() !== ''),
  )
  const shown = texts.filter(
    (element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches(':disabled, :disabled *'),
  )
  const shades = shown.map((element) => {
    const { color, fontSize, fontWeight, textShadow, textDecorationLine } = getComputedStyle(element)
    const large = Number.parseFloat(fontSize) >= (Number(fontWeight) >= 700 ? 18.66 : 24)
    const link = element.closest('a, [role=link]')?.parentElement
    const around = link ? `in ${getComputedStyle(link).color}` : ''
    return [color, large, textShadow, textDecorationLine, around, paintedBy(element)].join(' ')
  })
  return [...new Set(shades)]
}

type Tap = {
  ok: (value: unknown, message: string) => void
  same: (found: unknown, wanted: unknown, message: string) => void
}

async function violations(who: Person, only: RunOptions): Promise<string[]> {
  if (!(await who.page.evaluate(() => 'axe' in window))) await who.page.evaluate(axe)
  const options: RunOptions = { resultTypes: ['violations'], ...only }
  const results: AxeResults = await who.page.evaluate((options) => window.axe.run(options), options)
  return results.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
  )
}
