import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { readJson } from '../../db/json.ts'
import { TooMany } from '../../mail/pace.ts'
import { found } from '../../web/answer/errors.ts'
import { readId } from '../../web/fields.ts'
import { plural } from '../../web/format.ts'
import { csvDownload, listDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { type Form, newForm, readForm } from '../../web/request/forms.ts'
import { actor } from '../../web/request/viewer.ts'
import { checkFile } from './check.ts'
import {
  countImportRows,
  findImport,
  type Import,
  type ImportKind,
  importList,
  importRowList,
  listFailedRows,
  listImportRows,
  listImports,
  startImport,
} from './data.ts'
import { cancelSomeInvitations, countInvitationsOf, discardImport, stopImport } from './ending/data.ts'
import { whyColumn } from './header.ts'
import { kinds } from './kinds.ts'
import { UnreadableFile } from './unreadable.ts'
import { acceptUploads, mostOfForm, Upload } from './upload.ts'
import { startImportWorker } from './worker.ts'

const upload = z.strictObject({
  file: z.union([z.instanceof(Upload), z.literal('')]).optional(),
  text: z.string().default(''),
})

const cancelling = z.strictObject({ confirmed: z.literal('yes').optional() })

const mostNamed = 20

function leftOutWords(names: string[]): string {
  if (names.length === 0) return ''
  const some = names.slice(0, mostNamed).map((name) => name.slice(0, 40))
  const more = names.length > mostNamed ? ` and ${plural(names.length - mostNamed, 'more', 'more')}` : ''
  return `Left out, because the panel has no such column: ${some.join(', ')}${more}.`
}

/** So many failed rows are read at once for a download. */
const failedAtOnce = 200

/** Where each kind is imported, and what its menu and pages are. */
const places = {
  customers: { base: '/partner/imports', area: 'partner', back: '/partner/customers' },
  users: { base: '/customer/imports', area: 'account', back: '/customer/users' },
} as const satisfies Record<ImportKind, object>

export default async function importRoutes(app: FastifyInstance) {
  const { db } = app
  acceptUploads(app)
  const worker = startImportWorker(db, app.storage, app.now, app.log, app.setAside, app.clock, {
    post: app.postLetter,
    publicUrl: app.config.publicUrl,
  })
  app.addHook('onReady', async () => worker.wake())
  app.addHook('onClose', worker.stop)

  for (const kind of ['customers', 'users'] as const) {
    const { base } = places[kind]
    const see = { config: { can: kinds[kind].action } } as const
    const change = { config: { can: kinds[kind].action, inAccount: true } } as const

    app.get(
      base,
      see,
      async (request, reply) =>
        listDownload(request, reply, importList, (query) => listImports(db, request.member.account.id, kind, query)) ??
        show(request, reply, kind),
    )

    app.post(base, { config: { ...change.config, upload: mostOfForm } }, async (request, reply) => {
      const form = readForm(upload, request.body)
      const chosen = form.input?.file
      const file = chosen && chosen.bytes.length > 0 ? chosen : undefined
      const bytes = file?.bytes ?? (form.input?.text.trim() ? Buffer.from(form.input.text) : undefined)
      if (!bytes) {
        form.errors.file = 'Choose a file, or paste its lines.'
        return show(request, reply.code(422), kind, form)
      }
      try {
        const by = () => actor(request)
        const sent = { kind, bytes, name: file?.name ?? 'pasted lines' }
        const { id, leftOut } = await checkFile(app, by, request.member.account.id, sent, worker.sweep)
        return reply.seeOther(`${base}/${id}`, leftOutWords(leftOut))
      } catch (error) {
        if (!(error instanceof UnreadableFile || error instanceof TooMany)) throw error
        form.errors[file ? 'file' : 'text'] = error.message
        return show(request, reply.code(error instanceof TooMany ? 429 : 422), kind, form)
      }
    })

    app.get(`${base}/:import`, see, async (request, reply) => {
      const one = importOf(request, kind)
      if ((request.query as Record<string, unknown>).download === 'failed') return downloadFailed(request, reply, kind)
      return (
        listDownload(request, reply, importRowList, (query) => listImportRows(db, one.id, query)) ??
        showOne(request, reply, kind)
      )
    })

    app.post(`${base}/:import/start`, change, async (request, reply) => {
      const one = importOf(request, kind)
      if (!startImport(db, actor(request), one))
        return showOne(request, reply.code(409), kind, 'This import was begun already.')
      worker.wake()
      return reply.seeOther(`${base}/${one.id}`, 'The import has begun. It goes on when you leave this page.')
    })

    app.post(`${base}/:import/removal`, change, async (request, reply) => {
      const one = importOf(request, kind)
      if (!discardImport(db, actor(request), one))
        return showOne(request, reply.code(409), kind, 'This import was begun already.')
      worker.sweep()
      return reply.seeOther(base, 'The file was discarded: nothing of it was imported.')
    })

    app.post(`${base}/:import/stopping`, change, async (request, reply) => {
      const one = importOf(request, kind)
      if (!stopImport(db, actor(request), one))
        return showOne(request, reply.code(409), kind, 'This import is not running.')
      return reply.seeOther(`${base}/${one.id}`, 'The import was stopped. What is done stays done.')
    })

    app.post(`${base}/:import/invitations/cancellation`, change, async (request, reply) => {
      const one = importOf(request, kind)
      if (one.state === 'running')
        return showOne(request, reply.code(409), kind, 'This import is running. Stop it first.')
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

  function importOf(request: FastifyRequest, kind: ImportKind) {
    const id = found(readId((request.params as { import: string }).import))
    return found(findImport(db, request.member.account.id, kind, id))
  }

  /** Others have their turn between: an import may have sent thousands. */
  async function cancelAll(request: FastifyRequest, one: Import): Promise<number> {
    let cancelled = 0
    for (;;) {
      const some = cancelSomeInvitations(db, actor(request), one)
      if (some === 0) return cancelled
      cancelled += some
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  function confirmCancelling(reply: FastifyReply, { id, kind, fileName }: Import, pending: string) {
    const { base, area } = places[kind]
    return reply.page('accounts/endings/confirmation', {
      title: 'Cancel the invitations of this import',
      lead: `${pending} from ${fileName || 'this file'} will be cancelled, and the links in the e-mails stop working.`,
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

  function downloadFailed(request: FastifyRequest, reply: FastifyReply, kind: ImportKind) {
    const { id, header } = importOf(request, kind)
    const columns = readJson<string[]>(header ?? '[]', [])
    return csvDownload(reply, 'failed-rows.csv', [whyColumn, ...columns], failedRows(id))
  }

  function* failedRows(importId: number) {
    for (let after = 0; ; ) {
      const rows = listFailedRows(db, importId, after, failedAtOnce)
      for (const { cells, state, words } of rows)
        if (cells)
          yield [
            state === 'ready' ? 'It was not carried out.' : words,
            ...readJson(cells, ['This line cannot be read any more.']),
          ]
      const last = rows.at(-1)
      if (!last) return
      after = last.line
    }
  }

  function show(request: FastifyRequest, reply: FastifyReply, kind: ImportKind, form?: Form) {
    return reply.page('accounts/imports/index', {
      ...common(kind),
      title: `Import ${kinds[kind].words[1]}`,
      example: kinds[kind].example,
      columns: kinds[kind].columns,
      list: listImports(db, request.member.account.id, kind, readList(request, importList)),
      form: form ?? newForm({ text: '' }),
    })
  }

  function showOne(request: FastifyRequest, reply: FastifyReply, kind: ImportKind, problem = '') {
    const one = importOf(request, kind)
    const counts = countImportRows(db, one.id)
    const waits = one.state === 'running' ? worker.waits(one.id) : undefined
    return reply.page('accounts/imports/show', {
      ...common(kind),
      title: 'Import',
      problem,
      one,
      counts,
      rows: plural(counts.ready, ...kinds[kind].words),
      leftOut: one.leftOut ? leftOutWords(readJson(one.leftOut, [])) : '',
      invitations: one.state === 'done' || one.state === 'stopped' ? countInvitationsOf(db, one) : 0,
      list: listImportRows(db, one.id, readList(request, importRowList)),
      waits,
      // The page follows the work, also without JavaScript.
      refresh: one.state !== 'running' ? 0 : waits ? 60 : 2,
    })
  }

  const common = (kind: ImportKind) => ({ ...places[kind], many: kinds[kind].words[1] })
}
