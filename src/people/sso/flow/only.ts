import type { FastifyRequest } from 'fastify'
import type { Sso } from '../../../config.ts'
import type { User } from '../../data/users.ts'
import { readWaiting } from './flow.ts'

/**
 * Whether somebody may log in in another way than at the provider: all, unless OIDC_ONLY is set. Then Support may, and who
 * has just been at the provider and has yet to say which user is theirs.
 */
export function mayLogInHere(request: FastifyRequest, user: Pick<User, 'operator' | 'emailKey'>, sso: Sso | undefined) {
  return !sso?.only || user.operator || isWaiting(request, user)
}

function isWaiting(request: FastifyRequest, user: Pick<User, 'emailKey'>): boolean {
  return readWaiting(request)?.emailKey === user.emailKey
}

export const onlyBySso = ({ name }: Pick<Sso, 'name'>) => `Log in with ${name}.`
