import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { answerUnreadable } from '../web/answer/bare-page.ts'
import { Problem, problemBody } from './contract/problems.ts'

/** Answers an address that cannot be read, such as one with a lone %: programs get JSON, and people a page. */
export function answerUnreadableAddress(publicUrl: string) {
  const asPage = answerUnreadable(publicUrl)
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    if (request.raw.url?.startsWith('/api/v1/')) {
      const problem = new Problem('unreadable', 'The address holds what no address can.')
      reply
        .code(400)
        .headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
        .send(JSON.stringify(problemBody(problem, publicUrl, request.id)))
    } else asPage(error, request, reply)
  }
}
