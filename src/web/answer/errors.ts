import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { StorageProblem } from '../../db/storage-problem.ts'
import { TooMany } from '../../mail/pace.ts'
import { can } from '../../policy.ts'
import { withoutBase } from '../base.ts'
import { authorOf, secretFields } from '../request/unsent.ts'
import { visitor } from '../request/viewer.ts'
import type { RefusalPage } from './refusal.ts'

/** A request that is refused: thrown anywhere in a handler or hook, shown as a page. */
export class Refusal extends Error {
  readonly status: number
  readonly title: string
  readonly shown: RefusalPage

  constructor(status: number, title: string, message: string, shown: RefusalPage = { view: 'errors/error' }) {
    super(message)
    this.status = status
    this.title = title
    this.shown = shown
  }
}

/** Nobody is logged in: sent to log in, and back from there. */
export class LogInFirst extends Error {
  readonly step: '/login' | '/login/second-factor'
  readonly back: string

  constructor(request: FastifyRequest, back = whereToReturn(request)) {
    super('Log in first.')
    this.step = request.viewer.halfSignedIn ? '/login/second-factor' : '/login'
    this.back = back
  }
}

/** What was typed into a form is kept until its author has logged in. */
function toLogIn({ step, back }: LogInFirst, request: FastifyRequest, reply: FastifyReply) {
  const unsent = request.method === 'POST' && isOfOwnPage(request) && request.server.unsentForms.keep(request, back)
  return unsent
    ? reply.seeOther(
        `${step}?next=${encodeURIComponent('/unsent-forms')}`,
        'Your session has ended. Nothing was changed, and what you typed is kept: log in to send it.',
      )
    : reply.redirect(`${step}?next=${encodeURIComponent(back)}`, 303)
}

/** The page that somebody was on. */
export function whereToReturn(request: FastifyRequest): string {
  if (request.method === 'GET') return request.url
  const { referer } = request.headers
  if (!referer || !URL.canParse(referer)) return '/'
  const { pathname, search } = new URL(referer)
  return withoutBase(request.server.config.base, pathname) + search
}

/** Whether a request comes from nobody who is logged in, and needs somebody who is. */
export function isTurnedAway({ viewer, routeOptions }: FastifyRequest): boolean {
  const { can: action } = routeOptions.config
  return action !== undefined && !viewer.user && !can(viewer.standings, action)
}

/** For things that do not exist and things of other accounts: the answers cannot be told apart. */
export function notFound(): Refusal {
  return new Refusal(404, 'Page not found', 'There is nothing here, or nothing that you may see.')
}

export function forbidden(): Refusal {
  return new Refusal(
    403,
    'Not allowed',
    'Your role in this account does not allow this. An admin of the account can do it, or change your role.',
  )
}

/** Passes a row on; undefined, which is a foreign or missing one, becomes a 404. */
export function orNotFound<Row>(row: Row | undefined): Row {
  if (row === undefined) throw notFound()
  return row
}

export function badAddress(message: string): Refusal {
  return new Refusal(400, 'This address cannot be read', `${message} Open the page again from the menu.`)
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, 'This form cannot be read', message)
}

/** A form that acts in an account names it. */
export const withoutAccount = () =>
  badRequest('This form does not say which account it belongs to. Open the page again.')

const tooMuch = [413, 'Too much at once', 'A form can hold up to 64 KiB. Send less, in several steps.'] as const

export function tooLarge(): Refusal {
  return new Refusal(...tooMuch)
}

export function fileTooLarge(): Refusal {
  return new Refusal(
    413,
    'Too much at once',
    'A file can hold up to 10 MiB. Split it, and import its parts one by one.',
  )
}

/** Words for the refusals that come from the framework, by its error codes. */
const frameworkRefusals: Record<string, readonly [status: number, title: string, message: string]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: tooMuch,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'This form cannot be read', 'The panel takes plain HTML forms only.'],
  FST_ERR_CTP_EMPTY_TYPE: [415, 'This form cannot be read', 'The panel takes plain HTML forms only.'],
  FST_CSRF_MISSING_SECRET: [
    403,
    'This form is out of date',
    'Nothing was changed. Open the page again and send the form again. The panel needs cookies for this.',
  ],
  FST_CSRF_INVALID_TOKEN: [
    403,
    'This form is out of date',
    'Nothing was changed. You have logged in or out since it was opened.',
  ],
}

const stillPossible = 'Nothing was changed. You can go on reading, and log out.'

/** Words for when nothing can be saved. 507: Insufficient Storage (RFC 4918, 11.5). */
const storageRefusals: Record<StorageProblem, [status: number, title: string, message: string]> = {
  full: [507, 'The disk is full', `The panel cannot save anything until Support makes room. ${stillPossible}`],
  failing: [
    507,
    'The disk fails',
    `The panel’s disk does not take what is written to it. Support must look. ${stillPossible}`,
  ],
  'read-only': [503, 'Nothing can be saved now', `The panel’s data is read-only for now. ${stillPossible}`],
  moved: [
    503,
    'The data is not in its place',
    `The panel’s database was moved, deleted or replaced. Support must bring it back. ${stillPossible}`,
  ],
  damaged: [
    503,
    'The database is damaged',
    `The panel saves nothing more until Support has restored a backup. ${stillPossible}`,
  ],
  locked: [503, 'The database is busy', `Another program holds it. Try again in a moment. ${stillPossible}`],
}

export default fp(async (app: FastifyInstance) => {
  app.setNotFoundHandler(() => {
    throw notFound()
  })

  app.setErrorHandler(async (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    if (error instanceof LogInFirst) return toLogIn(error, request, reply)
    const refusal = notSaved(error, request) ?? outOfDate(error, request) ?? asRefusal(error)
    const { status, shown } = refusal
    // A download that fails before its first byte.
    for (const header of ['content-encoding', 'content-disposition']) reply.removeHeader(header)
    if (error instanceof Refusal || status < 500)
      request.log.info({ status, refusal: shown.view.replace('errors/', ''), code: error.code }, 'request refused')
    else request.log.error({ err: error, status }, 'request failed')
    if (status === 503) reply.header('retry-after', '5')
    if (error instanceof TooMany) reply.header('retry-after', String(Math.ceil(error.wait / 1_000)))
    reply.code(status)
    try {
      return await show(refusal, request, reply)
    } catch (second) {
      // The bar on top is read from the database, which may be what fails.
      request.log.error({ err: second }, 'the error page failed')
      request.viewer = visitor
      return show(refusal, request, reply)
    }
  })
})

function show(refusal: Refusal, request: FastifyRequest, reply: FastifyReply) {
  const { view, ...data } = refusal.shown
  return reply.page(view, {
    title: refusal.title,
    message: refusal.message,
    // A 404 reads the same for everything that is not there, so the page carries no id.
    requestId: refusal.status >= 500 ? request.id : '',
    ...data,
  })
}

/** The disk is full, or something similar: the form is offered again, unless something secret was typed. */
function notSaved(error: FastifyError, request: FastifyRequest): Refusal | undefined {
  const problem = request.server.storage.note(error)
  if (!problem) return undefined
  const [status, title, message] = storageRefusals[problem]
  // What the form says about itself is taken out of it once its token has proved right.
  const fields = request.formMeta && typedFields(request)
  if (!fields) return new Refusal(status, title, message)
  const account = request.formMeta.account ?? ''
  return new Refusal(status, title, message, { view: 'errors/not-saved', formAction: request.url, fields, account })
}

/** What was typed into a form, to be offered again. Undefined if it holds something secret, or a file. */
function typedFields(request: FastifyRequest): Record<string, string | string[]> | undefined {
  const { _csrf, _once, _switch, _user, _back, ...fields } = (request.body ?? {}) as Record<string, string | string[]>
  return Object.entries(fields).some(([name, value]) => value !== '' && secretFields.includes(name))
    ? undefined
    : fields
}

/**
 * A form whose token is of another session, or of none: it is shown again with what was typed. Only
 * where the browser says that it came from a page of ours, or another site could fill in the form that
 * somebody then sends. Undefined for every other error, and where what was typed is secret.
 */
function outOfDate(error: FastifyError, request: FastifyRequest): Refusal | undefined {
  const known = frameworkRefusals[error.code]
  if (!known || !error.code.startsWith('FST_CSRF_') || !request.viewer?.user) return undefined
  if (!isOfOwnPage(request)) return undefined
  const [status, title, message] = known
  const author = authorOf(request)
  if (author !== undefined && author !== request.viewer.user.id) {
    const unsent = request.server.unsentForms.keep(request, whereToReturn(request))
    return new Refusal(status, title, unsent ? `${message} What was typed is kept for its author.` : message)
  }
  const fields = typedFields(request)
  if (!fields) return undefined
  return new Refusal(status, title, message, { view: 'errors/out-of-date', formAction: request.url, fields })
}

/** The browser says that a form came from a page of ours. */
function isOfOwnPage({ headers, server }: FastifyRequest): boolean {
  return headers['sec-fetch-site'] === 'same-origin' || headers.origin === server.config.origin
}

function asRefusal(error: FastifyError): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof TooMany) return new Refusal(429, 'Not yet', `Nothing was changed. ${error.message}`)
  const known = frameworkRefusals[error.code]
  if (known) return new Refusal(...known)
  if (error.statusCode && error.statusCode < 500) {
    return new Refusal(error.statusCode, 'This request cannot be read', 'Go back and try again.')
  }
  return new Refusal(
    500,
    'Something went wrong',
    'It is not your fault, and nothing was changed. Try again; if it happens again, tell Support the number below.',
  )
}
