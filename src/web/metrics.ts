import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import type { UserId } from '../db/ids.ts'
import { observeWrites } from '../db/open.ts'

/** How an attempt to log in ended. */
const logInResults = [
  'succeeded',
  'first step',
  'wrong password',
  'wrong code',
  'wrong passkey',
  'wrong single sign-on',
  'disabled',
  'too many',
] as const

export type LogInResult = (typeof logInResults)[number]

declare module 'fastify' {
  interface FastifyInstance {
    /** What this panel counts and measures. */
    metrics: Registry
    /** What the process uses: memory, processor, delay of the event loop. */
    processMetrics: Registry
    logIns: Counter<'result'>
  }
}

/** Counts requests by the pattern of their route, never by address: an address may hold anything. */
export default fp(async (app: FastifyInstance) => {
  const metrics = new Registry()
  const registers = [metrics]
  const requests = new Histogram({
    name: 'meshpanel_http_request_seconds',
    help: 'Requests by route, method and status, and how long they took.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.15, 0.5, 1, 2.5, 10],
    registers,
  })
  const writes = new Histogram({
    name: 'meshpanel_write_seconds',
    help: 'How long write transactions took, with their fsync.',
    buckets: [0.001, 0.005, 0.02, 0.05, 0.15, 0.5, 1, 5],
    registers,
  })
  const logIns = new Counter({
    name: 'meshpanel_log_ins_total',
    help: 'Attempts to log in, by how they ended.',
    labelNames: ['result'],
    registers,
  })
  for (const result of logInResults) logIns.inc({ result }, 0)

  app.decorate('metrics', metrics)
  app.decorate('processMetrics', ofThisProcess())
  app.decorate('logIns', logIns)

  const stop = observeWrites((seconds) => writes.observe(seconds))
  app.addHook('onClose', async () => stop())
  app.addHook('onResponse', async (request, reply) => {
    const labels = { method: request.method, route: routeOf(request), status: reply.statusCode }
    requests.observe(labels, reply.elapsedTime / 1_000)
  })
})

/** Notes an attempt to log in, in the log and the count: whose it was where that is known, never the address typed. */
export function noteLogInResult(request: FastifyRequest, result: LogInResult, userId?: UserId): void {
  request.server.logIns.inc({ result })
  request.log.info({ result, user: userId }, result === 'succeeded' ? 'logged in' : 'log-in')
}

function routeOf(request: FastifyRequest): string {
  const { url } = request.routeOptions
  if (url === undefined) return 'none'
  // Their address changes with each version.
  return url.startsWith(request.server.assets) ? '/assets' : url
}

let processMetrics: Registry | undefined

/** A process has these once, whatever number of panels the tests start in it. */
function ofThisProcess(): Registry {
  if (!processMetrics) {
    processMetrics = new Registry()
    collectDefaultMetrics({ register: processMetrics })
  }
  return processMetrics
}
