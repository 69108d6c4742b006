import type { FastifyReply, FastifyRequest } from 'fastify'
import { listRecentAccounts } from '../../accounts/data/switcher.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import { type Proved, signIn } from '../../web/request/session.ts'
import type { User } from '../data/users.ts'
import { tellNewBrowser } from './new-browser.ts'
import { knownBrowser, rememberBrowser } from './throttle/browser.ts'

/**
 * Starts the session of somebody who has proved all that is asked of them, in the account that they used last. False where
 * the user was disabled or the proof ended meanwhile.
 */
export async function startSession(
  request: FastifyRequest,
  reply: FastifyReply,
  user: User,
  proved: Proved & { secondFactor?: true },
): Promise<boolean> {
  const [last] = listRecentAccounts(request.server.db, user.id, 1)
  const newBrowser = knownBrowser(request, user) ? undefined : tellNewBrowser(request, user)
  if (!(await signIn(request, { userId: user.id, accountId: last?.id ?? null, newBrowser, ...proved }))) return false
  rememberBrowser(request, reply, user)
  noteLogInResult(request, 'succeeded', user.id)
  return true
}
