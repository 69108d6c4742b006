import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from './contract/problems.ts'

// How often a token may ask: 600 times a minute, 60 of them at once. A bucket fills by one every tenth of a second. It is
// in memory: only one process has the database, and a restart harms nobody.

const perMinute = 600
const atOnce = 60
const every = 60_000 / perMinute

/** In the order of their last use, so that the oldest goes first. */
const mostBuckets = 10_000

export function newPace(now: () => number) {
  const buckets = new Map<number, { left: number; at: number }>()

  /** Counts the request, tells how many are left, and refuses it if none is. */
  return (request: FastifyRequest, reply: FastifyReply): void => {
    if (!request.apiToken) return
    const { id } = request.apiToken
    const bucket = buckets.get(id)
    // A clock that was set back fills nothing, and takes nothing.
    const filled = bucket ? Math.max(0, now() - bucket.at) / every : 0
    const full = bucket ? Math.min(atOnce, bucket.left + filled) : atOnce
    const left = full - 1
    buckets.delete(id)
    buckets.set(id, { left: Math.max(left, full < 1 ? full : 0), at: now() })
    const [oldest] = buckets.keys()
    if (buckets.size > mostBuckets && oldest !== undefined) buckets.delete(oldest)
    // draft-ietf-httpapi-ratelimit-headers
    reply.header('ratelimit-policy', `"token";q=${perMinute};w=60`)
    reply.header('ratelimit', `"token";r=${Math.max(0, Math.floor(left))};t=1`)
    if (full < 1)
      throw new Problem('too-many', `A token may be used ${perMinute} times a minute, ${atOnce} of them at once.`, {
        headers: { 'retry-after': '1' },
      })
  }
}
