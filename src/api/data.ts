import { and, eq, isNull, lt, or } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { apiReplays, apiTokens } from '../db/schema.ts'

const minute = 60_000
const day = 24 * 60 * minute

/** Notes when and from where a token was used; at most once a minute. */
export function noteTokenUse(db: Db, tokenId: number, at: number, ip: string): void {
  db.update(apiTokens)
    .set({ lastUsedAt: at, lastUsedIp: ip })
    .where(and(eq(apiTokens.id, tokenId), or(isNull(apiTokens.lastUsedAt), lt(apiTokens.lastUsedAt, at - minute))))
    .run()
}

type Key = { tokenId: number; keyHash: string }

/** The first answer to a request with this Idempotency-Key, of the last 24 hours. */
export function findReplay(db: Db, { tokenId, keyHash }: Key, at: number) {
  const row = db
    .select()
    .from(apiReplays)
    .where(and(eq(apiReplays.tokenId, tokenId), eq(apiReplays.keyHash, keyHash)))
    .get()
  return row && at - row.at < day ? row : undefined
}

/** Keeps an answer for repeats, and forgets those that are a day old. Call it in the transaction of the act. */
export function keepReplay(tx: Db, row: typeof apiReplays.$inferInsert): void {
  tx.delete(apiReplays)
    .where(lt(apiReplays.at, row.at - day))
    .run()
  const { tokenId, keyHash, ...rest } = row
  tx.insert(apiReplays)
    .values(row)
    .onConflictDoUpdate({ target: [apiReplays.tokenId, apiReplays.keyHash], set: rest })
    .run()
}
