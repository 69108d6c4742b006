import { randomUUID } from 'node:crypto'
import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { deadlines } from '../request/deadline.ts'
import { bareHeaders, barePage } from './bare-page.ts'

export const httpLimits = {
  // For an upload; deadline.ts ends every other request earlier, and both with a page.
  requestTimeout: deadlines.upload + 10_000,
  keepAliveTimeout: 10_000,
  bodyLimit: 64 * 1024,
  http: { headersTimeout: 8_000, connectionsCheckingInterval: 1_000 },
  // While it stops, what still comes on an open connection is answered, and the connection closed.
  return503OnClosing: false,
  genReqId: () => randomUUID(),
  requestIdHeader: false as const,
  routerOptions: { maxParamLength: 200 },
  // Forms are read with zod (forms.ts): a compiler of JSON schemas would only be loaded.
  schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
}

function noSchemas(): never {
  throw new Error('A route has a JSON schema: its form is read with zod instead.')
}

/** Milliseconds after which an answer is worth a warning. */
const slow = 1_000

/** One line a request, at its end; a slow one is a warning, so that it shows at LOG_LEVEL=warn too. */
class RequestLog extends LogController {
  override incomingRequest(request: FastifyRequest): void {
    request.log.debug({ req: request }, 'incoming request')
  }

  override requestCompleted(error: Error | null, request: FastifyRequest, reply: FastifyReply): void {
    const responseTime = Math.round(reply.elapsedTime)
    const line = { req: request, res: reply, responseTime }
    if (error) request.log.error({ ...line, err: error }, 'request errored')
    else request.log[responseTime >= slow ? 'warn' : 'info'](line, 'request completed')
  }
}

export const requestLog = new RequestLog()

/** JSON lines without queries, tokens, cookies or what was typed. */
export function logging(level: string) {
  return {
    level,
    serializers: {
      req: (request: FastifyRequest) => ({
        method: request.method,
        path: loggedPath(request),
        route: request.routeOptions.url,
        ip: request.ip,
      }),
      res: (reply: { statusCode: number }) => ({ statusCode: reply.statusCode }),
      err: (error: Error) => ({ type: error.name, message: error.message, stack: error.stack ?? '' }),
    },
  }
}

/**
 * The path, where it cannot hold a token. For routes with a secret address, this is the route's pattern, however the
 * address was spelled. An address without a route may be a misspelled link, so it is left out.
 */
function loggedPath({ url, routeOptions }: FastifyRequest): string | undefined {
  if (routeOptions.url === undefined || routeOptions.config.secret) return routeOptions.url
  return url.split('?', 1)[0]
}

/** RFC 9112, 3.2: exactly one valid Host. Node refuses none at all in HTTP/1.1, but takes the first of several. */
export function refuseUnclearHost(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { rawHeaders, headers } = request.raw
  const hosts = rawHeaders.filter((name, n) => n % 2 === 0 && name.toLowerCase() === 'host').length
  if (hosts <= 1 && /^[^\s,/@?#\\]*$/.test(headers.host ?? '')) done()
  else {
    const words = 'The request must name one host: send exactly one valid Host header.'
    reply.code(400).headers(bareHeaders)
    reply.send(barePage('This request cannot be read', words, request.server.config.publicUrl))
  }
}

/** An address with slashes at its end leads to the one without, which is a path of the panel's own. */
export async function withoutEndingSlash(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const [path = ''] = request.url.split('?', 1)
  const [, bare] = /^((?:\/[^/\\]+)+)\/+$/.exec(path) ?? []
  if (bare && ['GET', 'HEAD'].includes(request.method) && !path.startsWith('/assets/'))
    await reply.redirect(bare + request.url.slice(path.length), 308)
}
