import type { FastifyRequest } from 'fastify'
import { orNotFound } from '../web/answer/errors.ts'
import { type Customer, findCustomer } from './data.ts'

/** The customer that the address names, if it is the active partner account's own. */
export function customerOf(request: FastifyRequest, db = request.server.db): Customer {
  const { customer } = request.params as { customer: string }
  return orNotFound(findCustomer(db, request.member.account.id, customer))
}
