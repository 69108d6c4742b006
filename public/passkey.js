// Passkeys: forms that ask the browser for one are hidden until this script finds that it can (W3C WebAuthn, level 3).

const able = typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function'
let asking = new AbortController()

async function ask(form, mediation) {
  asking.abort()
  asking = new AbortController()
  const { create, get } = JSON.parse(form.dataset.passkey)
  const credential = create
    ? await navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(create),
        signal: asking.signal,
      })
    : await navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(get),
        mediation,
        signal: asking.signal,
      })
  form.querySelector('[data-credential]').value = JSON.stringify(credential)
  form.submit()
}

for (const part of able ? document.querySelectorAll('[data-needs-passkeys]') : []) part.hidden = false
for (const form of able ? document.querySelectorAll('form[data-passkey]') : []) {
  const words = form.querySelector('[data-failed]')
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    words.hidden = true
    ask(form, 'optional').catch(({ name }) => {
      words.textContent = name === 'InvalidStateError' ? words.dataset.known : words.dataset.failed
      words.hidden = name === 'AbortError'
    })
  })
  if (!('conditional' in form.dataset)) continue
  if (await PublicKeyCredential.isConditionalMediationAvailable?.()) ask(form, 'conditional').catch(() => {})
  // What the server asked ends after five minutes: a page that lay open longer is loaded again when somebody comes back.
  const opened = Date.now()
  addEventListener('focus', () => {
    const typed = [...document.querySelectorAll('input:not([type=hidden])')].some(({ value }) => value)
    if (Date.now() - opened > 240_000 && !typed) location.reload()
  })
}
