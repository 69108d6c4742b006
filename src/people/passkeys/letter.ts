import type { FastifyInstance } from 'fastify'
import type { User } from '../data/users.ts'
import { tellOfLogin } from '../telling.ts'

const words = {
  added: ['A passkey was added to your user', 'A passkey was added to your user'],
  removed: ['A passkey of your user was removed', 'A passkey of your user was removed'],
  refused: [
    'A passkey of yours was refused',
    'Somebody tried to use a passkey of yours, and was refused: it had been used more often than it said, so there may be a copy of it. Remove it if you cannot explain this',
  ],
} as const

/** Tells a user what has become of a passkey: within the transaction that does it. */
export function tellPasskey(
  app: FastifyInstance,
  user: Pick<User, 'id' | 'email' | 'name'>,
  what: keyof typeof words,
  passkey: string,
) {
  const [subject, sentence] = words[what]
  return tellOfLogin(app, user, {
    subject,
    paragraphs: [
      `${sentence}.`,
      'If it was not you, change your password at once, look at your passkeys, and tell Support.',
    ],
    facts: [{ name: 'Passkey', value: passkey }],
    link: { words: 'Your passkeys', to: `${app.config.publicUrl}/profile/passkeys` },
  })
}
