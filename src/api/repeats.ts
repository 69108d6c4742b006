import type { FastifyRequest } from 'fastify'
import type { Db } from '../db/open.ts'
import { findReplay, keepReplay } from '../people/tokens/replays/data.ts'
import { hashToken, seal, unseal } from '../secrets.ts'
import type { Answer } from './contract/operation.ts'
import { Problem } from './contract/problems.ts'

// An act that is asked for again, with the same Idempotency-Key, is answered as before and not done again.

type Repeat = { keyHash: string; requestHash: string }

/** A request with an Idempotency-Key, and what tells it from others. */
export function repeatOf(request: FastifyRequest): Repeat | undefined {
  const { 'idempotency-key': key } = request.headers
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw new Problem('unreadable', 'The Idempotency-Key must have 1 to 255 visible characters.')
  return {
    keyHash: hashToken(key),
    requestHash: hashToken(JSON.stringify([request.method, request.url, request.body ?? null])),
  }
}

export function replayed(tx: Db, request: FastifyRequest, repeat: Repeat): (Answer & { replay: true }) | undefined {
  const { now, secrets } = request.server
  const row = findReplay(tx, { tokenId: tokenIdOf(request), keyHash: repeat.keyHash }, now())
  if (!row) return undefined
  if (row.answer === '')
    throw new Problem(
      'conflict',
      'This was done before. What it was answered with is gone, with a user who was deleted.',
    )
  if (row.requestHash !== repeat.requestHash) throw new Problem('idempotency-key-reused')
  return { ...(JSON.parse(unseal(secrets, row.answer)) as Answer), replay: true }
}

/** Keeps an answer. Call it in the transaction of the act. */
export function keepAnswer(tx: Db, request: FastifyRequest, repeat: Repeat, answered: Answer): void {
  const { now, secrets } = request.server
  keepReplay(tx, {
    tokenId: tokenIdOf(request),
    ...repeat,
    status: answered.status,
    answer: seal(secrets, JSON.stringify(answered)),
    at: now(),
  })
}

/** A key stays used when a token is replaced: a program that asks again with the successor must not act twice. */
function tokenIdOf({ apiToken }: FastifyRequest): number {
  if (!apiToken) throw new Error('An act of the API needs a token.')
  return apiToken.firstId
}
