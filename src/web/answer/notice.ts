import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../../config.ts'
import { readJson } from '../../db/json.ts'
import { cookieName, cookieOptions } from '../request/cookies.ts'

/** The form that takes an act back: an act as any other, with its own rights. */
export type Undo = { action: string; fields: Record<string, string> }

type Notice = { words: string; undo?: Undo | undefined }

/** What an act said, until the next page shows it: in a signed cookie. */
export function noticesOf(config: Config) {
  const options = { ...cookieOptions(config), signed: true }
  const name = cookieName(config, 'meshpanel-notice')

  function read(request: FastifyRequest): Notice {
    const cookie = request.cookies[name]
    const value = cookie && request.unsignCookie(cookie).value
    const [words, undo] = value ? readJson<[string, Undo?]>(value, ['']) : ['']
    return { words, undo }
  }

  return {
    keep(reply: FastifyReply, words: string, undo?: Undo): void {
      // A redirect to a redirect: what the first said is still to be shown.
      const waiting = reply.request.method === 'GET' ? read(reply.request).words : ''
      reply.setCookie(name, JSON.stringify([`${waiting} ${words}`.trim(), undo]), options)
    },
    take(reply: FastifyReply): { notice: string; undo: Undo | null } {
      const { words, undo } = read(reply.request)
      if (words) reply.clearCookie(name, options)
      return { notice: words, undo: undo ?? null }
    },
  }
}
