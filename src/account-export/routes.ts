import type { FastifyInstance } from 'fastify'
import { found } from '../web/errors.ts'
import { archiveName, exportAccount } from './archive.ts'

export default async function accountExportRoutes(app: FastifyInstance) {
  app.get('/customer/account/export', { config: { can: 'account.export' } }, async (request, reply) => {
    const { id, identifier } = request.member.account
    const archive = found(exportAccount(app.db, id, app.now()))
    return reply
      .type('application/zip')
      .header('content-disposition', `attachment; filename="${archiveName(identifier, app.now())}"`)
      .send(archive)
  })
}
