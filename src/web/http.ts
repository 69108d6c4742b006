import { randomUUID } from 'node:crypto'
import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'

/** A slow client holds nothing for longer than ten seconds. */
export const httpLimits = {
  requestTimeout: 10_000,
  keepAliveTimeout: 10_000,
  bodyLimit: 64 * 1024,
  http: { headersTimeout: 8_000, connectionsCheckingInterval: 1_000 },
  // While it stops, what still comes on an open connection is answered, and the connection closed.
  return503OnClosing: false,
  genReqId: () => randomUUID(),
  requestIdHeader: false as const,
  routerOptions: { maxParamLength: 200 },
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
        path: withoutToken(request.url),
        route: request.routeOptions.url,
        ip: request.ip,
      }),
      res: (reply: { statusCode: number }) => ({ statusCode: reply.statusCode }),
      err: (error: Error) => ({ type: error.name, message: error.message, stack: error.stack ?? '' }),
    },
  }
}

function withoutToken(url: string): string {
  const path = url.split('?', 1)[0] ?? ''
  return path.replace(/^\/(invitations|setup|password-reset|profile\/email)\/[^/]+/, '/$1/…')
}
