import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Config } from '../config.ts'
import { ConfigError } from '../settings.ts'

// Where PUBLIC_URL has a path, the panel works below it: addresses lose it when they come in and get it when they go
// out (here: in redirects and cookies; eta.ts: in pages). All between knows the panel's own paths alone.

/** The panel's own path of an address, whether or not a proxy has taken the path of PUBLIC_URL off it. */
export function withoutBase(base: string, url: string): string {
  const rest = url.slice(base.length)
  return url.startsWith(base) && /^([/?#]|$)/.test(rest) ? rest.replace(/^(?!\/)/, '/') : url
}

/** An option of Fastify. */
export function takeBaseOff({ base }: Config): { rewriteUrl?: (request: IncomingMessage) => string } {
  return base ? { rewriteUrl: ({ url = '/' }) => withoutBase(base, url) } : {}
}

/** Redirects and cookies name the panel's own paths; browsers follow and keep them below the base. A hook. */
export async function putBaseBefore(_request: unknown, reply: FastifyReply): Promise<void> {
  const { base } = reply.server.config
  if (!base) return
  const to = reply.getHeader('location')
  if (typeof to === 'string' && to.startsWith('/')) reply.header('location', base + to)
  const cookies = [reply.getHeader('set-cookie') ?? []].flat().map(String)
  reply.removeHeader('set-cookie')
  for (const cookie of cookies) reply.header('set-cookie', cookie.replace(/; Path=\/(?=;|$)/, `; Path=${base}`))
}

/** Throws a ConfigError where it could not be told whether a path begins with the base or with a page of the panel. */
export function refusePagesAsBase({ config: { base }, routeTable, assets }: FastifyInstance): void {
  const addresses = [assets, ...routeTable.map(({ url }) => url)]
  if (base && addresses.some((url) => `${url}/`.startsWith(`${base}/`)))
    throw new ConfigError(`PUBLIC_URL: ${base} is where the panel has pages of its own. Choose another path.`)
}
