import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { lookWithAxe, violations } from './axe.ts'
import { type LivePanel, launchBrowser, needsChromium, Person, startLivePanel } from './chromium.ts'
import { faultsOf, hiddenButtons, printedBeside } from './faults.ts'
import { keysOn } from './keys.ts'
import { sightsOf } from './pages.ts'
import { startStories } from './stories.ts'

// Every page of the panel: in all widths, light and dark, in print, with large text, by keyboard, and without JavaScript. A page is
// opened once, and once more without JavaScript: all that can be looked at on it is looked at then.

needsChromium()
// Some 200 pages; a busy machine takes several times as long as an idle one.
t.setTimeout(1_800_000)
const browser = await launchBrowser(t)

/** Routes that answer with a redirect, a file or a text, and the page of an empty panel, which has a test of its own. */
const noPages = [
  '/.well-known/change-password',
  '/.well-known/security.txt',
  '/customer',
  '/customer/account/export',
  // There is a provider first: test/accounts/sso.test.ts.
  '/customer/log-in/removal',
  '/health/live',
  '/health/ready',
  '/metrics',
  // They lead to a provider, come from one, or need what it said: test/people/sso.test.ts.
  '/login/sso',
  '/login/sso/account',
  '/login/sso/callback',
  '/login/sso/callback/:identifier',
  '/login/way',
  '/profile/sso/proof',
  '/profile/sso/start',
  '/partner',
  '/partner/customers/:customer',
  '/partner/quotas.csv',
  '/partner/ticked-customers/file',
  '/profile/data',
  '/saved-views/:savedView',
  '/setup/:token',
  '/support',
]

/** Whether a route is that of an address; `/projects/:project` is. */
const isAt = (route: string, address: string) =>
  new RegExp(`^${route.replaceAll(/:\w+/g, '[^/]+')}$`).test(address.split('?')[0] ?? '')

const wide = 1280
const narrow = 360

t.test('every page, wide and narrow, light and dark, in print, with large text, and by keyboard', async (t) => {
  const panel = await startLivePanel(t)
  const people = new Set<Person>()
  const seen = new Set<string>()
  for (const { name, who, path, act, ofBar } of await sightsOf(browser, panel)) {
    people.add(who)
    await who.goto(path)
    await act?.(who)
    await lookAtWidths(t, who, name)
    await lookAtPrint(t, who, name)
    // The search in the bar is a link then.
    if (!ofBar) await lookAtLargeText(t, who, name)
    await who.page.setViewportSize({ width: wide, height: 800 })
    t.same(await keysOn(who), [], `${name}: by keyboard, everything is reached, with a focus that is seen`)
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
})

t.test('without JavaScript, whatever can be filled in can be sent', async (t) => {
  const without = Object.create(browser, {
    newContext: {
      value: (options: object) => browser.newContext({ ...options, javaScriptEnabled: false }),
    },
  }) as Browser
  const panel = await startLivePanel(t)
  for (const { name, who, path, act, ofBar } of await sightsOf(without, panel)) {
    if (ofBar) continue
    await who.goto(path)
    await act?.(who)
    t.same(await who.page.evaluate(hiddenButtons), [], name)
    t.same(await who.page.evaluate(faultsOf), [], `${name}: nothing lies over anything else`)
    if (name === 'choose-partner') await who.goto('/?account=cloudhaus')
  }
})

t.test('the set-up page of an empty panel, too', async (t) => {
  const panel = await startLivePanel(t, true)
  const operator = await Person.open(browser, panel)
  await operator.goto(`/setup/${panel.app.setupToken}`)
  await lookAtWidths(t, operator, 'set-up')
  await operator.press('Create operator')
  await lookAtWidths(t, operator, 'set-up with errors')
})

t.test('the stories: every partial in all its states', async (t) => {
  const stories = await startStories()
  t.teardown(() => stories.close())
  const { port } = stories.server.address() as AddressInfo
  const reader = await Person.open(browser, { url: `http://localhost:${port}` } as LivePanel)
  await reader.goto('/')
  await lookAtWidths(t, reader, 'stories', true)
  await reader.page.setViewportSize({ width: wide, height: 800 })
  await reader.page.locator('main tbody .menu > summary').first().click()
  t.same(await violations(reader, {}), [], 'a row’s menu')
  t.same(reader.complaints, [], 'the console is quiet')
})

async function lookAtWidths(t: Test, who: Person, name: string, isSample = false): Promise<void> {
  for (const width of [wide, 1024, 1000, 800, narrow]) {
    await who.page.setViewportSize({ width, height: 800 })
    const faults = await who.page.evaluate(faultsOf)
    t.notOk(
      faults.some((fault) => fault.startsWith('scrolls sideways')),
      `${name} does not scroll sideways at a width of ${width}`,
    )
    if (!isSample) t.same(faults, [], `${name}, ${width} px wide: nothing is cut off or lies over anything else`)
    if (width === wide || width === narrow) await lookWithAxe(t, who, `${name}, ${width} px wide: axe`)
  }
}

async function lookAtPrint(t: Test, who: Person, name: string): Promise<void> {
  await who.page.emulateMedia({ media: 'print' })
  // A4 without its margins.
  await who.page.setViewportSize({ width: 718, height: 1_000 })
  t.same(await who.page.evaluate(printedBeside), [], `${name}: print holds the page and nothing around it`)
  await who.page.emulateMedia({ media: null })
}

/** As if its reader had chosen text of twice the usual size. */
async function lookAtLargeText(t: Test, who: Person, name: string): Promise<void> {
  const devTools = await who.devTools
  await devTools.send('Page.setFontSizes', { fontSizes: { standard: 32 } })
  for (const width of [narrow, 800, wide]) {
    await who.page.setViewportSize({ width, height: 800 })
    const size = await who.page.evaluate(() => Number.parseFloat(getComputedStyle(document.body).fontSize))
    t.equal(size, 28, 'twice as large')
    t.same(await who.page.evaluate(faultsOf), [], `${name}, ${width} px wide, with text of twice the size`)
  }
  await devTools.send('Page.setFontSizes', { fontSizes: { standard: 16 } })
}
