import type { FastifyInstance } from 'fastify'
import type { User } from '../data/users.ts'
import { tellOfLogin } from '../telling.ts'

/** Tells a user that single sign-on was connected, or no longer is: within the transaction that does it. */
export function tellSso(
  app: FastifyInstance,
  user: Pick<User, 'id' | 'email' | 'name'>,
  what: 'connected' | 'disconnected',
  provider = app.config.sso?.name ?? 'an earlier provider',
) {
  const sentence = `Single sign-on was ${what === 'connected' ? 'connected with' : 'disconnected from'} your user`
  return tellOfLogin(app, user, {
    subject: sentence,
    paragraphs: [`${sentence}.`, 'If it was not you, change your password at once, and tell Support.'],
    facts: [{ name: 'Login at', value: provider }],
    link: { words: 'Single sign-on', to: `${app.config.publicUrl}/profile/sso` },
  })
}
