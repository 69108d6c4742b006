import type { FastifyRequest } from 'fastify'
import type { Db } from '../../db/open.ts'
import { browserName } from '../../web/format.ts'
import type { User } from '../data/users.ts'
import { tellOfLogin } from '../telling.ts'
import { admit } from './throttle/data.ts'

/**
 * Tells a user by e-mail that somebody has logged in as them with a browser that they had not used: within the
 * transaction that starts the session. Nobody can switch this e-mail off, nor flood a mailbox with it: whoever logs in
 * with one new browser after the other is told of less and less often, as a guesser is slowed down.
 */
export function tellNewBrowser({ server, ip, headers }: FastifyRequest, user: User): (tx: Db) => void {
  const { now, config } = server
  const tell = tellOfLogin(server, user, {
    subject: 'New login to your user',
    paragraphs: [
      `Somebody has just logged in to ${config.panelName} as you, with a browser that you had not used here since your password was set.`,
      'If it was you, there is nothing to do. If not, end that session, change your password at once, and tell Support.',
    ],
    facts: [
      { name: 'Browser', value: browserName(headers['user-agent'] ?? '') },
      { name: 'IP address', value: ip },
    ],
    link: { words: 'Your sessions', to: `${config.publicUrl}/profile#sessions-title` },
  })
  return (tx) => {
    if (admit(tx, { account: `new browser ${user.id}`, address: undefined }, now()) === 0) tell(tx)
  }
}
