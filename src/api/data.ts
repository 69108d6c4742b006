import { and, eq, gt, isNull, lt, or } from 'drizzle-orm'
import { type Db, writeUnchecked } from '../db/open.ts'
import { apiReplays, apiTokens } from '../db/schema.ts'

const minute = 60_000
const day = 24 * 60 * minute

/** Notes when and from where a token was used; at most once a minute. */
export function noteTokenUse(db: Db, tokenId: number, at: number, ip: string): void {
  db.update(apiTokens)
    .set({ lastUsedAt: at, lastUsedIp: ip })
    .where(
      and(
        eq(apiTokens.id, tokenId),
        or(isNull(apiTokens.lastUsedAt), lt(apiTokens.lastUsedAt, at - minute), gt(apiTokens.lastUsedAt, at)),
      ),
    )
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
    for (const { tokenId, keyHash } of old)
      tx.delete(apiReplays)
        .where(and(eq(apiReplays.tokenId, tokenId), eq(apiReplays.keyHash, keyHash)))
        .run()
    return old.length === limit
  })
}
