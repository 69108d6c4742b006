import type { FastifyInstance } from 'fastify'
import { listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { supportActor } from '../../web/request/viewer.ts'
import { backupList, beginBackup, listBackups } from './data.ts'
import { backupFolder, listBackupFiles, newestGood, overdue } from './folder.ts'

export default async function backupRoutes(app: FastifyInstance) {
  const { db, config, now, backups, copying, replica } = app
  const { dataDir, backupEveryHours, backupKeep } = config
  const see = { config: { can: 'support.backup' } } as const

  app.get('/support/backups', see, async (request, reply) => {
    const { working } = backups
    // What is being made is no file yet.
    const files = listBackupFiles(dataDir).filter(({ name }) => working === undefined || !name.startsWith(working))
    const file = listDownload(request, reply, { spec: backupList, list: (query) => listBackups(db, files, query) })
    if (file) return file
    return reply.page('operations/backups/index', {
      title: 'Backups',
      list: listBackups(db, files, readList(request, backupList)),
      kinds: backupList.filters.kind,
      states: backupList.filters.state,
      folder: backupFolder(dataDir),
      last: newestGood(files, now()) ?? null,
      overdue: overdue(dataDir, backupEveryHours, now()) !== undefined,
      failure: backups.failure ?? null,
      copies: copying.where
        ? { where: copying.where, newest: copying.newest ?? null, failure: copying.failure ?? null }
        : null,
      replica: replica() ?? null,
      everyHours: backupEveryHours,
      keep: backupKeep,
      now: now(),
      working: working !== undefined,
      refresh: working ? 2 : 0,
    })
  })

  app.post('/support/backups', see, async (request, reply) => {
    const begun = beginBackup(db, supportActor(request), backups.begin)
    return reply.seeOther(
      '/support/backups',
      begun ? 'A backup is being made.' : 'A backup is being made, or was a moment ago.',
    )
  })
}
