import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { newestRecord, type RecordMark, recordsAfter } from '../../records/record.ts'
import { hashToken } from '../../secrets.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Where an act that succeeded leads to, and what it says: set by `reply.seeOther`. */
    outcome: Outcome | undefined
    /** Tells those who wait for this request’s outcome. */
    settle: (() => void) | undefined
  }
  interface FastifyContextConfig {
    /** Its form does the same however often it is sent: it is done again each time. */
    repeatable?: boolean
  }
}

type Outcome = { path: string; notice: string | undefined }
type Done = Outcome & { at: number; requestId: string; before: number }
type Submission = { at: number; done: Promise<Done | undefined> }

/** Longer than anybody waits before pressing a button again. */
const remembered = 10 * 60_000
/** For so long a repeat may be told what the first was told: a double click, a retry of the browser. */
const sameMoment = 10_000
const most = 10_000
const sentBefore = 'This form was sent before. The page shows how things are now.'

/**
 * The same form of the same page, sent twice (a double click, a reload, a retry), does the thing once:
 * the second waits for the first and goes where it went. It says what the first said only while that is true
 * for certain; else that the form was sent before. Acts that change the session are done again, since a cookie is
 * their answer. Only one process has the database, so memory is enough; what must hold across a restart is held by
 * the schema’s constraints.
 */
export default fp(async (app: FastifyInstance) => {
  const submissions = new Map<string, Submission>()

  app.decorateRequest('outcome')
  app.decorateRequest('settle')

  app.addHook('preHandler', async (request, reply) => {
    const key = keyOf(request)
    if (!key) return
    const earlier = await find(key)
    if (earlier) return reply.seeOther(earlier.path, earlier.notice && (holds(earlier) ? earlier.notice : sentBefore))

    const { sessionId } = request.session
    const before = newestRecord(app.db)
    const done = new Promise<Done | undefined>((resolve) => {
      request.settle = () => {
        const outcome = request.session?.sessionId === sessionId ? request.outcome : undefined
        if (!outcome) submissions.delete(key)
        resolve(outcome && { ...outcome, at: app.now(), requestId: request.id, before })
      }
    })
    submissions.set(key, { at: app.now(), done })
    forgetOldest()
  })

  app.addHook('onSend', async (request) => request.settle?.())

  async function find(key: string): Promise<Done | undefined> {
    const earlier = submissions.get(key)
    return earlier && app.now() - earlier.at < remembered ? earlier.done : undefined
  }

  /** Whether what an act said is still so: it was a moment ago, and nobody has touched the same accounts and users since. */
  function holds({ at, requestId, before }: Done): boolean {
    if (app.now() - at > sameMoment) return false
    const marks: RecordMark[] = []
    for (const mark of recordsAfter(app.db, before)) {
      if (mark.requestId === requestId) marks.push(mark)
      else if (marks.some((one) => concernSame(one, mark))) return false
    }
    // An act that changed nothing told how things were: that holds until anything changes.
    return marks.length > 0 || newestRecord(app.db) === before
  }

  function forgetOldest(): void {
    const [oldest] = submissions.keys()
    if (submissions.size > most && oldest !== undefined) submissions.delete(oldest)
  }
})

function concernSame(one: RecordMark, other: RecordMark): boolean {
  const ofNobody = other.accountId === null && other.userId === null
  return ofNobody
    ? one.accountId === null && one.userId === null
    : (other.accountId !== null && other.accountId === one.accountId) ||
        (other.userId !== null && other.userId === one.userId)
}

/** Undefined if it is not a form from a signed-in user’s page. */
function keyOf(request: FastifyRequest): string | undefined {
  const once = request.formMeta?.once
  if (!once || !request.viewer.user || request.routeOptions.config.repeatable) return undefined
  return hashToken(JSON.stringify([request.viewer.sessionKey, once, request.url, request.body]))
}
