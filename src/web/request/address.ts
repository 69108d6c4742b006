import type { FastifyRequest } from 'fastify'
import { asUserId, type UserId } from '../../db/ids.ts'
import { found } from '../answer/errors.ts'
import { readId } from '../fields.ts'

/** The id of the user whom the address names. A 404 where it is none. */
export function userIdOf(request: FastifyRequest): UserId {
  return asUserId(found(readId((request.params as { user: string }).user)))
}

/** The id of the service user whom the address names. A 404 where it is none. */
export function serviceUserIdOf(request: FastifyRequest): UserId {
  return asUserId(found(readId((request.params as { serviceUser: string }).serviceUser)))
}
