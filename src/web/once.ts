import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { hashToken } from '../secrets.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Where an act that succeeded leads to, and what it says: set by `reply.seeOther`. */
    outcome: Outcome | undefined
    /** Tells those who wait for this request’s outcome. */
    settle: (() => void) | undefined
  }
}

type Outcome = { path: string; notice: string | undefined }
type Submission = { at: number; outcome: Promise<Outcome | undefined> }

/** Longer than anybody waits before pressing a button again. */
const remembered = 10 * 60_000
const most = 10_000

/**
 * The same form of the same page, sent twice (a double click, a reload, a retry), does the thing once:
 * the second gets the answer of the first, and waits for it. Acts that change the session are done
 * again, since a cookie is their answer. Only one process has the database, so memory is enough; what
 * must hold across a restart is held by the schema’s constraints.
 */
export default fp(async (app: FastifyInstance) => {
  const submissions = new Map<string, Submission>()

  app.decorateRequest('outcome')
  app.decorateRequest('settle')

  app.addHook('preHandler', async (request, reply) => {
    const key = keyOf(request)
    if (!key) return
    const earlier = await find(key)
    if (earlier) return reply.seeOther(earlier.path, earlier.notice)

    const { sessionId } = request.session
    const outcome = new Promise<Outcome | undefined>((resolve) => {
      request.settle = () => {
        const done = request.session?.sessionId === sessionId ? request.outcome : undefined
        if (!done) submissions.delete(key)
        resolve(done)
      }
    })
    submissions.set(key, { at: app.now(), outcome })
    forgetOldest()
  })

  app.addHook('onSend', async (request) => request.settle?.())

  async function find(key: string): Promise<Outcome | undefined> {
    const earlier = submissions.get(key)
    return earlier && app.now() - earlier.at < remembered ? earlier.outcome : undefined
  }

  function forgetOldest(): void {
    const [oldest] = submissions.keys()
    if (submissions.size > most && oldest !== undefined) submissions.delete(oldest)
  }
})

/** Undefined for what is no form of a signed-in user’s page. */
function keyOf(request: FastifyRequest): string | undefined {
  const once = request.formMeta?.once
  if (!once || !request.viewer.user) return undefined
  return hashToken(JSON.stringify([request.viewer.sessionKey, once, request.url, request.body]))
}
