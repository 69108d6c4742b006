import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIPv6 } from 'node:net'
import type { FastifyRequest } from 'fastify'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** What proxies add to a request. */
const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']

/**
 * Whether a request may read the metrics: with METRICS_TOKEN set, requests that carry it; without, requests from this
 * machine that came through no proxy, because behind a proxy anybody could ask.
 */
export function mayReadMetrics(request: FastifyRequest): boolean {
  const { metricsToken, trustProxy } = request.server.config
  if (metricsToken) return isToken(request.headers.authorization, metricsToken)
  return trustProxy.length === 0 && isLocal(request) && !proxyHeaders.some((name) => name in request.headers)
}

/** Compared as hashes, and so in the same time, whatever was guessed. */
function isToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1] ?? ''
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(token))
}

/** A name of this machine too: another that leads here is that of a proxy, or of a page that a browser here has open. */
function isLocal(request: FastifyRequest): boolean {
  const address = request.socket.remoteAddress ?? ''
  const name = request.hostname
  return (
    loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') && /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(name)
  )
}
