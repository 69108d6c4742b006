import type { AccountId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { upTo } from '../../web/format.ts'
import { countRole } from './data.ts'
import { memberListWithFactors } from './factors/data.ts'

/** The tabs of the list: everybody, and those of a role. */
export function memberViews(db: Db, accountId: AccountId, seesFactors = false) {
  const counted = [
    { label: 'All', filters: {}, n: countRole(db, accountId) },
    { label: 'Admins', filters: { role: 'admin' }, n: countRole(db, accountId, 'admin') },
    { label: 'Users', filters: { role: 'member' }, n: countRole(db, accountId, 'member') },
  ].map((view) => ({ ...view, n: upTo(view.n), look: '' }))
  if (!seesFactors) return counted
  const { factor } = memberListWithFactors.filters
  return [...counted, { label: factor.none, filters: { factor: 'none' }, n: undefined, look: '' }]
}
