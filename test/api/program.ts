import type { FastifyInstance } from 'fastify'
import type { Db } from '../../src/db/open.ts'
import type { CastName } from '../../src/demo.ts'
import { createApiToken } from '../../src/people/tokens/data.ts'
import { scopeFamilies, type TokenScope } from '../../src/policy.ts'
import { byItself } from '../../src/records/record.ts'
import { accountId, there, userId } from '../harness.ts'
import { whyUndocumented } from './answers.ts'

// Programs that ask the API: each sends one token, and reads JSON.

export const everyScope = scopeFamilies.flatMap((family): TokenScope[] =>
  family === 'history' ? ['history:read'] : [`${family}:write`],
)

export type Reply = {
  status: number
  headers: Record<string, string | string[] | number | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: what a program reads
  body: any
  text: string
}

/** A token of one of the cast for an account, made without the page. */
export function tokenOf(
  panel: { db: Db; app: FastifyInstance },
  who: CastName,
  account: string | null,
  { scopes = everyScope, networks = [], days = 90 }: { scopes?: TokenScope[]; networks?: string[]; days?: number } = {},
): string {
  const by = { ...byItself(panel.app.now()), userId: userId(panel, who) }
  return there(
    createApiToken(panel.db, by, account === null ? null : accountId(panel, account), {
      name: `${who} here`,
      scopes,
      networks,
      days,
    }),
  ).token
}

/** Asks the API below /api/v1. */
export function program(app: FastifyInstance, token?: string) {
  return async (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Reply> => {
    const answer = await app.inject({
      method,
      url: `/api/v1${path}`,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const isJson = /json(;|$)/.test(String(answer.headers['content-type'] ?? '')) && answer.body !== ''
    const wrong = whyUndocumented(method, path, {
      status: answer.statusCode,
      headers: answer.headers,
      body: isJson ? JSON.parse(answer.body) : answer.headers['content-type'] === undefined ? undefined : answer.body,
    })
    if (wrong) throw new Error(wrong)
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: isJson ? JSON.parse(answer.body) : undefined,
      text: answer.body,
    }
  }
}
