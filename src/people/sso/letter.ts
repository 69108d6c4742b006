import type { FastifyInstance } from 'fastify'
import type { Db } from '../../db/open.ts'
import { dateTime } from '../../web/format.ts'
import { anybody, forReader } from '../../web/reader.ts'
import { findUser, type User } from '../data/users.ts'

/** Tells a user that single sign-on was connected, or no longer is: within the transaction that does it. */
export function tellSso(
  { postLetter, now, config }: FastifyInstance,
  { id: userId, email, name }: Pick<User, 'id' | 'email' | 'name'>,
  what: 'connected' | 'disconnected',
): (tx: Db) => void {
  const sentence = `Single sign-on was ${what === 'connected' ? 'connected with' : 'disconnected from'} your user`
  return (tx) =>
    postLetter(tx, now(), {
      kind: 'notice',
      email,
      name,
      reason: { because: 'user', userId },
      data: {
        subject: sentence,
        paragraphs: [`${sentence}.`, 'If it was not you, change your password at once, and tell Support.'],
        facts: [
          { name: 'Login at', value: config.sso?.name ?? 'an earlier provider' },
          { name: 'When', value: forReader(findUser(tx, userId) ?? anybody, () => dateTime(now())) },
        ],
        link: { words: 'Single sign-on', to: `${config.publicUrl}/profile/sso` },
      },
    })
}
