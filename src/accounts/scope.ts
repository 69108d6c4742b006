import type { FastifyRequest } from 'fastify'
import { orNotFound } from '../web/answer/errors.ts'
import { findAccountByIdentifier } from './data/account.ts'
import { caretakerOf } from './data/caretaker.ts'

/** The account that an address of the Support Area names. */
export function supportedAccount(request: FastifyRequest) {
  const { identifier } = request.params as { identifier: string }
  return orNotFound(findAccountByIdentifier(request.server.db, identifier))
}

/** The same, where Support looks after it: it has no partner, or its partner cannot act now. */
export function accountOfSupport(request: FastifyRequest) {
  const account = supportedAccount(request)
  return orNotFound(caretakerOf(request.server.db, account) ? undefined : account)
}

/** The same, where Support may delete it: a customer account without a partner. A partner deletes its own. */
export function directAccount(request: FastifyRequest) {
  const account = supportedAccount(request)
  return orNotFound(account.kind === 'customer' && account.partnerId === null ? account : undefined)
}
