import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { paged, readList } from '../web/list.ts'
import { countRecords, listRecords, type Scope } from './data.ts'

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

  function show(request: FastifyRequest, reply: FastifyReply, scope: Scope, area: 'account' | 'partner' | 'support') {
    const list = paged(readList(request.query), countRecords(app.db, scope), (limit, offset) =>
      listRecords(app.db, scope, limit, offset),
    )
    return reply.page('history/index', { title: 'History', area, list })
  }
}
