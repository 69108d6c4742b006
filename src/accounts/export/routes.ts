import type { FastifyInstance } from 'fastify'
import { write } from '../../db/open.ts'
import { record } from '../../records/record.ts'
import { sendFile } from '../../web/answer/downloads.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { actor } from '../../web/request/viewer.ts'
import { archiveName, exportAccount } from './archive.ts'

export default async function accountExportRoutes(app: FastifyInstance) {
  const { db } = app
  const can = 'account.export'

  // Its form is on that page.
  app.get('/customer/account/export', { config: { can } }, async (_request, reply) =>
    reply.seeOther('/customer/account'),
  )

  // This is all the data of an account at once: the person who takes it proves who they are, and the history says so.
  app.post(
    '/customer/account/export',
    { config: { can, inAccount: true, confirm: 'download' } },
    async (request, reply) => {
      const { id, identifier } = request.member.account
      return sendFile(reply, archiveName(identifier, app.now()), 'application/zip', () => {
        const archive = orNotFound(exportAccount(db, id, app.now()))
        const by = actor(request)
        write(db, by, (tx) => record(tx, by, { kind: 'account.exported', accountId: id }))
        return archive
      })
    },
  )
}
