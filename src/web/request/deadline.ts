import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Refusal } from '../answer/errors.ts'
import { plural } from '../format.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Gives the body of a request longer to arrive, because the sender may send a file. */
    allowUpload: () => void
  }
}

/** Milliseconds in which a request has to arrive. */
export type Deadlines = { form: number; upload: number }

/** A slow client holds nothing for longer than ten seconds; 10 MiB at 100 kB/s take 105. */
export const deadlines: Deadlines = { form: 10_000, upload: 5 * 60_000 }

/**
 * Node has one time limit for all requests, and uploads need a long one; the shorter limits are enforced here. A client
 * that sends too slowly is told so. If it does not read, or the answer has begun, the connection is closed.
 */
export default fp<{ times: Deadlines }>(async (app: FastifyInstance, { times }) => {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>()

  function endAfter(request: FastifyRequest, reply: FastifyReply, time: number): void {
    clearTimeout(timers.get(request))
    const timer = setTimeout(() => refuse(request, reply, time), time)
    timer.unref()
    timers.set(request, timer)
  }

  app.decorateRequest('allowUpload', () => {})
  app.addHook('onRequest', (request, reply, done) => {
    const { 'content-length': length, 'transfer-encoding': chunked } = request.headers
    if (length !== undefined || chunked !== undefined) {
      request.allowUpload = () => endAfter(request, reply, times.upload)
      endAfter(request, reply, times.form)
      for (const over of ['end', 'close']) request.raw.once(over, () => clearTimeout(timers.get(request)))
    }
    done()
  })
})

function refuse({ raw, log }: FastifyRequest, reply: FastifyReply, time: number): void {
  if (raw.complete) return
  if (reply.sent || reply.raw.headersSent) {
    raw.destroy()
    return
  }
  log.info({ time }, 'the request took too long')
  reply.header('connection', 'close')
  const late = new Refusal(
    408,
    'This took too long',
    `It did not arrive within ${inWords(time)}. Nothing was changed. Try again, on a faster connection if you can.`,
  )
  // The reader of the body gets this error as for any body that does not arrive complete.
  if (raw.listenerCount('error') > 0) raw.emit('error', late)
  else reply.send(late)
}

const inWords = (time: number) =>
  time < 120_000 ? plural(Math.round(time / 1_000), 'second') : plural(Math.round(time / 60_000), 'minute')
