import { listSent } from '../../../accounts/endings/data/foreseeing.ts'
import { addMember, type Member, removeMember } from '../../../accounts/members/data.ts'
import { tellJoined } from '../../../accounts/notices/data/notices.ts'
import type { AccountId } from '../../../db/ids.ts'
import { type Db, write } from '../../../db/open.ts'
import type { MailContext } from '../../../mail/outbox.ts'
import type { Person } from '../../../records/record.ts'

/** Makes one of a partner’s people Customer Admin of its customer. False if they are a user of it already. */
export function addMyself(db: Db, by: Person, customerId: AccountId, mail: MailContext): boolean {
  return write(db, by, (tx) => {
    const seat = { accountId: customerId, userId: by.userId, role: 'admin', fromPartner: true } as const
    const added = addMember(tx, by, seat, 'member.added-self')
    if (added) tellJoined(tx, by, { accountId: customerId, role: seat.role }, mail)
    return added
  })
}

/**
 * Removes one of a partner’s people from its customer, also as its last user. `ended` is how many invitations that they
 * had sent ended with it.
 */
export function removeMyself(
  db: Db,
  by: Person,
  customerId: AccountId,
): { removed: Member | 'last-admin' | undefined; ended: number } {
  return write(db, by, (tx) => {
    const ended = listSent(tx, by.userId, customerId).total
    const seat = { accountId: customerId, userId: by.userId }
    return { ended, removed: removeMember(tx, by, seat, { exit: 'member.removed-self', mayEmpty: true }) }
  })
}
