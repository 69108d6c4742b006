import type { FastifyRequest } from 'fastify'
import { found } from '../web/answer/errors.ts'
import { findAccountByIdentifier } from './data/account.ts'

/** The account that an address of the Support Area names. */
export function supportedAccount(request: FastifyRequest) {
  const { identifier } = request.params as { identifier: string }
  return found(findAccountByIdentifier(request.server.db, identifier))
}
