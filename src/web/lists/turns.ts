import type { FastifyRequest } from 'fastify'
import type { List, ListQuery } from '../../db/list.ts'
import { inTurns } from '../../db/turns.ts'

/** Reads a page of a list that may take long: other requests come in between, and the right to see it is checked again. */
export function readInTurns<Row, Filters extends string>(
  request: FastifyRequest,
  list: (query: ListQuery<Filters>) => List<Row>,
  query: ListQuery<Filters>,
): Promise<List<Row>> {
  return inTurns(list, query, () => request.mustStillMay(request.server.db))
}
