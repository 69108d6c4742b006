import type { Person } from './chromium.ts'

/** So many stops of the Tab key are gone through: the longest page has fewer. */
const most = 400

type Stop = { stop: string | null; fault: string | undefined } | null

declare global {
  interface Window {
    stops: Stop[]
  }
}

/** What is wrong on a page for whoever uses the keyboard alone: what Tab does not reach, and a focus that is not seen. */
export async function keysOn(who: Person): Promise<string[]> {
  const { page } = who
  const wanted = await page.evaluate(numberControls)
  await page.evaluate(noteStops)
  const faults = new Set<string>()
  const reached = new Set<string>()
  const devTools = await who.devTools
  const tab = { key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 }
  let presses = 0
  let ended = false
  while (!ended && presses < most && reached.size < wanted) {
    const more = Math.min(wanted - reached.size, most - presses)
    presses += more
    // The page notes each stop itself: nobody asks it between two presses.
    const kinds = Array.from({ length: more }, () => ['rawKeyDown', 'keyUp'] as const).flat()
    await Promise.all(kinds.map((type) => devTools.send('Input.dispatchKeyEvent', { type, ...tab })))
    const stops = await page.evaluate(() => window.stops.splice(0))
    // Behind the last one, the focus leaves the page.
    ended = stops.length < more
    for (const focused of stops) {
      ended ||= focused === null || (focused.stop === '0' && reached.has('0'))
      if (ended || !focused) break
      if (focused.fault) faults.add(focused.fault)
      if (focused.stop !== null) reached.add(focused.stop)
    }
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

/** Numbers what Tab must reach, and takes the focus to the start of the page. Runs in the page. */
function numberControls(): number {
  const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary'
  const all = [...document.querySelectorAll(controls)].filter(
    (element) =>
      element.checkVisibility({ visibilityProperty: true }) &&
      !element.matches(':disabled, [tabindex="-1"], input[type=radio]:not(:checked)'),
  )
  for (const [n, element] of all.entries()) element.setAttribute('data-stop', String(n))
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
  document.body.tabIndex = -1
  document.body.focus()
  document.body.removeAttribute('tabindex')
  return all.length
}

/** Notes what has the focus after each press of Tab; null at the end of the page. Runs in the page. */
function noteStops(): void {
  const focusedNow = (): Stop => {
    const element = document.activeElement
    if (!element || element === document.body) return null
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
  const listens = 'stops' in window
  window.stops = []
  if (!listens) addEventListener('keyup', ({ key }) => key === 'Tab' && window.stops.push(focusedNow()), true)
}
