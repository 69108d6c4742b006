import type { FastifyInstance, FastifyRequest } from 'fastify'
import { listRecords, recordList, sinceTie } from '../../../history/data/records.ts'
import type { Scope } from '../../../history/data/scope.ts'
import { listDownload } from '../../../web/lists/csv.ts'
import { readList } from '../../../web/lists/list.ts'
import { readInTurns } from '../../../web/lists/turns.ts'
import { customerOf } from '../../scope.ts'

/** What was changed in a customer’s account, as its admins see it, and what only its partner sees. */
export default async function customerHistoryRoutes(app: FastifyInstance) {
  const { db } = app
  const base = '/partner/customers/:customer/history'
  const see = { config: { can: 'partner-history.see' } } as const

  for (const side of ['shared', 'own'] as const)
    app.get(side === 'shared' ? base : `${base}/own`, see, async (request, reply) => {
      customerOf(request)
      // Asked for each page of a download: it may be another partner’s by then.
      const file = listDownload(request, reply, {
        spec: recordList,
        list: (query) => listRecords(db, scopeOf(request, side), query),
      })
      if (file) return file
      const query = readList(request, recordList)
      if (Object.keys(query.errors).length > 0) reply.code(422)
      const list = await readInTurns(request, (asked) => listRecords(db, scopeOf(request, side), asked), query)
      return reply.page('partners/customers/history', {
        title: 'History',
        customer: customerOf(request),
        side,
        list,
      })
    })
}

function scopeOf(request: FastifyRequest, side: 'shared' | 'own'): Scope {
  const { id, identifier } = customerOf(request)
  return side === 'shared'
    ? sinceTie(request.server.db, id)
    : { partnerId: request.member.account.id, customer: identifier }
}
