import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchBrowser, needsChromium, type Person, startLivePanel } from './chromium.ts'
import { faultsOf, hiddenButtons, printedBeside } from './faults.ts'
import { keysOn } from './keys.ts'
import { type Sight, sightsOf } from './pages.ts'

// Every page of the panel (test/browser/axe.test.ts says that none is missing): in all widths, in print, by keyboard, with large
// text, and without JavaScript.

needsChromium()
t.setTimeout(1_800_000)

/** Opens every page, as its people see it. */
async function onEveryPage(
  t: Test,
  browser: Browser,
  look: (sight: Sight) => Promise<unknown>,
  { ofBar = true } = {},
): Promise<void> {
  const panel = await startLivePanel(t)
  for (const sight of await sightsOf(browser, panel)) {
    const { name, who, path, act } = sight
    if (sight.ofBar && !ofBar) continue
    await who.page.setViewportSize({ width: 1280, height: 800 })
    await who.page.emulateMedia({ media: null })
    await who.goto(path)
    await act?.(who)
    await look(sight)
    if (name === 'choose-partner') await who.goto('/?account=cloudhaus')
  }
}

async function atWidths({ page }: Person, widths: number[], check: (width: number) => Promise<unknown>): Promise<void> {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 })
    await check(width)
  }
}

t.test('nothing is cut off or lies over anything else, and print holds the page and nothing around it', async (t) => {
  const browser = await launchBrowser(t)
  await onEveryPage(t, browser, async ({ name, who }) => {
    await atWidths(who, [360, 800, 1024, 1280], async (width) =>
      t.same(await who.page.evaluate(faultsOf), [], `${name}, ${width} px wide`),
    )
    await who.page.emulateMedia({ media: 'print' })
    // A4 without its margins.
    await who.page.setViewportSize({ width: 718, height: 1_000 })
    t.same(await who.page.evaluate(printedBeside), [], `${name}, printed`)
  })
})

t.test('by keyboard, everything is reached, with a focus that is seen', async (t) => {
  const browser = await launchBrowser(t)
  await onEveryPage(t, browser, async ({ name, who }) => t.same(await keysOn(who), [], name))
})

t.test('with text of twice the size, nothing is cut off or lies over anything else', async (t) => {
  const browser = await launchBrowser(t, ['--blink-settings=defaultFontSize=32'])
  const look = async ({ name, who }: Sight) => {
    const size = await who.page.evaluate(() => Number.parseFloat(getComputedStyle(document.body).fontSize))
    t.equal(size, 28, 'twice as large')
    await atWidths(who, [360, 800, 1280], async (width) =>
      t.same(await who.page.evaluate(faultsOf), [], `${name}, ${width} px wide`),
    )
  }
  // The search in the bar is a link then.
  await onEveryPage(t, browser, look, { ofBar: false })
})

t.test('without JavaScript, whatever can be filled in can be sent', async (t) => {
  const browser = await launchBrowser(t)
  const without = Object.create(browser, {
    newContext: {
      value: (options: object) => browser.newContext({ ...options, javaScriptEnabled: false }),
    },
  }) as Browser
  const look = async ({ name, who }: Sight) => {
    t.same(await who.page.evaluate(hiddenButtons), [], name)
    t.same(await who.page.evaluate(faultsOf), [], `${name}: nothing lies over anything else`)
  }
  await onEveryPage(t, without, look, { ofBar: false })
})
