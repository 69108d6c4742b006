/** A path of the panel's own, from a request: anything else becomes Home. */
export function ownPath(text: unknown): string {
  if (typeof text !== 'string' || !/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(text) || !URL.canParse(text, 'http://panel'))
    return '/'
  const { origin, pathname, search, hash } = new URL(text, 'http://panel')
  return origin === 'http://panel' && !pathname.startsWith('//') && pathname !== '/login'
    ? pathname + search + hash
    : '/'
}
