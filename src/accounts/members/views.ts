import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { upTo } from '../../web/format.ts'
import { countRole } from './data.ts'

/** The tabs of the list: everybody, and those of a role. */
export function memberViews(db: Db, accountId: AccountId) {
  return [
    { label: 'All', filters: {}, n: countRole(db, accountId) },
    { label: 'Admins', filters: { role: 'admin' }, n: countRole(db, accountId, 'admin') },
    { label: 'Users', filters: { role: 'member' }, n: countRole(db, accountId, 'member') },
  ].map((view) => ({ ...view, n: upTo(view.n), look: '' }))
}
