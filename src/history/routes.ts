import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { paged, readList } from '../web/list.ts'
import { countRecords, type Filter, listRecords, type Scope } from './data.ts'
import { type RecordFamily, recordFamilies } from './kinds.ts'

type Area = 'account' | 'partner' | 'support'

const day = 24 * 3_600_000

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

  function show(request: FastifyRequest, reply: FastifyReply, scope: Scope, area: Area) {
    const query = readList(request.query, ['person', 'family', 'from', 'until'])
    const { filter, errors } = readFilter(query.filters)
    const list = paged(query, countRecords(app.db, scope, filter), (limit, offset) =>
      listRecords(app.db, scope, filter, limit, offset),
    )
    if (Object.keys(errors).length > 0) reply.code(422)
    return reply.page('history/index', {
      title: 'History',
      area,
      list,
      form: { values: query.filters, errors },
      families: [['', 'Everything'], ...Object.entries(recordFamilies)],
      filtered: Object.values(query.filters).some(Boolean),
    })
  }
}

/** The filter of an address. A day that is none is said at its field, and left out. */
function readFilter(values: Record<string, string>): { filter: Filter; errors: Record<string, string> } {
  const errors: Record<string, string> = {}
  const dayOf = (name: string) => {
    const text = values[name] ?? ''
    if (text === '') return undefined
    const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
    if (Number.isNaN(at)) errors[name] = 'Enter a day such as 2026-11-24.'
    return Number.isNaN(at) ? undefined : at
  }
  const from = dayOf('from')
  const last = dayOf('until')
  const family = values.family && Object.hasOwn(recordFamilies, values.family) ? values.family : undefined
  if (values.family && !family) errors.family = 'Choose from the list.'
  return {
    filter: {
      from,
      until: last === undefined ? undefined : last + day,
      person: values.person,
      family: family as RecordFamily | undefined,
    },
    errors,
  }
}
