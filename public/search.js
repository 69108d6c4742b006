// The search box of the bar: `/` goes there, and what is found appears while one types. Without this script the box
// opens the page Search, which is also where these results come from.

const form = document.querySelector('.search-box')
const field = form?.querySelector('input')
const panel = form?.querySelector('.found')

/** Between the last key and the question, in milliseconds. */
const pause = 150
let timer
let asked

document.addEventListener('keydown', (event) => {
  const typing = event.target.closest('input, textarea, select, [contenteditable]')
  if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey || !field) return
  event.preventDefault()
  field.focus()
  field.select()
})

field?.addEventListener('input', () => {
  clearTimeout(timer)
  timer = setTimeout(show, pause)
})
field?.addEventListener('focus', () => {
  if (field.value.trim() && panel.childElementCount > 0) panel.hidden = false
})

form?.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !panel.hidden) {
    panel.hidden = true
    field.focus()
    event.preventDefault()
  }
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
  const stops = [field, ...panel.querySelectorAll('.name')]
  const next = stops[stops.indexOf(document.activeElement) + (event.key === 'ArrowDown' ? 1 : -1)]
  if (panel.hidden || !next) return
  event.preventDefault()
  next.focus()
})
form?.addEventListener('focusout', (event) => {
  if (!form.contains(event.relatedTarget)) panel.hidden = true
})

/** Asks for what the field holds now; an answer to an earlier question is dropped. */
async function show() {
  asked?.abort()
  const q = field.value.trim()
  if (!q) {
    panel.hidden = true
    panel.replaceChildren()
    return
  }
  asked = new AbortController()
  try {
    const address = new URL(form.action)
    address.search = new URLSearchParams({ q })
    const answer = await fetch(address, { signal: asked.signal })
    // The session has ended: the page itself says so.
    if (!answer.ok || answer.redirected) return
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    panel.replaceChildren(...page.querySelector('#found').childNodes)
    panel.hidden = document.activeElement !== field
  } catch (error) {
    if (error.name !== 'AbortError') panel.hidden = true
  }
}
