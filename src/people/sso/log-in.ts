import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccountId } from '../../db/ids.ts'
import { noteLogInResult } from '../../web/metrics.ts'
import { signIn } from '../../web/request/session.ts'
import type { User } from '../data/users.ts'
import { needsSecondStep } from '../log-in/second-step.ts'
import { startSession } from '../log-in/start.ts'
import type { Confirmed } from './provider.ts'

/** Starts the session of somebody whom the provider knows, or the first step of it. */
export async function logInBySso(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    user,
    identityId,
    told,
    next,
    begins = false,
    accountId,
  }: { user: User; identityId: number; told: Confirmed; next: string; begins?: boolean; accountId: AccountId | null },
): Promise<FastifyReply> {
  const now = request.server.now()
  const sso = {
    identityId,
    ssoSid: told.sid,
    ssoFactors: told.factors,
    ssoAccountId: accountId,
    // It may have been long ago at the provider.
    provedAt: Math.min(now, told.loggedInAt ?? now),
  }
  if (!told.factors && needsSecondStep(request, user)) {
    if (!(await signIn(request, { userId: user.id, accountId: null, sso }))) return lost(reply)
    noteLogInResult(request, 'first step', user.id)
    return reply.seeOther(`/login/second-factor?next=${encodeURIComponent(next)}`)
  }
  const proved = { sso, begins, ...(told.factors && ({ secondFactor: true } as const)) }
  return (await startSession(request, reply, user, proved)) ? reply.seeOther(next) : lost(reply)
}

const lost = (reply: FastifyReply) => reply.seeOther('/login', 'Your login has changed. Log in again.')
