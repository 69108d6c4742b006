import type { FastifyInstance } from 'fastify'

/** Milliseconds; an answer on the same machine takes a tenth of it. */
const afterAnswer = 20

/** Does something soon, and at the latest when the panel stops. `failed` hears why it could not be done. */
export type Later = (act: () => void, failed: (error: unknown) => void) => void

/**
 * Writes the letter when the answer is long at its reader: it comes as soon for an unknown address
 * (ASVS 6.3.8). Right after it, the write still delayed the reader measurably.
 */
export function afterTheAnswer(app: FastifyInstance): Later {
  const waiting = new Set<() => void>()
  app.addHook('preClose', async () => {
    for (const run of waiting) run()
  })
  return (act, failed) => {
    const run = () => {
      clearTimeout(timer)
      waiting.delete(run)
      try {
        act()
      } catch (error) {
        if (app.storage.note(error)) app.storage.afterwards(act)
        else failed(error)
      }
    }
    const timer = setTimeout(run, afterAnswer)
    waiting.add(run)
  }
}
