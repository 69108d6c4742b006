// Comforts. Every page works without this script.

// Menus: one is open at a time (they share a name); Escape, a click elsewhere and leaving with Tab close it.
const openMenus = () => document.querySelectorAll('details.menu[open]')
document.addEventListener('click', (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false
})
document.addEventListener('focusin', (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false
})
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return
  for (const menu of openMenus()) {
    menu.open = false
    menu.querySelector('summary').focus()
  }
})

// The menu of a list’s rows is on the page once, behind the list. The name of a row leads to the page that has the same.
const element = (name, properties, ...children) => {
  const one = Object.assign(document.createElement(name), properties)
  one.append(...children)
  return one
}
for (const { content, previousElementSibling: list } of document.querySelectorAll('template[data-rows]'))
  for (const row of list.querySelectorAll('tr:has(td:first-child a)')) {
    const [name, acts] = [row.querySelector('td a'), row.lastElementChild]
    const of = `${name.href.replace(/\/quotas$/, '')}/`
    const states = (acts.dataset.is ?? '').split(' ')
    const items = [...content.cloneNode(true).children].filter(({ dataset: { if: some, unless } }) =>
      some ? some.split(' ').some((state) => states.includes(state)) : !states.includes(unless),
    )
    for (const item of items)
      for (const to of ['href', 'formaction'])
        if (item.hasAttribute(to)) item.setAttribute(to, of + item.getAttribute(to))
    const summary = element('summary', { ariaLabel: `More for ${name.textContent}` }, '⋯')
    const panel = element('div', { className: 'menu-panel' }, ...items)
    acts.append(element('details', { className: 'menu', name: 'menu' }, summary, panel))
  }

// A role in a list is a link to the page that changes it. Here one chooses in its place.
const choice = document.getElementById('role-choice')?.content
for (const link of choice ? document.querySelectorAll('a[data-v]') : []) {
  const form = document.getElementById('act').cloneNode(true)
  form.removeAttribute('id')
  Object.assign(form, { action: link.href, hidden: false, className: 'inline row-save' })
  form.append(element('input', { type: 'hidden', name: 'version', value: link.dataset.v }), choice.cloneNode(true))
  const select = form.querySelector('select')
  select.ariaLabel = `Role of ${link.closest('tr').querySelector('bdi').textContent}`
  for (const option of select.options) option.defaultSelected = option.text === link.textContent
  link.replaceWith(form)
}

// Rows to tick: all of the page at once, and how many are ticked.
for (const table of document.querySelectorAll('table[data-tick]')) {
  const boxes = [...table.querySelectorAll('tbody input[name="c"]')]
  const bar = boxes[0]?.form
  const words = bar?.querySelector('[data-ticked]')
  const every = Object.assign(document.createElement('input'), { type: 'checkbox', ariaLabel: 'Tick all on this page' })
  table.querySelector('th.ticks')?.prepend(every)
  const count = () => {
    const n = boxes.filter((box) => box.checked).length
    every.checked = n === boxes.length
    every.indeterminate = n > 0 && !every.checked
    if (words) words.textContent = bar.elements.all?.checked ? 'With all:' : `${n} ticked:`
  }
  every.addEventListener('change', () => {
    for (const box of boxes) box.checked = every.checked
    count()
  })
  table.addEventListener('change', count)
  bar?.addEventListener('change', count)
  bar?.addEventListener('reset', () => setTimeout(count))
  addEventListener('pageshow', count)
}

// A role that is chosen is saved. With the keyboard, arrow keys pass over others: it is saved on leaving, or by its button.
for (const row of document.querySelectorAll('.row-save')) {
  const [select, button] = [row.querySelector('select'), row.querySelector('button')]
  const chosen = () => !select.selectedOptions[0]?.defaultSelected
  let keys = false
  select.addEventListener('keydown', () => {
    keys = true
  })
  select.addEventListener('pointerdown', () => {
    keys = false
  })
  select.addEventListener('change', () => {
    row.classList.toggle('due', chosen())
    if (chosen() && !keys) button.click()
  })
  row.addEventListener('focusout', ({ relatedTarget }) => {
    if (chosen() && relatedTarget && !row.contains(relatedTarget)) button.click()
  })
}

// A link to copy.
for (const button of document.querySelectorAll('button[data-copy]')) {
  const field = document.getElementById(button.dataset.copy)
  button.hidden = !navigator.clipboard
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(field.value)
    button.textContent = 'Copied'
  })
}

// The time zone, for those who read times as their browser has them.
const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
if (timeZone && !document.cookie.split('; ').includes(`meshpanel-zone=${timeZone}`)) {
  const path = new URL('../../', import.meta.url).pathname
  const secure = location.protocol === 'https:' ? '; secure' : ''
  // biome-ignore lint/suspicious/noDocumentCookie: cookieStore is missing over plain HTTP
  document.cookie = `meshpanel-zone=${timeZone}; path=${path}; max-age=31536000; samesite=lax${secure}`
}

// The product's old links carried the page after a #, which browsers do not send.
const oldLinks = {
  '#/partner': '/partner',
  '#/partner/customers': '/partner/customers',
  '#/customer/users': '/customer/users',
}
// Home: this file lies in BASE/assets/HASH/.
const base = new URL('../../', import.meta.url).pathname
const meant = oldLinks[location.hash.replace(/\/$/, '')]
if (meant) {
  const next = document.querySelector('input[data-old-links]')
  if (next) next.value = meant
  else if (location.pathname.replace(/\/?$/, '/') === base) location.replace(base + meant.slice(1))
}

// A button sends its form once: a second click does nothing until the page is left or shown again. A download does not
// leave it.
let sent = new WeakSet()
document.addEventListener('submit', (event) => {
  const by = event.submitter ?? event.target
  if (event.target.method !== 'post' || 'download' in by.dataset) return
  if (sent.has(by)) event.preventDefault()
  sent.add(by)
})
addEventListener('pageshow', () => {
  sent = new WeakSet()
})

// A page that follows some work is looked at again, unless somebody is at something on it (WCAG 2.2.1, 2.2.2).
const followed = document.querySelector('[data-refresh]')
if (followed) {
  setInterval(() => {
    const idle = document.activeElement === document.body && document.getSelection().isCollapsed
    if (idle && !document.querySelector('details.menu[open]')) location.reload()
  }, followed.dataset.refresh * 1000)
}
