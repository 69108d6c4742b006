import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { apart } from '../../db/apart.ts'
import { TooMany } from '../../mail/pace.ts'
import { plural } from '../../web/format.ts'
import { listDownload } from '../../web/lists/csv.ts'
import { readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { checkFile } from './check.ts'
import {
  type Import,
  type ImportKind,
  importList,
  importRowList,
  listImportRows,
  listImports,
  startImport,
} from './data.ts'
import { cancelSomeInvitations, countInvitationsOf, discardImport, stopImport } from './ending/data.ts'
import { kinds } from './kinds/kinds.ts'
import { downloadFailed, importOf, leftOutWords, places, showImport, showImports } from './page.ts'
import { type ImportWorker, startImportWorker } from './running/worker.ts'
import { UnreadableFile } from './unreadable.ts'
import { acceptUploads, mostOfForm, Upload } from './upload.ts'

const upload = z.strictObject({
  file: z.union([z.instanceof(Upload), z.literal('')]).optional(),
  text: z.string().default(''),
})

const cancelling = z.strictObject({ confirmed: z.literal('yes').optional() })

/** What the routes of a kind need besides the panel. */
type Imports = { kind: ImportKind; worker: ImportWorker }

export default async function importRoutes(app: FastifyInstance) {
  // A context of its own: no other forms carry files.
  await app.register(withUploads)
}

async function withUploads(app: FastifyInstance) {
  acceptUploads(app)
  const worker = startImportWorker(app, { post: app.postLetter, publicUrl: app.config.publicUrl })
  app.addHook('onReady', async () => worker.wake())
  app.addHook('onClose', worker.stop)

  for (const kind of ['customers', 'users'] as const) {
    const imports = { kind, worker }
    await app.register(files, imports)
    await app.register(checked, imports)
    await app.register(sentInvitations, imports)
  }
}

/** The imports of an account, and the files that begin them. */
async function files(app: FastifyInstance, { kind, worker }: Imports) {
  const { db } = app
  const { base } = places[kind]
  const see = { config: { can: kinds[kind].action } } as const
  const change = { config: { can: kinds[kind].action, inAccount: true } } as const

  app.get(
    base,
    see,
    async (request, reply) =>
      listDownload(request, reply, {
        spec: importList,
        list: (query) => listImports(db, request.member.account.id, kind, query),
      }) ?? showImports(request, reply, kind),
  )

  app.post(base, { config: { ...change.config, upload: mostOfForm } }, async (request, reply) => {
    const form = readForm(upload, request.body)
    const chosen = form.input?.file
    const file = chosen && chosen.bytes.length > 0 ? chosen : undefined
    const bytes = file?.bytes ?? (form.input?.text.trim() ? Buffer.from(form.input.text) : undefined)
    if (!bytes) {
      form.errors.file = 'Choose a file, or paste its lines.'
      return showImports(request, reply.code(422), kind, form)
    }
    try {
      const by = () => actor(request)
      const sent = { kind, bytes, name: file?.name ?? 'pasted lines' }
      const { id, leftOut } = await checkFile(app, by, { accountId: request.member.account.id, ...sent }, worker.sweep)
      return reply.seeOther(`${base}/${id}`, leftOutWords(leftOut))
    } catch (error) {
      if (!(error instanceof UnreadableFile || error instanceof TooMany)) throw error
      form.errors[file ? 'file' : 'text'] = error.message
      return showImports(request, reply.code(error instanceof TooMany ? 429 : 422), kind, form)
    }
  })
}

/** An import whose file was read: it is begun, discarded, or stopped on its way. */
async function checked(app: FastifyInstance, { kind, worker }: Imports) {
  const { db } = app
  const { base } = places[kind]
  const see = { config: { can: kinds[kind].action } } as const
  const change = { config: { can: kinds[kind].action, inAccount: true } } as const

  app.get(`${base}/:import`, see, async (request, reply) => {
    const one = importOf(request, kind)
    if ((request.query as Record<string, unknown>).download === 'failed') return downloadFailed(request, reply, kind)
    return (
      listDownload(request, reply, { spec: importRowList, list: (query) => listImportRows(db, one.id, query) }) ??
      showImport(request, reply, { kind, worker })
    )
  })

  app.post(`${base}/:import/start`, change, async (request, reply) => {
    const one = importOf(request, kind)
    if (!startImport(db, actor(request), one))
      return showImport(request, reply.code(409), { kind, worker, problem: 'This import was begun already.' })
    worker.wake()
    return reply.seeOther(`${base}/${one.id}`, 'The import has begun. It goes on when you leave this page.')
  })

  app.post(`${base}/:import/removal`, change, async (request, reply) => {
    const one = importOf(request, kind)
    if (!discardImport(db, actor(request), one))
      return showImport(request, reply.code(409), { kind, worker, problem: 'This import was begun already.' })
    worker.sweep()
    return reply.seeOther(base, 'The file was discarded: nothing of it was imported.')
  })

  app.post(`${base}/:import/stopping`, change, async (request, reply) => {
    const one = importOf(request, kind)
    if (!stopImport(db, actor(request), one))
      return showImport(request, reply.code(409), { kind, worker, problem: 'This import is not running.' })
    return reply.seeOther(`${base}/${one.id}`, 'The import was stopped. What is done stays done.')
  })
}

/** The invitations that an import has sent, which can be cancelled all at once. */
async function sentInvitations(app: FastifyInstance, { kind, worker }: Imports) {
  const { db } = app
  const { base } = places[kind]
  const change = { config: { can: kinds[kind].action, inAccount: true } } as const

  app.post(`${base}/:import/invitations/cancellation`, change, async (request, reply) => {
    const one = importOf(request, kind)
    if (one.state === 'running')
      return showImport(request, reply.code(409), { kind, worker, problem: 'This import is running. Stop it first.' })
    const pending = countInvitationsOf(db, one)
    if (readForm(cancelling, request.body).input?.confirmed !== 'yes' && pending > 0)
      return confirmCancelling(reply, one, plural(pending, 'pending invitation'))
    const cancelled = await cancelAll(request, one)
    return reply.seeOther(
      `${base}/${one.id}`,
      cancelled > 0
        ? `${plural(cancelled, 'invitation')} ${cancelled === 1 ? 'was' : 'were'} cancelled.`
        : 'None of its invitations is pending. Nothing was changed.',
    )
  })
}

/** Others have their turn between: an import may have sent thousands. */
async function cancelAll(request: FastifyRequest, one: Import): Promise<number> {
  let cancelled = 0
  for (;;) {
    const count = cancelSomeInvitations(request.server.db, actor(request), one)
    if (count === 0) return cancelled
    cancelled += count
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function confirmCancelling(reply: FastifyReply, { id, kind, fileName }: Import, pending: string) {
  const { base, area } = places[kind]
  return reply.page('accounts/endings/confirmation', {
    title: 'Cancel the invitations of this import',
    lead: apart`${pending} from ${fileName || 'this file'} will be cancelled, and the links in the e-mails stop working.`,
    area,
    ends: { sent: { first: [], total: 0 } },
    you: true,
    formAction: `${base}/${id}/invitations/cancellation`,
    fields: {},
    keeps: false,
    label: `Cancel ${pending}`,
    back: `${base}/${id}`,
  })
}
