import { setImmediate } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import type { AccountId, UserId } from '../../db/ids.ts'
import { type Db, write } from '../../db/open.ts'
import { TooMany } from '../../mail/pace.ts'
import { actor } from '../request/viewer.ts'
import { LogInFirst, Refusal } from './errors.ts'

/** What became of several rows: which were changed, and of the others why not. */
export type SeveralResult<Key> = { changed: Key[]; left: { key: Key; why: string }[] }

type Change<Key> = {
  /** Changes one, or says why it stays. */
  change: (tx: Db, key: Key) => string | undefined
  /** What was done to so many of them. */
  words: (done: number) => string
  /** Why one that is not there any more stays. */
  gone: string
}

const notSavedNow = 'this could not be saved: try again'

/**
 * Changes rows one by one. Each has a transaction of its own, in which the right to do it is read again; other requests come
 * between. What is wrong with one of them stops no other. When the right ends on the way, or nothing can be saved any more,
 * the rest is left as it is.
 */
export async function changeSeveral<Key>(
  request: FastifyRequest,
  keys: Key[],
  { change, words, gone }: Change<Key>,
): Promise<SeveralResult<Key>> {
  const { db, storage } = request.server
  const by = actor(request)
  const result: SeveralResult<Key> = { changed: [], left: [] }

  for (const [n, key] of keys.entries()) {
    try {
      const why = write(db, { stillMay: (tx) => mustGoOn(tx) }, (tx) => change(tx, key))
      if (why === undefined) result.changed.push(key)
      else result.left.push({ key, why })
    } catch (error) {
      if (error instanceof RightEnded) throw n === 0 ? error.cause : noLonger(words(result.changed.length))
      if (storage.note(error)) {
        if (result.changed.length === 0) throw error
        result.left.push(...keys.slice(n).map((rest) => ({ key: rest, why: notSavedNow })))
        return result
      }
      result.left.push({ key, why: whyNotChanged(request, error, gone) })
    }
    await setImmediate()
  }
  return result

  function mustGoOn(tx: Db): void {
    try {
      by.stillMay?.(tx)
    } catch (cause) {
      throw cause instanceof Refusal || cause instanceof LogInFirst ? new RightEnded(cause) : cause
    }
  }
}

/** It is the actor who may do nothing more: an act can refuse one row with the same kind of error. */
class RightEnded extends Error {
  override readonly cause: Refusal | LogInFirst

  constructor(cause: Refusal | LogInFirst) {
    super(cause.message)
    this.cause = cause
  }
}

const noLonger = (done: string) => new Refusal(403, 'You can no longer do this', `${done} The rest was left as it was.`)

function whyNotChanged(request: FastifyRequest, error: unknown, gone: string): string {
  if (error instanceof Refusal && error.status === 404) return gone
  if (error instanceof TooMany || error instanceof Refusal) return error.message
  request.log.error({ err: error }, 'one of several rows could not be changed')
  return notSavedNow
}

const mostResults = 200

/** What the last act on several rows left undone, for the users who did that last, until the panel starts again. */
export class LastResults<Result> {
  readonly #results = new Map<string, Result>()

  keep(userId: UserId, accountId: AccountId, result: Result): void {
    const key = `${userId} ${accountId}`
    this.#results.delete(key)
    this.#results.set(key, result)
    const [oldest] = this.#results.keys()
    if (this.#results.size > mostResults && oldest !== undefined) this.#results.delete(oldest)
  }

  of(userId: UserId, accountId: AccountId): Result | undefined {
    return this.#results.get(`${userId} ${accountId}`)
  }
}
