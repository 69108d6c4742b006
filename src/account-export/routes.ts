import type { FastifyInstance } from 'fastify'
import { sendFile } from '../web/downloads.ts'
import { found } from '../web/errors.ts'
import { archiveName, exportAccount } from './archive.ts'

export default async function accountExportRoutes(app: FastifyInstance) {
  app.get('/customer/account/export', { config: { can: 'account.export' } }, async (request, reply) => {
    const { id, identifier } = request.member.account
    return sendFile(reply, archiveName(identifier, app.now()), 'application/zip', () =>
      found(exportAccount(app.db, id, app.now())),
    )
  })
}
