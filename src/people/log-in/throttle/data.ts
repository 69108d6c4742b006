import { isIPv6 } from 'node:net'
import { eq, lt } from 'drizzle-orm'
import type { UserId } from '../../../db/ids.ts'
import { type Db, writeUnchecked } from '../../../db/open.ts'
import { throttles } from '../../../db/schema.ts'
import { hashToken } from '../../../secrets.ts'
import { emailKey } from '../../../web/fields.ts'

// Guessing is slowed down by the account that is guessed at, and by the address that guesses (ASVS
// 6.3.1). Nobody is locked out for good: the delay of an account ends at 15 minutes.

const second = 1_000
const minute = 60 * second
const day = 24 * 60 * minute

const freeTries = 5
const longestDelay = 15 * minute
const triesPerAddress = 30

/**
 * What an attempt counts for: the account (or the browser or session of its own user), and the address that it comes
 * from. Those that are known to be their user's have no address, so that nobody else at it can use up their tries, but
 * an owner: the user's id, the same in all their browsers and sessions.
 */
export type Attempt = { account: string; address: string | undefined; owner?: UserId | undefined }

/** What counts strangers' attempts on an address; a mailed reset clears it. */
export const logInCounter = (email: string) => `log-in ${emailKey(email)}`
export const resetCounter = (email: string) => `reset ${emailKey(email)}`

/**
 * Counts an attempt before it is made, so that parallel ones count too. Returns 0 when it may be
 * made, or the milliseconds to wait; then it was not counted.
 */
export function admit(db: Db, { account, address }: Attempt, at: number): number {
  return writeUnchecked(db, (tx) => {
    tx.delete(throttles)
      .where(lt(throttles.at, at - day))
      .run()
    const byAccount = findUntil(tx, accountKey(account), at)
    const byAddress = address === undefined ? undefined : findUntil(tx, addressKey(address), at)
    const wait = Math.max(
      byAccount ? byAccount.at + delayAfter(byAccount.tries) - at : 0,
      byAddress && byAddress.tries >= triesPerAddress ? byAddress.at + minute - at : 0,
    )
    if (wait > 0) return wait
    put(tx, accountKey(account), (byAccount?.tries ?? 0) + 1, at)
    if (address === undefined) return 0
    // An address’s minute begins with its first attempt.
    const goesOn = byAddress && at < byAddress.at + minute
    put(tx, addressKey(address), goesOn ? byAddress.tries + 1 : 1, goesOn ? byAddress.at : at)
    return 0
  })
}

/** An attempt that succeeded counts for nothing, and ends what came before it. */
export function forgive(db: Db, { account, address }: Attempt): void {
  writeUnchecked(db, (tx) => {
    tx.delete(throttles)
      .where(eq(throttles.key, accountKey(account)))
      .run()
    const byAddress = address === undefined ? undefined : find(tx, addressKey(address))
    if (byAddress) put(tx, byAddress.key, Math.max(0, byAddress.tries - 1), byAddress.at)
  })
}

/** None for the first tries, then five seconds that double. */
function delayAfter(tries: number): number {
  return tries < freeTries ? 0 : Math.min(longestDelay, 5 * second * 2 ** Math.min(tries - freeTries, 20))
}

/** A hash, since an address that somebody mistyped is nobody’s business. */
function accountKey(account: string): string {
  return `account ${hashToken(account)}`
}

function addressKey(address: string): string {
  return `address ${networkOf(address)}`
}

/** One household or server has a whole /64 of IPv6. */
export function networkOf(address: string): string {
  return isIPv6(address) && !address.includes('.') ? network64(address) : address
}

function network64(address: string): string {
  const [head = '', tail] = address.split('::')
  const left = head.split(':').filter(Boolean)
  const right = (tail ?? '').split(':').filter(Boolean)
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}

function find(tx: Db, key: string) {
  return tx.select().from(throttles).where(eq(throttles.key, key)).get()
}

/** A time in the future comes from a clock that was wrong: it counts as now from here on, or the wait would start again each time. */
function findUntil(tx: Db, key: string, at: number) {
  const row = find(tx, key)
  if (!row || row.at <= at) return row
  put(tx, key, row.tries, at)
  return { ...row, at }
}

function put(tx: Db, key: string, tries: number, at: number): void {
  tx.insert(throttles)
    .values({ key, tries, at })
    .onConflictDoUpdate({ target: throttles.key, set: { tries, at } })
    .run()
}
