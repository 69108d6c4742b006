import { setImmediate } from 'node:timers/promises'
import { and } from 'drizzle-orm'
import type { AccountId } from '../../../db/ids.ts'
import type { Db } from '../../../db/open.ts'
import { invitations } from '../../../db/schema.ts'
import { isOneOf } from '../../../db/search.ts'
import { type Invitation, pendingOf } from './invitation.ts'

/** So many are read without letting other requests in between. */
const slice = 250

/** Of these, the account's pending invitations, by name. All others are left out. */
export async function listPendingAmong(db: Db, accountId: AccountId, ids: number[]): Promise<Invitation[]> {
  const pending: Invitation[] = []
  for (let from = 0; from < ids.length; from += slice) {
    const among = isOneOf(invitations.id, ids.slice(from, from + slice))
    pending.push(
      ...db
        .select()
        .from(invitations)
        .where(and(pendingOf(accountId), among))
        .all(),
    )
    await setImmediate()
  }
  return pending.sort((one, other) => one.name.localeCompare(other.name))
}
