import { tellLimits } from '../../accounts/notices/data/notices.ts'
import { type Db, write } from '../../db/open.ts'
import type { MailContext } from '../../mail/outbox.ts'
import type { Actor } from '../../records/record.ts'
import type { Amounts, Holder, Shortage } from '../arithmetic.ts'
import { findQuotas, setLimits } from './limits.ts'

/** Sets limits as `setLimits` does, and tells the people of the account by e-mail where others have set them. */
export function giveLimits(
  db: Db,
  actor: Actor,
  holder: Holder,
  edit: { amounts: Amounts; remark: string; version: number; mail: MailContext },
): 'saved' | 'unchanged' | 'stale' | { shortages: Shortage[] } {
  return write(db, actor, (tx) => {
    const changed = (findQuotas(tx, holder)?.quotas ?? []).flatMap(({ resource, own }) => {
      const after = edit.amounts.get(resource.id)
      return after === undefined || after === own.limit ? [] : [{ resource, before: own.limit, after }]
    })
    const done = setLimits(tx, actor, holder, edit)
    if (done === 'saved') tellLimits(tx, actor, { ...holder, changed, note: edit.remark }, edit.mail)
    return done
  })
}
