import type { FastifyReply, FastifyRequest } from 'fastify'
import { emailKey } from '../web/fields.ts'
import { plural } from '../web/format.ts'
import { type Attempt, admit } from './data.ts'

/** The attempt that a request makes on somebody’s log-in. */
export function attemptOn(request: FastifyRequest, email: string): Attempt {
  return { account: emailKey(email), address: request.ip }
}

/** Undefined when the attempt may be made; else the words that say when, with the answer’s status and header set. */
export function tooSoon(request: FastifyRequest, reply: FastifyReply, attempt: Attempt): string | undefined {
  const wait = admit(request.server.db, attempt, request.server.now())
  if (wait === 0) return undefined
  const seconds = Math.ceil(wait / 1_000)
  reply.code(429).header('retry-after', String(seconds))
  const words = seconds < 60 ? plural(seconds, 'second') : plural(Math.ceil(seconds / 60), 'minute')
  return `Too many attempts. Try again in ${words}.`
}
