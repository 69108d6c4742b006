/**
 * What is wrong with how a page is laid out: text that is cut off, text or controls that lie over each other, what reaches past the
 * window, and a page that scrolls sideways. Runs in the page.
 */
export function faultsOf(): string[] {
  type Box = { element: Element; layer: Element | null; left: number; top: number; right: number; bottom: number }
  const faults = new Set<string>()
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) faults.add(`scrolls sideways by ${scrollWidth - clientWidth} px`)
  window.scrollTo(0, 0)

  const solid = 'a[href], button, input:not([type=hidden]), select, textarea, summary, .av, .badge, svg, img'
  const called = (element: Element) => {
    const words = (element.textContent ?? '').replace(/\s+/g, ' ').trim().slice(0, 40)
    const names = [...element.classList].map((name) => `.${name}`).join('')
    const parent = element.parentElement
    const around = parent ? `${parent.localName}${[...parent.classList].map((name) => `.${name}`).join('')} > ` : ''
    return `${around}${element.localName}${names} “${words}”`
  }
  /** What lies over the rest on purpose: what is fixed or sticky, and an open menu. */
  const layerOf = (element: Element): Element | null => {
    for (let up: Element | null = element; up; up = up.parentElement) {
      if (/fixed|sticky/.test(getComputedStyle(up).position) || up.matches('.menu-panel, .menu > div')) return up
    }
    return null
  }
  /** Kept for those who listen to the page. */
  const isAway = (element: Element) => {
    for (let up: Element | null = element; up; up = up.parentElement)
      if (getComputedStyle(up).clipPath !== 'none') return true
    return false
  }
  const shown = (element: Element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !isAway(element)

  /** A box without what the elements around it cut off; and notes text that is cut off for good. */
  const visible = (element: Element, rect: DOMRect, text: string): Box | undefined => {
    let { left, top, right, bottom } = rect
    for (let up: Element | null = text ? element : element.parentElement; up; up = up.parentElement) {
      const style = getComputedStyle(up)
      if (up === document.documentElement || up === document.body || style.display === 'inline') continue
      if (style.overflowX !== 'visible') {
        const frame = up.getBoundingClientRect()
        const cut = text && style.overflowX !== 'auto' && style.overflowX !== 'scroll'
        const beyond = right > frame.right + 1 || left < frame.left - 1 || bottom > frame.bottom + 2
        // A long name ends with an ellipsis; one of a usual length is seen whole.
        const ellipsis = style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none'
        if (cut && beyond && !(ellipsis && text.length > 30)) faults.add(`cut off: ${called(element)}`)
        left = Math.max(left, frame.left)
        right = Math.min(right, frame.right)
        top = Math.max(top, frame.top)
        bottom = Math.min(bottom, frame.bottom)
      }
      if (style.position === 'fixed') break
    }
    if (right - left < 1 || bottom - top < 1) return undefined
    if (right > clientWidth + 1 || left < -1) faults.add(`reaches past the window: ${called(element)}`)
    return { element, layer: layerOf(element), left, top, right, bottom }
  }

  /** How long a line of its text can be. */
  const roomOf = (element: Element) => {
    let block = element
    while (block.parentElement && /^inline/.test(getComputedStyle(block).display)) block = block.parentElement
    const { paddingLeft, paddingRight } = getComputedStyle(block)
    return block.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight)
  }

  const boxes: Box[] = []
  const add = (element: Element, rects: Iterable<DOMRect>, text = '') => {
    for (const rect of rects) {
      const box = visible(element, rect, text)
      if (box) boxes.push(box)
    }
  }
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('svg *, script, option, noscript') || !shown(element)) continue
    if (element.matches(solid)) add(element, element.getClientRects())
    for (const node of element.childNodes) {
      if (!(node instanceof Text) || node.data.trim() === '' || element.matches('textarea, select')) continue
      const range = document.createRange()
      range.selectNodeContents(node)
      const words = node.data.replace(/\s+/g, ' ').trim()
      // Less than the line: letters that are high or low reach out of it.
      const lines = [...range.getClientRects()].map(
        ({ x, y, width, height }) => new DOMRect(x, y + height * 0.15, width, height * 0.7),
      )
      add(element, lines, words)
      for (const { 0: address, index } of node.data.matchAll(/[^\s“”(),;]+@[^\s“”(),;]+[^\s“”(),;.:]/g)) {
        range.setStart(node, index)
        range.setEnd(node, index + address.length)
        const broken = [...range.getClientRects()]
        const long = broken.reduce((sum, { width }) => sum + width, 0)
        if (!element.closest('pre') && broken.length > 1 && long < roomOf(element))
          faults.add(`a broken address: ${called(element)}`)
      }
    }
  }

  /** The icon, the label and the button of a field lie in it. */
  const together = '.find, .search-box, .quick .field'
  const related = (one: Element, other: Element) =>
    one.contains(other) || other.contains(one) || (one.closest(together) ?? 1) === (other.closest(together) ?? 2)
  boxes.sort((a, b) => a.top - b.top)
  boxes.forEach((box, index) => {
    for (let next = index + 1; next < boxes.length; next++) {
      const other = boxes[next] as Box
      if (other.top > box.bottom - 1.5) break
      const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left)
      const high = Math.min(box.bottom, other.bottom) - other.top
      if (wide <= 1.5 || high <= 1.5 || box.layer !== other.layer || related(box.element, other.element)) continue
      faults.add(`${called(box.element)} and ${called(other.element)} lie over each other`)
    }
  })
  return [...faults]
}

/** What a printed page shows that is no part of its text or list. Runs in the page. */
export function printedBeside(): string[] {
  const { scrollWidth, clientWidth } = document.documentElement
  const beside =
    'nav, .bar, .area, .skip, button, .button, summary, input, select, textarea, .notice, .toolbar, .bulk, .row-acts, .quick'
  const shown = [...document.querySelectorAll(beside)].filter(
    (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0,
  )
  const named = shown
    // What a form has in its fields may be printed, such as a role or a limit in its row.
    .filter((element) => !element.matches('input:not([type=checkbox], [type=radio], [type=search]), select, textarea'))
    .map((element) => `${element.localName}.${element.className} “${element.textContent?.trim().slice(0, 30)}”`)
  return [...(scrollWidth > clientWidth ? [`wider than the paper by ${scrollWidth - clientWidth} px`] : []), ...named]
}

/** Forms with something to fill in whose button is not shown. Runs in the page. */
export function hiddenButtons(): string[] {
  const shown = (element: Element) => element.checkVisibility({ visibilityProperty: true })
  const fields = 'input:not([type=hidden], [readonly]), select, textarea:not([readonly])'
  return (
    [...document.forms]
      .filter((form) => [...form.elements].some((field) => field.matches(fields) && shown(field)))
      .filter(
        (form) => ![...form.elements].some((button) => button.matches('button:not([type=button])') && shown(button)),
      )
      // The bar for ticked rows comes with the first that is ticked. A passkey is made by a script alone; its page says so.
      .filter((form) => !form.matches('[role=search], #t, [action$="/profile/passkeys"]'))
      .map((form) => `${form.action} “${form.textContent?.trim().slice(0, 40)}”`)
  )
}
