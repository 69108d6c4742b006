import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { asUserId, type UserId } from '../../db/ids.ts'
import { ownPath } from '../answer/redirects.ts'
import type { Values } from './forms.ts'

// What somebody typed into a page whose session had ended when the form was sent. It is kept in memory for its author
// only, not for the next person who logs in with that browser: each form says, sealed with the installation's key, whose
// page it was on. So nobody can fill this memory without logging in, or for somebody else.

declare module 'fastify' {
  interface FastifyInstance {
    /** Forms that were sent after their session had ended. */
    unsentForms: UnsentForms
  }
}

export type UnsentForm = {
  /** What the form is recognised by (`_once`). */
  once: string
  action: string
  account: string | undefined
  /** The page that it stood on. */
  page: string
  fields: Record<string, string | string[]>
  /** How the form is sent again: urlencoded, pasted lines take up to three times as many bytes. */
  enctype: 'application/x-www-form-urlencoded' | 'multipart/form-data'
  /** Something was typed that is never kept, such as a password. */
  secretTyped: boolean
}

export type UnsentForms = {
  /** Keeps what was typed into the form of a request. False where there is nothing, or nobody, to keep it for. */
  keep: (request: FastifyRequest, page: string) => boolean
  /** The ones of a user, the newest first. */
  of: (userId: UserId) => UnsentForm[]
  /** Forgets a form that has been sent. */
  forget: (userId: UserId, once: string) => void
}

/** Never sent back into a page. */
export const secretFields = [
  'password',
  'repeated',
  'current',
  'code',
  'secret',
  'clientSecret',
  'credential',
  '_credential',
  '_proof',
  'file',
]

/** Milliseconds that a form is kept. */
const lifetime = 3_600_000
const mostOfUser = 5
const mostUsers = 200

export default fp(async (app) => {
  const forms = new Map<UserId, (UnsentForm & { at: number })[]>()
  app.decorate('unsentForms', {
    keep(request, page) {
      const userId = authorOf(request)
      const form = userId === undefined ? undefined : read(request, page)
      if (userId === undefined || !form) return false
      const others = living(userId).filter(({ once }) => once !== form.once)
      forms.delete(userId)
      forms.set(userId, [{ ...form, at: app.now() }, ...others].slice(0, mostOfUser))
      for (const one of forms.keys()) {
        if (forms.size <= mostUsers && living(one).length > 0) break
        forms.delete(one)
      }
      return true
    },
    of: living,
    forget(userId, once) {
      const rest = living(userId).filter((form) => form.once !== once)
      if (rest.length > 0) forms.set(userId, rest)
      else forms.delete(userId)
    },
  } satisfies UnsentForms)

  function living(userId: UserId) {
    return (forms.get(userId) ?? []).filter(({ at }) => app.now() - at < lifetime)
  }
})

/** Whose page a form is on, according to its field `_user`. */
export function authorSeal(key: string, userId: UserId): string {
  return `${userId}.${createHmac('sha256', key).update(`form of user ${userId}`).digest('base64url')}`
}

/** The user on whose page the form of this request stood; undefined where it does not say so truly. */
export function authorOf({ body, formMeta, server }: FastifyRequest): UserId | undefined {
  const given = formMeta?.author ?? (body as Values | undefined)?._user
  const [, id] = typeof given === 'string' ? (/^(\d{1,15})\.[\w-]{43}$/.exec(given) ?? []) : []
  if (typeof given !== 'string' || id === undefined) return undefined
  const userId = asUserId(Number(id))
  return timingSafeEqual(Buffer.from(given), Buffer.from(authorSeal(server.secrets.forms, userId))) ? userId : undefined
}

/** Whether a request carries its form as browsers send files. */
export function isMultipart({ headers }: FastifyRequest): boolean {
  return headers['content-type']?.startsWith('multipart/form-data') ?? false
}

function read(request: FastifyRequest, page: string): UnsentForm | undefined {
  if (request.routeOptions.config.secret || request.routeOptions.config.repeatable) return undefined
  const { formMeta } = request
  const { _csrf, _user, _switch, _proof, _account, _once, _back, ...typed } = (request.body ?? {}) as Values
  const once = formMeta?.once ?? _once
  const account = formMeta?.account ?? _account
  if (typeof once !== 'string' || !once || once.length > 100 || Array.isArray(account)) return undefined
  const fields: UnsentForm['fields'] = {}
  let secretTyped = false
  for (const [name, value] of Object.entries(typed)) {
    if (value === undefined) continue
    if (secretFields.includes(name)) secretTyped ||= value !== ''
    else fields[name] = value
  }
  // A button that was only pressed is pressed again on its page.
  if (Object.values(fields).every((value) => value === '')) return undefined
  const enctype = isMultipart(request) ? 'multipart/form-data' : 'application/x-www-form-urlencoded'
  return { once, action: request.url, account, page: ownPath(page), fields, enctype, secretTyped }
}
