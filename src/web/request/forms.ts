import csrfProtection from '@fastify/csrf-protection'
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type * as z from 'zod'
import { badRequest, isTurnedAway, LogInFirst, Refusal } from '../answer/errors.ts'
import { cookieName, cookieOptions } from './cookies.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the form says about itself, apart from its fields. */
    formMeta: {
      account: string | undefined
      switchBack: boolean
      proof: string
      /** A passkey’s answer that confirms who somebody is, instead of a code or password. */
      credential: string
      once: string
      /** Whose page it stood on (unsent.ts). */
      author: string
      /** The list that its page was opened from (lists/list.ts). */
      back: string
    }
  }
}

export type Values = Record<string, string | string[] | undefined>

/** A form as a page shows it: the typed values and their errors. */
export type Form = { values: Values; errors: Record<string, string | undefined> }

export type ReadForm<Input> = (Form & { input: Input }) | (Form & { input: undefined })

export function newForm(values: Values = {}): Form {
  return { values, errors: {} }
}

/**
 * Reads a form's fields. Without `input` something is wrong, and `errors` says what at which field.
 * Throws a 400 for what the page's form cannot have sent: unknown or repeated fields, no version.
 */
export function readForm<Input>(schema: z.ZodType<Input>, body: unknown): ReadForm<Input> {
  const values = { ...(body as Values) }
  const parsed = schema.safeParse(values)
  if (parsed.success) return { values, errors: {}, input: parsed.data }

  const errors: Form['errors'] = {}
  for (const issue of parsed.error.issues) {
    const field = String(issue.path[0] ?? '')
    if (issue.code === 'unrecognized_keys')
      throw badRequest('It holds a field that this page does not have. Open the page again.')
    if (issue.code === 'invalid_type' && Array.isArray(values[field]))
      throw badRequest('It holds a field twice. Open the page again.')
    if (field === 'version')
      throw badRequest('It does not say which version of the page it was made on. Open the page again.')
    errors[field] ??= issue.message
  }
  return { values, errors, input: undefined }
}

export default fp(async (app: FastifyInstance) => {
  const { origin, publicUrl } = app.config

  await app.register(formbody, { bodyLimit: 64 * 1024 })
  app.removeContentTypeParser(['application/json', 'text/plain'])

  await app.register(csrfProtection, {
    sessionPlugin: '@fastify/cookie',
    cookieKey: cookieName(app.config, 'meshpanel-form'),
    cookieOpts: cookieOptions(app.config),
    csrfOpts: { hmacKey: app.secrets.forms },
    getToken: (request) => String((request.body as Values | undefined)?._csrf ?? ''),
    getUserInfo: (request) => request.viewer.sessionKey,
  })

  app.decorateRequest('formMeta')
  app.addHook('preValidation', (request, reply, done) => {
    if (request.method !== 'POST') return done()
    if (isTurnedAway(request)) return done(new LogInFirst(request))
    if (!isOwnOrigin(request, origin)) {
      throw new Refusal(
        403,
        'This form is not from here',
        `It was sent by another site, so nothing was changed. The panel’s own address is ${publicUrl}.`,
      )
    }
    // A form without any field is sent without a body.
    request.body ??= {}
    app.csrfProtection(request, reply, done)
  })
  app.addHook('preValidation', async (request) => {
    if (request.method !== 'POST') return
    const { _csrf, _account, _switch, _proof, _credential, _once, _user, _back, ...fields } = request.body as Values
    if (Object.values(fields).flat().length > 100)
      throw badRequest('It holds more than 100 fields. Send it in several steps.')
    if (Array.isArray(_account)) throw badRequest('It names two accounts. Open the page again.')
    request.formMeta = {
      account: _account,
      switchBack: _switch === 'yes',
      proof: typeof _proof === 'string' ? _proof : '',
      credential: typeof _credential === 'string' ? _credential : '',
      once: typeof _once === 'string' ? _once : '',
      author: typeof _user === 'string' ? _user : '',
      back: typeof _back === 'string' ? _back.slice(0, 2_100) : '',
    }
    request.body = fields
    if (request.viewer.user) app.unsentForms.forget(request.viewer.user.id, request.formMeta.once)
  })
})

/**
 * Browsers say where a form comes from; one that says nothing at all is told apart by its token.
 * A page whose address is a secret sends no referrer, and with it the origin `null`.
 */
function isOwnOrigin(request: FastifyRequest, ownOrigin: string): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (site === 'same-origin') return true
  if (site !== undefined && site !== 'none') return false
  return (
    origin === undefined || origin === ownOrigin || (origin === 'null' && request.routeOptions.config.secret === true)
  )
}
