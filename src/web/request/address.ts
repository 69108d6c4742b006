import type { FastifyRequest } from 'fastify'
import { asUserId, type UserId } from '../../db/ids.ts'
import { orNotFound } from '../answer/errors.ts'
import { readId } from '../fields.ts'

/** The id that the address has under this name. A 404 where it is none. */
export function idFrom(request: FastifyRequest, name: string): number {
  return orNotFound(readId((request.params as Record<string, string>)[name] ?? ''))
}

/** The id of the user whom the address names. A 404 where it is none. */
export const userIdOf = (request: FastifyRequest): UserId => asUserId(idFrom(request, 'user'))

/** The id of the service user whom the address names. A 404 where it is none. */
export const serviceUserIdOf = (request: FastifyRequest): UserId => asUserId(idFrom(request, 'serviceUser'))
