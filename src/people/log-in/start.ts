import type { FastifyReply, FastifyRequest } from 'fastify'
import { listRecentAccounts } from '../../accounts/data/switcher.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import type { Proved } from '../../web/request/proved.ts'
import { signIn } from '../../web/request/session.ts'
import type { User } from '../data/users.ts'
import { tellNewBrowser } from './new-browser.ts'
import { knownBrowser, rememberBrowser } from './throttle/browser.ts'

/**
 * Starts the session of somebody who has proved all that is asked of them, in the account that they used last. False where
 * the user was disabled or the proof ended meanwhile. `begins` is the first session of a user, whose browser is known by that.
 */
export async function startSession(
  request: FastifyRequest,
  reply: FastifyReply,
  user: User,
  { begins = false, ...proved }: Proved & { secondFactor?: true; begins?: boolean },
): Promise<boolean> {
  const [last] = listRecentAccounts(request.server.db, user.id, 1)
  const newBrowser = begins || knownBrowser(request, user) ? undefined : tellNewBrowser(request, user)
  if (!(await signIn(request, { userId: user.id, accountId: last?.id ?? null, newBrowser, ...proved }))) return false
  rememberBrowser(request, reply, user)
  noteLogInResult(request, 'succeeded', user.id)
  return true
}
