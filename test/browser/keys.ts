import type { Person } from './chromium.ts'

/** So many stops of the Tab key are gone through: the longest page has fewer. */
const most = 400

/** What is wrong on a page for whoever uses the keyboard alone: what Tab does not reach, and a focus that is not seen. */
export async function keysOn({ page }: Person): Promise<string[]> {
  const wanted = await page.evaluate(() => {
    const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary'
    const all = [...document.querySelectorAll(controls)].filter(
      (element) =>
        element.checkVisibility({ visibilityProperty: true }) &&
        !element.matches(':disabled, [tabindex="-1"], input[type=radio]:not(:checked)'),
    )
    for (const [n, element] of all.entries()) element.setAttribute('data-stop', String(n))
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
    return all.length
  })
  const faults = new Set<string>()
  const reached = new Set<string>()
  // From the start of the page, whatever had the focus.
  await page.evaluate(() => {
    document.body.tabIndex = -1
    document.body.focus()
    document.body.removeAttribute('tabindex')
  })
  for (let stops = 0; stops < most && reached.size < wanted; stops++) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate(focusedNow)
    if (focused === undefined) break
    if (focused.fault) faults.add(focused.fault)
    if (focused.stop === null) continue
    if (reached.has(focused.stop) && focused.stop === '0') break
    reached.add(focused.stop)
  }
  const missed = await page.evaluate(
    (stops) =>
      [...document.querySelectorAll('[data-stop]')]
        .filter((element) => !stops.includes(element.getAttribute('data-stop') ?? ''))
        // What has been closed since, or is one of a group of radio buttons.
        .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches('[type=radio]'))
        .map((element) => `not reached: ${element.localName} “${element.textContent?.trim().slice(0, 30)}”`),
    [...reached],
  )
  return [...faults, ...missed]
}

/** What has the focus; undefined at the end of the page. Runs in the page. */
function focusedNow(): { stop: string | null; fault: string | undefined } | undefined {
  const element = document.activeElement
  if (!element || element === document.body) return undefined
  const called = `${element.localName}.${element.className} “${element.textContent?.trim().slice(0, 30)}”`
  const stop = element.getAttribute('data-stop')
  // Within a field for a day, the browser itself shows which part has the focus.
  if (getComputedStyle(element).outlineStyle === 'none' && !element.matches('[type=date]'))
    return { stop, fault: `no focus is seen on ${called}` }
  const [box] = element.getClientRects()
  if (!box) return { stop, fault: `nothing is shown of ${called}` }
  // What is higher than the window is looked at where it is seen.
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)]
  const [x, y] = [box.left + box.width / 2, (top + bottom) / 2]
  const above = document.elementFromPoint(x, y)
  const covered = above?.closest('.bar, .bulk, .topnav')
  const hidden = covered && !covered.contains(element) ? `${called} is hidden under ${covered.className}` : undefined
  const outside = bottom <= top || x < 0 || x > innerWidth ? `${called} is outside of the window` : undefined
  return { stop, fault: hidden ?? outside }
}
