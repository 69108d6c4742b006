import { type SQL, sql } from 'drizzle-orm'

/**
 * Whether the reader of a row of `notifications` may still read it: they are what they were told as, in the account that
 * they were told in, and that is still the account itself or its partner, and not asleep.
 */
export const isEntitled: SQL<number> = sql<number>`case when notifications.reader_of is null
  then notifications.audience <> 'support' or exists (
    select 1 from users as operators where operators.id = notifications.user_id and operators.operator)
  else exists (
    select 1 from memberships as theirs cross join accounts as place on place.id = theirs.account_id
      left join accounts as sponsor on sponsor.id = place.partner_id
    where theirs.account_id = notifications.reader_of and theirs.user_id = notifications.user_id
      and (theirs.role = 'admin' or notifications.audience not in ('admins', 'partner'))
      and not (theirs.from_partner and sponsor.support_suspended_at is not null)
      and (notifications.account_id = notifications.reader_of or (
        place.support_suspended_at is null and place.deleted_at is null and exists (
          select 1 from accounts as customer
          where customer.id = notifications.account_id and customer.partner_id = notifications.reader_of))))
  end`
