import { setImmediate as turn } from 'node:timers/promises'
import { and, eq, getTableColumns, gt, gte, inArray, lt, or, type SQL, sql } from 'drizzle-orm'
import type { AccountId, UserId } from '../../../db/ids.ts'
import { type Db, write, writeUnchecked } from '../../../db/open.ts'
import { apiReplays, apiTokens } from '../../../db/schema.ts'
import type { Actor } from '../../../records/record.ts'
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

/** Forgets the answers to the tokens of an account. */
export const forgetReplaysOfAccount = (tx: Db, accountId: AccountId) =>
  tx
    .delete(apiReplays)
    .where(inArray(apiReplays.tokenId, idsOfTokens(tx, eq(apiTokens.accountId, accountId))))
    .run()

const idsOfTokens = (tx: Db, whose: SQL) => tx.select({ id: apiTokens.id }).from(apiTokens).where(whose)

/** Whose answers are forgotten, and how a text is seen to name them. */
export type Erased = { userId: UserId; isNamedIn: (text: string) => boolean }

/** So many are looked at before others have their turn. */
const part = 100
/** The clock may be set back by so much between the turns. */
const margin = 60_000

/**
 * Forgets what kept answers say that name somebody, to whichever token, and all that their own tokens got, some at a time with
 * turns for other requests in between. Returns from when on answers are left to look at, in the transaction that erases the user.
 */
export async function forgetAnswersInTurns(db: Db, by: Actor, secrets: Secrets, erased: Erased): Promise<number> {
  const since = by.at - margin
  const behind = (place: number) =>
    db
      .select({ ...getTableColumns(apiReplays), place: sql<number>`rowid`.as('place') })
      .from(apiReplays)
      .where(sql`rowid > ${place}`)
      .orderBy(sql`rowid`)
      .limit(part)
      .all()
  let place = 0
  for (;;) {
    const rows = behind(place)
    const gone = rows.filter(isOfErased(db, secrets, erased))
    if (gone.length > 0) write(db, by, (tx) => emptyAnswers(tx, gone))
    if (rows.length < part) return since
    place = rows.at(-1)?.place ?? place
    await turn()
  }
}

/**
 * The same at once, for the answers since then: all of them if no time is given. That something was done with their keys stays
 * known for a day, so that it is not done again.
 */
export function forgetAnswers(tx: Db, secrets: Secrets, erased: Erased, since = 0): void {
  const rows = tx.select().from(apiReplays).where(gte(apiReplays.at, since)).all()
  emptyAnswers(tx, rows.filter(isOfErased(tx, secrets, erased)))
}

type Replay = typeof apiReplays.$inferSelect

function emptyAnswers(tx: Db, rows: Replay[]): void {
  for (const row of rows) tx.update(apiReplays).set({ answer: '', requestHash: '' }).where(isOf(row)).run()
}

function isOfErased(db: Db, secrets: Secrets, { userId, isNamedIn }: Erased): (row: Replay) => boolean {
  const owned = idsOfTokens(db, eq(apiTokens.userId, userId)).all()
  const ids = new Set(owned.map(({ id }) => id))
  return ({ tokenId, answer }) => answer !== '' && (ids.has(tokenId) || mayName(unsealed(secrets, answer), isNamedIn))
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
