// node test/browser/screenshots.ts FOLDER [NAME …]: a picture of every page, or of these, wide and narrow, light and dark.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { launchBrowser, startLivePanel } from './chromium.ts'
import { sightsOf } from './pages.ts'

const [folder = 'screenshots', ...wanted] = process.argv.slice(2)
mkdirSync(folder, { recursive: true })
const sizes = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 740 } }

t.setTimeout(0)
t.test('pictures', async (t) => {
  const browser = await launchBrowser(t)
  const panel = await startLivePanel(t)
  for (const { name, who, path, act } of await sightsOf(browser, panel)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    await who.page.setViewportSize(sizes.wide)
    await who.goto(path)
    await act?.(who)
    for (const [size, viewport] of Object.entries(sizes)) {
      await who.page.setViewportSize(viewport)
      for (const colorScheme of ['light', 'dark'] as const) {
        await who.page.emulateMedia({ colorScheme })
        await who.page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true })
      }
    }
    if (name === 'choose-partner') await who.goto('/?account=cloudhaus')
  }
})
