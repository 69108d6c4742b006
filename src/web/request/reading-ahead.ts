import type { FastifyRequest } from 'fastify'

/** Whether a browser only reads ahead what somebody may open later: it prefetches, prerenders or previews a page. */
export function isReadAhead({ headers }: FastifyRequest): boolean {
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((name) =>
    /prefetch|prerender|preview/i.test(String(headers[name] ?? '')),
  )
}
