import type { FastifyInstance } from 'fastify'
import type { Db } from '../db/open.ts'
import type { NoticeLetter } from '../mail/letters.ts'
import { dateTime } from '../web/format.ts'
import { anybody, forReader } from '../web/reader.ts'
import { findUser, type User } from './data/users.ts'

/** Tells a user by e-mail what has become of their login, and when: within the transaction that does it. */
export function tellOfLogin(
  { postLetter, now }: Pick<FastifyInstance, 'postLetter' | 'now'>,
  { id: userId, email, name }: Pick<User, 'id' | 'email' | 'name'>,
  { facts, ...letter }: NoticeLetter,
): (tx: Db) => void {
  return (tx) => {
    const when = forReader(findUser(tx, userId) ?? anybody, () => dateTime(now()))
    postLetter(tx, now(), {
      kind: 'notice',
      email,
      name,
      reason: { because: 'user', userId },
      data: { ...letter, facts: [...facts, { name: 'When', value: when }] },
    })
  }
}
