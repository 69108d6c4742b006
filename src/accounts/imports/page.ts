import type { FastifyReply, FastifyRequest } from 'fastify'
import { readJson } from '../../db/json.ts'
import type { Db } from '../../db/open.ts'
import { orNotFound } from '../../web/answer/errors.ts'
import { plural } from '../../web/format.ts'
import { csvDownload } from '../../web/lists/csv.ts'
import { readList } from '../../web/lists/list.ts'
import { idFrom } from '../../web/request/address.ts'
import { type Form, newForm } from '../../web/request/forms.ts'
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
} from './data.ts'
import { countInvitationsOf } from './ending/data.ts'
import { whyColumn } from './header.ts'
import { kinds } from './kinds/kinds.ts'
import type { ImportWorker } from './running/worker.ts'

/** Where each kind is imported, and what its menu and pages are. */
export const places = {
  customers: { base: '/partner/imports', area: 'partner', back: '/partner/customers' },
  users: { base: '/customer/imports', area: 'account', back: '/customer/users' },
} as const satisfies Record<ImportKind, object>

const mostNamed = 20

export function leftOutWords(names: string[]): string {
  if (names.length === 0) return ''
  const shown = names.slice(0, mostNamed).map((name) => name.slice(0, 40))
  const more = names.length > mostNamed ? ` and ${plural(names.length - mostNamed, 'more', 'more')}` : ''
  return `Left out, because the panel has no such column: ${shown.join(', ')}${more}.`
}

const common = (kind: ImportKind) => ({ ...places[kind], many: kinds[kind].words[1] })

/** The import that the address names, if it is one of this kind in the active account. */
export function importOf(request: FastifyRequest, kind: ImportKind): Import {
  const id = idFrom(request, 'import')
  return orNotFound(findImport(request.server.db, request.member.account.id, kind, id))
}

/** The imports of an account, with the form for another one. */
export function showImports(request: FastifyRequest, reply: FastifyReply, kind: ImportKind, form?: Form) {
  const { db } = request.server
  return reply.page('accounts/imports/index', {
    ...common(kind),
    title: `Import ${kinds[kind].words[1]}`,
    example: kinds[kind].example,
    columns: kinds[kind].columns,
    list: listImports(db, request.member.account.id, kind, readList(request, importList)),
    form: form ?? newForm({ text: '' }),
  })
}

/** An import: what was read from its file, or its result. */
export function showImport(
  request: FastifyRequest,
  reply: FastifyReply,
  { kind, worker, problem = '' }: { kind: ImportKind; worker: ImportWorker; problem?: string },
) {
  const { db } = request.server
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
    waits: waits ?? null,
    // The page follows the work, also without JavaScript.
    refresh: one.state !== 'running' ? 0 : waits ? 60 : 2,
  })
}

/** The rows that were not carried out, as a file that can be mended and imported. */
export function downloadFailed(request: FastifyRequest, reply: FastifyReply, kind: ImportKind) {
  const { id, header } = importOf(request, kind)
  const columns = readJson<string[]>(header ?? '[]', [])
  return csvDownload(reply, 'failed-rows.csv', [whyColumn, ...columns], failedRows(request.server.db, id))
}

/** So many failed rows are read at once for a download. */
const failedAtOnce = 200

function* failedRows(db: Db, importId: number) {
  for (let after = 0; ; ) {
    const rows = listFailedRows(db, importId, after, failedAtOnce)
    for (const { cells, state, words } of rows)
      if (cells)
        yield [
          state === 'ready' ? 'It was not carried out.' : words,
          ...readJson(cells, ['This line can no longer be read.']),
        ]
    const last = rows.at(-1)
    if (!last) return
    after = last.line
  }
}
