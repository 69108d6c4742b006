// The one rule by which an identifier is suggested from a name: the server uses it when the field
// is left empty, the browser while the name is typed.

const letters = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ı: 'i' }

/**
 * @param {string} name
 * @returns {string} 2–32 characters that make an identifier, or '' where the name offers none
 */
export function suggestIdentifier(name) {
  const identifier = name
    .toLowerCase()
    .replace(/[ßæœøđðþłı]/g, (letter) => letters[/** @type {keyof typeof letters} */ (letter)])
    .normalize('NFKD')
    .replace(/[\p{M}'’]/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[-0-9]+/, '')
    .slice(0, 32)
    .replace(/-+$/, '')
  return identifier.length < 2 ? '' : identifier
}

if (typeof document !== 'undefined') {
  for (const field of document.querySelectorAll('input[data-suggest-from]')) {
    const form = field.closest('form')
    const name = form?.elements.namedItem(field.dataset.suggestFrom)
    if (!name) continue
    let own = field.value !== ''
    field.addEventListener('input', () => {
      own = field.value !== ''
    })
    name.addEventListener('input', () => {
      if (!own) field.value = suggestIdentifier(name.value)
    })
  }
}
