import type { FastifyInstance } from 'fastify'
import type { UserId } from '../../db/ids.ts'
import type { Db } from '../../db/open.ts'
import { dateTime } from '../../web/format.ts'
import { anybody, forReader } from '../../web/reader.ts'
import { findUser } from '../data/users.ts'

/** Tells a user what has become of their two-factor log-in: within the transaction that changes it. */
export function tellTwoFactor(
  { postLetter, now, config }: FastifyInstance,
  { id: userId, email, name }: { id: UserId; email: string; name: string },
  what: 'switched on' | 'switched off' | 'reset by Support' | 'reset',
  by = '',
): (tx: Db) => void {
  return (tx) =>
    postLetter(tx, now(), {
      kind: 'two-factor-changed',
      email,
      name,
      reason: { because: 'user', userId },
      data: {
        what,
        by,
        when: forReader(findUser(tx, userId) ?? anybody, () => dateTime(now())),
        link: `${config.publicUrl}/profile/two-factor`,
      },
    })
}
