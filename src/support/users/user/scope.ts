import type { FastifyRequest } from 'fastify'
import { findUser } from '../../../people/data/users.ts'
import { orNotFound } from '../../../web/answer/errors.ts'
import { userIdOf } from '../../../web/request/address.ts'

/** The user that the address names; a deleted one is not found. */
export function userOf(request: FastifyRequest) {
  const user = orNotFound(findUser(request.server.db, userIdOf(request)))
  return orNotFound(user.deletedAt === null ? user : undefined)
}
