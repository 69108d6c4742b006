import type { Server } from 'node:http'
import { pipeline, type Readable, Transform } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { UserId } from '../../db/ids.ts'
import { Refusal } from './errors.ts'

/** A slow reader holds data between the database and the network, so a user may have only so many downloads at once. */
const atOnce = 4
/** Milliseconds without a byte taken: the reader is gone, or wants to hold the panel up. */
const longestPause = 60_000
/** Milliseconds from its beginning to its end, however it is read. */
const longestDownload = 30 * 60_000
/** It ends so many milliseconds after the right to it, also for somebody who takes a byte a minute. */
const askEvery = 10_000

/** How many each user has open, by the panel’s HTTP server: plugins have instances of their own. */
const open = new WeakMap<Server, Map<UserId, number>>()

/**
 * Sends a file as it is made, no faster than it is read, and only as long as its reader may have it: asked before
 * each part, since what is written into it may be newer than the right to it. Throws a 429 for
 * somebody who has many open; nothing was made then.
 */
export function sendFile(reply: FastifyReply, name: string, type: string, make: () => Readable): FastifyReply {
  const { signedIn } = reply.request
  const { server } = reply.server
  const counts = open.get(server) ?? new Map<UserId, number>()
  open.set(server, counts)
  const now = counts.get(signedIn.id) ?? 0
  if (now >= atOnce) {
    reply.header('retry-after', '60')
    throw new Refusal(
      429,
      'Too many downloads at once',
      `You have ${atOnce} downloads open. Wait until one of them ends, then try again.`,
    )
  }
  const file = whileAllowed(reply, make())
  counts.set(signedIn.id, now + 1)
  file.once('close', () => {
    const left = (counts.get(signedIn.id) ?? 1) - 1
    if (left > 0) counts.set(signedIn.id, left)
    else counts.delete(signedIn.id)
  })
  reply.raw.setTimeout(longestPause, () => reply.raw.destroy())
  return reply.type(type).header('content-disposition', `attachment; filename="${name}"`).send(file)
}

/** The file up to the part before which the right to it, or its time, has ended: there its connection breaks off. */
function whileAllowed({ raw, request, server }: FastifyReply, file: Readable): Readable {
  const { mustStillMay } = request
  // The server's clock may be changed during the download.
  const until = performance.now() + longestDownload
  const ask = () => {
    mustStillMay(server.db)
    if (performance.now() >= until) throw new Error('The download took too long.')
  }
  const parts = new Transform({
    transform(part, _encoding, done) {
      try {
        ask()
      } catch (error) {
        return done(error as Error)
      }
      // A reader on the same machine takes parts as fast as they are made: other requests come between.
      setImmediate(done, null, part)
    },
  })
  const asking = setInterval(() => {
    try {
      ask()
    } catch {
      raw.destroy()
    }
  }, askEvery)
  asking.unref()
  pipeline(file, parts, () => clearInterval(asking))
  return parts
}
