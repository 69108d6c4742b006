import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { write } from '../db/open.ts'
import { byItself } from '../history/record.ts'
import { TooMany } from '../mail/allowance.ts'
import { listDownload } from '../web/csv.ts'
import { found } from '../web/errors.ts'
import { emailKey, readId } from '../web/fields.ts'
import { plural } from '../web/format.ts'
import { type Form, newForm, readForm } from '../web/forms.ts'
import { readList } from '../web/list.ts'
import { actor } from '../web/viewer.ts'
import { readCsv, UnreadableFile } from './csv.ts'
import {
  addRows,
  countImportRows,
  createImport,
  discardImport,
  findImport,
  finishChecking,
  type ImportKind,
  importList,
  importRowList,
  listImportRows,
  listImports,
  type NewRow,
  startImport,
} from './data.ts'
import { kinds, type Seen } from './kinds.ts'
import { acceptUploads, mostOfForm, Upload } from './upload.ts'
import { startImportWorker } from './worker.ts'

const upload = z.strictObject({
  file: z.union([z.instanceof(Upload), z.literal('')]).optional(),
  text: z.string().default(''),
})

/** So many rows are checked before other requests get their turn. */
const checkedAtOnce = 200

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
        const id = await check(request, kind, bytes, file?.name ?? 'pasted lines')
        return reply.seeOther(`${base}/${id}`)
      } catch (error) {
        if (!(error instanceof UnreadableFile || error instanceof TooMany)) throw error
        form.errors[file ? 'file' : 'text'] = error.message
        return show(request, reply.code(error instanceof TooMany ? 429 : 422), kind, form)
      }
    })

    app.get(`${base}/:import`, see, async (request, reply) => {
      const one = importOf(request, kind)
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
      return reply.seeOther(base, 'The file was discarded: nothing of it was imported.')
    })
  }

  function importOf(request: FastifyRequest, kind: ImportKind) {
    const id = found(readId((request.params as { import: string }).import))
    return found(findImport(db, request.member.account.id, kind, id))
  }

  /** Reads a file to its end and checks each row: the number of its import. Throws an UnreadableFile. */
  async function check(request: FastifyRequest, kind: ImportKind, bytes: Uint8Array, name: string): Promise<number> {
    const { account } = request.member
    const fileName = name.replaceAll(/[\p{Cc}\p{Cs}]/gu, '').slice(0, 100)
    const id = createImport(db, actor(request), account.id, { kind, fileName })
    const seen: Seen = new Map()
    let read: { line: number; values: Record<string, string> }[] = []
    const checkRead = () => {
      const rows = read.map(({ line, values }): NewRow => {
        const checked = kinds[kind].check(db, account.id, values, line, seen, app.now())
        const typed = values[kinds[kind].emailColumn]?.trim()
        const key = typed ? emailKey(typed) : null
        return 'wrong' in checked
          ? {
              line,
              emailKey: key,
              subject: checked.subject.slice(0, 300),
              input: '',
              state: 'wrong',
              words: checked.wrong,
            }
          : {
              line,
              emailKey: key,
              subject: checked.subject,
              input: JSON.stringify(checked.input),
              state: 'ready',
              words: checked.words,
            }
      })
      write(db, actor(request), (tx) => addRows(tx, id, rows))
      read = []
    }
    try {
      for await (const row of readCsv(bytes, kinds[kind].columns)) {
        read.push(row)
        if (read.length < checkedAtOnce) continue
        checkRead()
        await new Promise((resolve) => setImmediate(resolve))
      }
      checkRead()
      finishChecking(db, actor(request), id)
    } catch (error) {
      const discard = () => void discardImport(db, byItself(app.now()), { id, accountId: account.id })
      app.storage.note(error)
      if (!app.storage.attempt(discard)) app.storage.afterwards(discard)
      throw error
    }
    return id
  }

  function show(request: FastifyRequest, reply: FastifyReply, kind: ImportKind, form?: Form) {
    return reply.page('imports/index', {
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
    return reply.page('imports/show', {
      ...common(kind),
      title: 'Import',
      problem,
      one,
      counts,
      rows: plural(counts.ready, ...kinds[kind].words),
      list: listImportRows(db, one.id, readList(request, importRowList)),
      waits,
      // The page follows the work, also without JavaScript.
      refresh: one.state !== 'running' ? 0 : waits ? 60 : 2,
    })
  }

  const common = (kind: ImportKind) => ({ ...places[kind], many: kinds[kind].words[1] })
}
