import { createHash } from 'node:crypto'

/** Fields that change without an edit of the object: people work, and others take from the same pool. */
const volatile = new Set([
  'last_seen_at',
  'last_used_at',
  'users',
  'admins',
  'people',
  'allocated',
  'available',
  'limited_by',
])

/** In an answer, a mark of what is deleted with the object. It is not sent: only its ETag tells. */
export const deletedAlong = Symbol('deleted along')

/**
 * An ETag of three parts: of what edits change, for If-Match, of all that the answer says, for If-None-Match, and of what is deleted with the
 * object, for the If-Match of DELETE. So a change is not refused because somebody has clicked somewhere.
 */
export function versionOf(body: object): string {
  const edited = JSON.stringify(body, (name, value) => {
    // Their names are keys of resources, which may be any word.
    if (name === 'limits' && value !== null && typeof value === 'object') return Object.entries(value)
    return volatile.has(name) ? undefined : value
  })
  const along = (body as { [deletedAlong]?: string })[deletedAlong]
  return `"${digest(edited)}.${digest(JSON.stringify(body))}${along === undefined ? '' : `.${digest(along)}`}"`
}

const digest = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, 16)
/** The part of a version that If-Match compares. */
export const stable = (etag: string) => etag.replace(/^W\//, '').replace(/\..*$/, '')
/** The parts that the If-Match of DELETE compares. */
export const stableWithAll = (etag: string) => `${stable(etag)}${/\..*(\..*)$/.exec(etag)?.[1] ?? ''}`

/** Whether a header names a version, or any (RFC 9110, 13.1). */
export function isVersion(
  header: string | undefined,
  etag: string,
  part = (tag: string) => tag.replace(/^W\//, ''),
): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => one.trim() === '*' || part(one.trim()) === part(etag))
}
