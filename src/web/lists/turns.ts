import type { FastifyRequest } from 'fastify'
import type { List, ListQuery } from '../../db/list.ts'
import { inTurns } from '../../db/turns.ts'

/** Reads a page of a list that may be long in the making: others have their turn meanwhile, and the right to it may end. */
export function readInTurns<Row, Filters extends string>(
  request: FastifyRequest,
  list: (query: ListQuery<Filters>) => List<Row>,
  query: ListQuery<Filters>,
): Promise<List<Row>> {
  return inTurns(list, query, () => request.mustStillMay(request.server.db))
}
