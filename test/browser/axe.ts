import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Test } from 'tap'
import type { Person } from './chromium.ts'

declare global {
  interface Window {
    axe: typeof import('axe-core')
  }
}

/** Half the size of the package's `source`, which each page has to read. */
const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
/** All that can differ between light and dark: the style sheet changes only colours. */
const rulesOfColours = ['color-contrast', 'link-in-text-block']
const withoutColours = Object.fromEntries(rulesOfColours.map((rule) => [rule, { enabled: false }]))

/** Looks at what a page shows: each rule once, and contrasts, light and dark, wherever there is one that was not seen yet. */
export async function lookWithAxe(t: Test, who: Person, name: string): Promise<void> {
  t.same(await violations(who, { rules: withoutColours }), [], name)
  for (const colorScheme of ['dark', 'light'] as const) {
    await who.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const shades = (await who.page.evaluate(shadesOf)).filter((shade) => !seenShades.has(shade))
    if (shades.length === 0) continue
    t.same(await violations(who, { runOnly: rulesOfColours }), [], `${name}, ${colorScheme}`)
    for (const shade of shades) seenShades.add(shade)
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

export async function violations(who: Person, only: RunOptions): Promise<string[]> {
  if (!(await who.page.evaluate(() => 'axe' in window))) await who.page.evaluate(axe)
  const options: RunOptions = { resultTypes: ['violations'], ...only }
  const results: AxeResults = await who.page.evaluate((options) => window.axe.run(options), options)
  return results.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
  )
}
