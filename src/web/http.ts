import { randomUUID } from 'node:crypto'
import type { FastifyRequest } from 'fastify'

/** A slow client holds nothing for longer than ten seconds. */
export const httpLimits = {
  requestTimeout: 10_000,
  keepAliveTimeout: 10_000,
  bodyLimit: 64 * 1024,
  http: { headersTimeout: 8_000, connectionsCheckingInterval: 1_000 },
  genReqId: () => randomUUID(),
  requestIdHeader: false as const,
  routerOptions: { maxParamLength: 200 },
}

/** JSON lines without queries, tokens, cookies or what was typed. */
export function logging(level: string) {
  return {
    level,
    serializers: {
      req: (request: FastifyRequest) => ({ method: request.method, path: withoutToken(request.url), ip: request.ip }),
      res: (reply: { statusCode: number }) => ({ statusCode: reply.statusCode }),
      err: (error: Error) => ({ type: error.name, message: error.message, stack: error.stack ?? '' }),
    },
  }
}

function withoutToken(url: string): string {
  const path = url.split('?', 1)[0] ?? ''
  return path.replace(/^\/(invitations|setup|password-reset|profile\/email)\/[^/]+/, '/$1/…')
}
