import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type * as z from 'zod'
import { forgetHourly } from '../db/forgetting.ts'
import { write } from '../db/open.ts'
import { TooMany } from '../mail/pace.ts'
import { forgetReplays } from '../people/tokens/replays/data.ts'
import { Refusal } from '../web/answer/errors.ts'
import { readInTurns } from '../web/lists/turns.ts'
import { type ActiveAccount, actor, supportActor } from '../web/request/viewer.ts'
import { isVersion, stable, stableWithAll, versionOf } from './contract/etag.ts'
import { type Act, type Call, isAct, isListing, type Operation } from './contract/operation.ts'
import {
  ofStorage,
  Problem,
  type ProblemName,
  pointerTo,
  problemBody,
  problems,
  type ValueError,
} from './contract/problems.ts'
import { apiDocument } from './document.ts'
import { readListQuery, showPage } from './lists.ts'
import { operations } from './operations.ts'
import { keepAnswer, repeatOf, replayed } from './repeats.ts'
import token from './token.ts'

const prefix = '/api/v1'

/** So many answers are forgotten before requests get their turn. */
const forgottenAtOnce = 500

/** The API: JSON for programs, beside the pages. It knows no cookie and no form, and its errors are problems (RFC 9457). */
export default async function api(app: FastifyInstance): Promise<void> {
  app.removeContentTypeParser(['text/plain'])
  app.setErrorHandler(answerProblem)
  await app.register(token)
  // Answers that were kept for repeats a day ago.
  const clockIsWrong = () => app.clock.look() !== undefined
  const stopForgetting = forgetHourly({ storage: app.storage, clockIsWrong }, () =>
    forgetReplays(app.db, app.now(), forgottenAtOnce),
  )
  app.addHook('onClose', async () => stopForgetting())
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })

  app.get(`${prefix}/openapi.json`, { config: { can: 'api.see', api: true, tokenless: true } }, async () =>
    apiDocument(app.config.publicUrl),
  )
  for (const operation of operations) add(app, operation)
  for (const [path, methods] of methodsByPath()) refuseOthers(app, path, methods)
  const config = { can: 'api.see', api: true } as const
  app.all(`${prefix}/*`, { config }, async () => {
    throw new Problem('not-found')
  })
}

const routePath = (path: string) => prefix + path.replaceAll(/\{(\w+)\}/g, ':$1')

function add(app: FastifyInstance, operation: Operation): void {
  app.route({
    method: operation.method,
    url: routePath(operation.path),
    config: { can: operation.can, api: true },
    handler: async (request, reply) => answer(operation, request, reply),
  })
}

function methodsByPath(): Map<string, string[]> {
  const all = new Map<string, string[]>()
  for (const { path, method } of operations) all.set(path, [...(all.get(path) ?? []), method])
  return all
}

/** An address that is there, asked in a way that it does not know. */
function refuseOthers(app: FastifyInstance, path: string, methods: string[]): void {
  const others = (['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).filter((method) => !methods.includes(method))
  const allow = [...methods, ...(methods.includes('GET') ? ['HEAD'] : [])].sort().join(', ')
  app.route({
    method: others,
    url: routePath(path),
    config: { can: 'api.see', api: true },
    handler: async () => {
      throw new Problem('method-not-allowed', undefined, { headers: { allow } })
    },
  })
}

/** Operations of Support act as Support and in no account: they do not read it. */
function actingIn({ path }: Operation, request: FastifyRequest): Pick<Call, 'by' | 'account'> {
  return path.startsWith('/support/')
    ? { by: supportActor(request), account: request.viewer.account as ActiveAccount }
    : { by: actor(request), account: request.member.account }
}

async function answer(operation: Operation, request: FastifyRequest, reply: FastifyReply) {
  const { db, config } = request.server
  const call: Call = { request, db, ...actingIn(operation, request), body: undefined, query: {} }
  const query = request.query as Record<string, unknown>
  if (isListing(operation)) {
    const list = await readInTurns(
      request,
      (asked) => operation.list(call, asked),
      readListQuery(query, operation.spec),
    )
    const page = showPage(list, (row) => operation.show(row as never, call))
    if (page.next !== null) {
      const more = new URLSearchParams({ ...(query as Record<string, string>), cursor: page.next })
      reply.header('link', `<${config.publicUrl}${request.url.split('?', 1)[0]}?${more}>; rel="next"`)
    }
    return reply.send(page)
  }
  const known = 'parameters' in operation ? (operation.parameters ?? {}) : {}
  const [unknown] = Object.keys(query).filter((name) => !Object.hasOwn(known, name))
  if (unknown !== undefined) throw new Problem('unreadable', `This address has no parameter ${unknown}.`)
  if (isAct(operation)) return perform(operation, call, reply)
  for (const [name, { schema, words }] of Object.entries(known)) {
    const parsed = schema.safeParse(query[name])
    if (!parsed.success) throw new Problem('unreadable', `${name} is not valid. ${words}`)
    call.query[name] = String(parsed.data)
  }
  const body = operation.read(call)
  if (operation.lines) reply.header('vary', 'accept')
  if (operation.lines && 'data' in body && /(^|,)\s*application\/jsonl\b/.test(request.headers.accept ?? ''))
    return sendLines(reply, body.data as object[])
  const etag = versionOf(body)
  reply.header('etag', etag)
  if (isVersion(request.headers['if-none-match'], etag)) return reply.code(304).send()
  return reply.send(body)
}

/** JSON Lines: one object a line. */
function sendLines(reply: FastifyReply, rows: object[]) {
  return reply.type('application/jsonl').send(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
}

/** An act and all that belongs to it are one transaction: its right, the version it was made on, and the answer for a repeat. */
function perform(operation: Act, call: Call, reply: FastifyReply) {
  const { request } = call
  const body = operation.body ? readBody(operation.body, request.body) : undefined
  if (!operation.body && request.body !== undefined && request.body !== null)
    throw new Problem('unreadable', 'This operation takes no body.')
  const repeat = operation.method === 'POST' ? repeatOf(request) : undefined
  const done = write(call.db, call.by, (tx) => {
    const earlier = repeat && replayed(tx, request, repeat)
    if (earlier) return earlier
    const inside: Call = { ...call, db: tx, body: undefined }
    mustBeCurrent(operation, inside)
    const done = operation.do({ ...inside, body } as never)
    if (done instanceof Problem && !done.more.recorded) throw done
    if (done instanceof Problem) return done
    const answered = done.body ? { ...done, etag: versionOf(done.body) } : done
    if (repeat) keepAnswer(tx, request, repeat, answered)
    return answered
  })
  if (done instanceof Problem) throw done
  if ('replay' in done) reply.header('idempotent-replayed', 'true')
  if (done.location !== undefined) reply.header('location', request.server.config.publicUrl + prefix + done.location)
  if (done.body === undefined) return reply.code(done.status).send()
  if (done.etag !== undefined) reply.header('etag', done.etag)
  return reply.code(done.status).send(done.body)
}

/** Throws if the object is no longer the one that the program has read. */
function mustBeCurrent(operation: Act, call: Call): void {
  const wanted = call.request.headers['if-match']
  if (wanted === undefined) return
  if (!operation.current) throw new Problem('unreadable', 'This operation takes no If-Match.')
  const now = operation.current(call)
  const compared = operation.method === 'DELETE' ? stableWithAll : stable
  if (!now || !isVersion(wanted, versionOf(now), compared)) throw new Problem('stale')
}

/** Reads a body. Throws the problem that names each value that is not valid. */
function readBody<Body extends z.ZodType>(schema: Body, body: unknown): z.output<Body> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Problem('unreadable')
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new Problem('invalid', undefined, { errors: parsed.error.issues.flatMap(valueErrors) })
}

function valueErrors(issue: z.core.$ZodIssue): ValueError[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      pointer: pointerTo([...issue.path, key]),
      code: 'unknown-field',
      detail: 'This operation does not know the field.',
    }))
  return [{ pointer: pointerTo(issue.path), code: issue.code.replaceAll('_', '-'), detail: issue.message }]
}

function answerProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const problem = asProblem(error, request)
  const { status } = problems[problem.problem]
  if (status >= 500) request.log.error({ err: error, status }, 'request failed')
  else request.log.info({ status, refusal: problem.problem, code: error.code }, 'request refused')
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="meshpanel"')
  if (status === 503) reply.header('retry-after', '5')
  return reply
    .code(status)
    .headers(problem.more.headers ?? {})
    .type('application/problem+json')
    .send(JSON.stringify(problemBody(problem, request.server.config.publicUrl, request.id)))
}

/** What Fastify and the data functions throw, in the API’s words. */
function asProblem(error: FastifyError, request: FastifyRequest): Problem {
  const storage = request.server.storage.note(error)
  if (storage) return new Problem(ofStorage[storage])
  if (error instanceof Problem) return error
  if (error instanceof TooMany)
    return new Problem('too-many', error.message, {
      headers: { 'retry-after': String(Math.ceil(error.wait / 1_000)) },
    })
  const byStatus: Record<number, ProblemName> = {
    400: 'unreadable',
    403: 'forbidden',
    404: 'not-found',
    409: 'conflict',
    413: 'too-large',
    415: 'not-json',
  }
  const name = byStatus[error instanceof Refusal ? error.status : (error.statusCode ?? 500)]
  return name ? new Problem(name) : new Problem('internal')
}
