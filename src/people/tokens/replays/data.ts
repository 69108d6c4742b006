import { and, eq, gt, inArray, lt, ne, or, type SQL } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import { type Db, writeUnchecked } from '../../../db/open.ts'
import { apiReplays, apiTokens } from '../../../db/schema.ts'
import { type Secrets, unsealed } from '../../../secrets.ts'

// The first answers to requests with an Idempotency-Key, for their repeats. A key belongs to a token and to all that replaced it.

const day = 24 * 3_600_000

/** `tokenId` is the first token of those that replaced one another. */
type Key = { tokenId: number; keyHash: string }

/** The first answer to a request with this Idempotency-Key, of the last 24 hours. */
export function findReplay(db: Db, { tokenId, keyHash }: Key, at: number) {
  const row = db
    .select()
    .from(apiReplays)
    .where(and(eq(apiReplays.tokenId, tokenId), eq(apiReplays.keyHash, keyHash)))
    .get()
  return row && row.at <= at && at - row.at < day ? row : undefined
}

/** Keeps an answer for repeats. Call it in the transaction of the act. */
export function keepReplay(tx: Db, row: typeof apiReplays.$inferInsert): void {
  const { tokenId, keyHash, ...rest } = row
  tx.insert(apiReplays)
    .values(row)
    .onConflictDoUpdate({ target: [apiReplays.tokenId, apiReplays.keyHash], set: rest })
    .run()
}

/** Forgets at most `limit` answers that are a day old, or of the future. False if there are no more. */
export function forgetReplays(db: Db, at: number, limit: number): boolean {
  return writeUnchecked(db, (tx) => {
    const old = tx
      .select({ tokenId: apiReplays.tokenId, keyHash: apiReplays.keyHash })
      .from(apiReplays)
      .where(or(lt(apiReplays.at, at - day), gt(apiReplays.at, at)))
      .limit(limit)
      .all()
    for (const key of old) tx.delete(apiReplays).where(isOf(key)).run()
    return old.length === limit
  })
}

const isOf = ({ tokenId, keyHash }: Key) => and(eq(apiReplays.tokenId, tokenId), eq(apiReplays.keyHash, keyHash))

/** Forgets the answers to a user’s tokens: nobody has these any more. */
export const forgetReplaysOfUser = (tx: Db, userId: UserId) => deleteReplays(tx, eq(apiTokens.userId, userId))

/** Forgets the answers to the tokens of an account. */
export const forgetReplaysOfAccount = (tx: Db, accountId: AccountId) =>
  deleteReplays(tx, eq(apiTokens.accountId, accountId))

function deleteReplays(tx: Db, whose: SQL): void {
  const tokenIds = tx.select({ id: apiTokens.id }).from(apiTokens).where(whose)
  tx.delete(apiReplays).where(inArray(apiReplays.tokenId, tokenIds)).run()
}

/**
 * Forgets what answers say that name somebody, to whichever token. That something was done with their keys stays known, so that it is
 * not done again.
 */
export function forgetAnswersNaming(tx: Db, secrets: Secrets, isNamedIn: (text: string) => boolean): void {
  const all = tx.select().from(apiReplays).where(ne(apiReplays.answer, '')).all()
  for (const { tokenId, keyHash, answer } of all)
    if (mayName(unsealed(secrets, answer), isNamedIn))
      tx.update(apiReplays).set({ answer: '', requestHash: '' }).where(isOf({ tokenId, keyHash })).run()
}

/** Its texts are looked at as they are, and not as JSON writes them. One that cannot be opened may name anybody. */
function mayName(answer: string | undefined, isNamedIn: (text: string) => boolean): boolean {
  const texts: string[] = []
  JSON.parse(answer ?? 'null', (_name, value) => {
    if (typeof value === 'string') texts.push(value)
    return value
  })
  return answer === undefined || isNamedIn(texts.join('\n'))
}
