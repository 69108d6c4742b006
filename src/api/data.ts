import { and, eq, gt, isNull, lt, or } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { apiTokens } from '../db/schema.ts'

const minute = 60_000

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
