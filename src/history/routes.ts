import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { listDownload } from '../web/lists/csv.ts'
import { readList } from '../web/lists/list.ts'
import { readInTurns } from '../web/lists/turns.ts'
import { listRecords, recordList } from './data/records.ts'
import type { Scope } from './data/scope.ts'

type Area = 'account' | 'partner' | 'support'

export default async function historyRoutes(app: FastifyInstance) {
  app.get('/customer/history', { config: { can: 'history.see' } }, async (request, reply) =>
    show(request, reply, { accountId: request.member.account.id }, 'account'),
  )

  app.get('/partner/history', { config: { can: 'partner-history.see' } }, async (request, reply) =>
    show(request, reply, { fromAccountId: request.member.account.id }, 'partner'),
  )

  app.get('/support/history', { config: { can: 'support.see' } }, async (request, reply) =>
    show(request, reply, 'all', 'support'),
  )

  async function show(request: FastifyRequest, reply: FastifyReply, scope: Scope, area: Area) {
    const file = listDownload(request, reply, { spec: recordList, list: (query) => listRecords(app.db, scope, query) })
    if (file) return file
    const query = readList(request, recordList)
    if (Object.keys(query.errors).length > 0) reply.code(422)
    const list = await readInTurns(request, (asked) => listRecords(app.db, scope, asked), query)
    return reply.page('history/index', { title: 'History', area, list })
  }
}
