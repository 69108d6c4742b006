import type { FastifyInstance } from 'fastify'
import { forgetReplays } from './data.ts'

const hour = 3_600_000
/** So many rows go before requests get their turn. */
const atOnce = 500

/** Forgets, every hour and at the start, the answers that were kept for repeats a day ago. */
export function startForgetting(app: FastifyInstance): void {
  const { db, storage, clock, now } = app
  let stopped = false
  const work = () => {
    let more = false
    // A clock that is wrong would take what is still needed.
    if (!stopped && !clock.look())
      storage.attempt(() => {
        more = forgetReplays(db, now(), atOnce)
      })
    if (more) setImmediate(work)
  }
  const timer = setInterval(work, hour).unref()
  setImmediate(work)
  app.addHook('onClose', async () => {
    stopped = true
    clearInterval(timer)
  })
}
